/** An OpenTelemetry collector as far as these tests need one: it takes OTLP as JSON and remembers all of it. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface SentSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number; readonly message?: string };
}

export interface ReceivedSpan extends Omit<SentSpan, 'attributes'> {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly service: unknown;
}

interface TraceMessage {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

interface MetricMessage {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

const recordOf = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

export class Collector implements AsyncDisposable {
  /** All that ever came, heads and bodies. */
  readonly received: string[] = [];
  readonly spans: ReceivedSpan[] = [];
  readonly metricNames = new Set<string>();
  readonly #close: () => Promise<void>;
  readonly url: string;

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#close = () => closeServer(server, 100);
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server, await listen(server, 0, '127.0.0.1'));
    server.on('request', async (request, response) => {
      const body = await text(request);
      collector.received.push(JSON.stringify(request.headers), body);
      if (request.url === '/v1/traces') collector.#takeSpans(JSON.parse(body) as TraceMessage);
      if (request.url === '/v1/metrics') collector.#takeMetrics(JSON.parse(body) as MetricMessage);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    return collector;
  }

  #takeSpans({ resourceSpans }: TraceMessage): void {
    for (const { resource, scopeSpans } of resourceSpans)
      for (const { spans } of scopeSpans)
        for (const { attributes, ...span } of spans)
          this.spans.push({
            ...span,
            attributes: recordOf(attributes),
            service: recordOf(resource.attributes)['service.name'],
          });
  }

  #takeMetrics({ resourceMetrics }: MetricMessage): void {
    for (const { scopeMetrics } of resourceMetrics)
      for (const { metrics } of scopeMetrics) for (const { name } of metrics) this.metricNames.add(name);
  }

  /** The only span of this name. */
  span(name: string): ReceivedSpan {
    const [span, ...others] = this.spans.filter((each) => each.name === name);
    if (!span || others.length > 0)
      throw new Error(`Not one ${name}: ${this.spans.map((each) => each.name).join(', ')}`);
    return span;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
