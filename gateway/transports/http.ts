/** The HTTP front: request ids, other origins, probes, raw routes of subgraphs, and the GraphQL endpoint. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { INTERNAL_HEADER_PREFIX } from '#shared/runtime/internal-auth.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { createExplorer } from '../explorer/explorer.ts';
import { passToSubgraph, publicRoutes } from '../routes.ts';
import { createGraphqlEndpoint, type GraphqlEndpointOptions } from './graphql-http.ts';
import { originAllowed } from './origins.ts';

export interface HttpTransportOptions extends GraphqlEndpointOptions {
  /** False while the gateway is going down. */
  readonly ready: () => boolean;
}

export interface HttpTransport extends AsyncDisposable {
  readonly listener: RequestListener;
}

export async function createHttpTransport(options: HttpTransportOptions): Promise<HttpTransport> {
  const { config, logger } = options;
  const graphql = await createGraphqlEndpoint(options);
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.get('/health/live', (_request, response) => void response.json({ status: 'live' }));
  app.get('/health/ready', (_request, response) => {
    const ready = options.ready();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready' });
  });
  app.use(publicRoutes(config.PUBLIC_ROUTES));
  if (config.EXPLORER) app.use('/explorer', createExplorer(options));
  app.use('/services', passToSubgraph({ ...options, supergraph: options.supergraphs.whole }));
  app.use((_request, response) => void response.status(404).json(refusal('NOT_FOUND', 'No such address')));
  app.use(refuse(logger));

  const listener: RequestListener = (request, response) => {
    const requestId = identifyRequest(request, response, logger);
    if (cors(request, response, config.ORIGINS)) return;
    const url = request.url ?? '';
    // Not through Express: this is where nearly all requests go.
    if (url === '/graphql' || url.startsWith('/graphql?')) void graphql.handle(request, response, requestId);
    else app(request, response);
  };
  return { listener, [Symbol.asyncDispose]: () => graphql[Symbol.asyncDispose]() as Promise<void> };
}

/** The id under which a request is known: its own where it brought a sound one. Nobody outside speaks as one of us. */
function identifyRequest(request: IncomingMessage, response: ServerResponse, logger: Logger): string {
  const { headers, method } = request;
  const given = headers['x-request-id'];
  const requestId = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();
  for (const name in headers) if (name.startsWith(INTERNAL_HEADER_PREFIX)) delete headers[name];
  headers['x-request-id'] = requestId;
  response.setHeader('x-request-id', requestId);
  if (logger.isLevelEnabled('info')) {
    const started = performance.now();
    const [path] = (request.url ?? '').split('?', 1);
    response.once('close', () => {
      const milliseconds = Math.round(performance.now() - started);
      logger.info({ requestId, method, path, status: response.statusCode, milliseconds }, 'request');
    });
  }
  return requestId;
}

const ALLOWED_HEADERS =
  'authorization,content-type,x-request-id,x-api-key,x-cost,apollo-require-preflight,last-event-id,x-device-id,traceparent';

/** True where the request was a browser's question whether it may ask, and is answered. */
function cors(request: IncomingMessage, response: ServerResponse, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers;
  response.setHeader('vary', 'Origin');
  if (origin !== undefined && originAllowed(origin, host, allowed)) {
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'x-request-id');
    response.setHeader('access-control-allow-methods', 'GET,POST,PUT,DELETE');
    response.setHeader('access-control-allow-headers', ALLOWED_HEADERS);
    response.setHeader('access-control-max-age', '600');
  }
  const asks = request.method === 'OPTIONS' && 'access-control-request-method' in request.headers;
  if (asks) response.writeHead(204).end();
  return asks;
}

const refusal = (code: string, message: string) => ({ errors: [{ message, extensions: { code } }] });

const mistakes: Record<number, [code: string, message: string]> = {
  400: ['BAD_REQUEST', 'The request is not well-formed'],
  413: ['PAYLOAD_TOO_LARGE', 'The request is too large'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'The request is in an encoding that is not served'],
};

function refuse(logger: Logger): ErrorRequestHandler {
  return (error: { status?: number }, request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status ?? 500;
    if (status >= 400 && status < 500) {
      response.status(status).json(refusal(...(mistakes[status] ?? mistakes[400]!)));
      return;
    }
    logger.error({ err: error, requestId: request.headers['x-request-id'] }, 'request failed');
    response.status(500).json(refusal(INTERNAL_SERVER_ERROR, 'Internal error'));
  };
}
