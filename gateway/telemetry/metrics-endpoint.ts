/** `/metrics` for Prometheus, on a server of its own: what it tells is not for clients. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { Logger } from 'pino';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';
import type { GatewayConfig } from '../gateway.config.ts';

/** Reads when it is asked to. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export interface MetricsEndpoint extends AsyncDisposable {
  readonly reader: MetricReader;
  readonly url: string;
}

const LOOPBACK = /^(?:127\.|::1$|localhost$)/;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** Prometheus has no word for units beside the name. */
const withUnits = ({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics => ({
  resource,
  scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map((each) => {
      const { name, unit } = each.descriptor;
      return { ...each, descriptor: { ...each.descriptor, name: `${name}${UNITS[unit] ?? ''}` } };
    }),
  })),
});

export async function serveMetrics(
  { METRICS_HOST: host, METRICS_TOKEN: token }: GatewayConfig,
  port: number,
  logger: Logger,
): Promise<MetricsEndpoint> {
  const reader = new PullReader();
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const expected = digest(`Bearer ${token}`);
  const mayRead = (authorization = '') =>
    token === '' || timingSafeEqual(digest(authorization.trim()), expected);

  async function text(): Promise<string> {
    const { resourceMetrics, errors } = await reader.collect();
    for (const err of errors) logger.warn({ err }, 'a metric could not be read');
    return serializer.serialize(withUnits(resourceMetrics));
  }

  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    if (path !== '/metrics') return response.writeHead(404).end();
    if (!mayRead(request.headers.authorization))
      return response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    if (request.method !== 'GET') return response.writeHead(405, { allow: 'GET' }).end();
    text().then(
      (body) => response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(body),
      (err: unknown) => {
        logger.error({ err }, 'the metrics could not be read');
        response.writeHead(500).end();
      },
    );
    return undefined;
  });
  const bound = await listen(server, port, host);
  if (token === '' && !LOOPBACK.test(host))
    logger.warn({ host }, 'whoever reaches the port of the metrics may read them');
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return {
    reader,
    url: `http://${reached.includes(':') ? `[${reached}]` : reached}:${bound}/metrics`,
    [Symbol.asyncDispose]: () => closeServer(server, 1_000),
  };
}
