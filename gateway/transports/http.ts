/** GraphQL over HTTP: Apollo Server behind Express, with limits, request ids and JSON for every refusal. */
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { newId } from '#shared/kernel/ids.ts';
import { INTERNAL_HEADER_PREFIX } from '#shared/runtime/internal-auth.ts';
import { closed } from '#shared/runtime/server/http-server.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { MAX_TOKENS, selectionLimit } from '../pipeline/limits.ts';
import { isConditionalSubscription } from '../pipeline/operation.ts';
import { passToSubgraph } from '../routes.ts';
import type { Supergraph } from '../supergraph.ts';
import type { AccessTokens } from '../viewer.ts';
import { originAllowed } from './origins.ts';

export interface HttpTransportOptions {
  readonly config: GatewayConfig;
  readonly supergraph: Supergraph;
  readonly tokens: AccessTokens;
  readonly logger: Logger;
  /** False while the gateway is going down. */
  readonly ready: () => boolean;
}

export interface HttpTransport extends AsyncDisposable {
  readonly app: Express;
}

const BODY_LIMIT = '64kb';

export async function createHttpTransport(options: HttpTransportOptions): Promise<HttpTransport> {
  const { config, tokens, logger } = options;
  const apollo = createApollo(options);
  await apollo.start();
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use(requestIds(logger), cors(config.ORIGINS));
  app.get('/health/live', (_request, response) => void response.json({ status: 'live' }));
  app.get('/health/ready', (_request, response) => {
    const ready = options.ready();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready' });
  });
  app.use('/services', passToSubgraph(options));
  app.use(
    '/graphql',
    express.json({ limit: BODY_LIMIT, type: ['application/json', 'application/*+json'] }),
    expressMiddleware(apollo, {
      context: async ({ req, res }): Promise<RequestFacts> => {
        if (isConditionalSubscription(req.body?.query ?? req.query.query)) throw overHttp();
        const { viewer } = await tokens.identify(req.headers.authorization);
        return { viewer, requestId: res.locals.requestId as string, signal: closed(res) };
      },
    }),
  );
  app.use((_request, response) => void response.status(404).json(refusal('NOT_FOUND', 'No such address')));
  app.use(refuse(logger));
  return { app, [Symbol.asyncDispose]: () => apollo.stop() };
}

function createApollo({ config, supergraph, logger }: HttpTransportOptions): ApolloServer<RequestFacts> {
  const production = config.PRODUCTION;
  return new ApolloServer<RequestFacts>({
    gateway: supergraph.forServer,
    nodeEnv: production ? 'production' : 'development',
    introspection: !production,
    hideSchemaDetailsFromClientErrors: production,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: MAX_TOKENS },
    validationRules: [selectionLimit],
    logger,
    formatError: (error) => formatClientError(error, production),
    plugins: [ApolloServerPluginLandingPageDisabled(), requestRules(logger)],
  });
}

const refused = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code, http: { status: 400 } } });

const overHttp = (): GraphQLError =>
  refused('SUBSCRIPTION_NEEDS_WEBSOCKET', 'Subscribe over graphql-transport-ws at this address');

/** Client mistakes that Apollo Server would let through to the executor and answer with 500. */
function requestRules(logger: Logger): ApolloServerPlugin<RequestFacts> {
  return {
    requestDidStart: async () => ({
      didResolveOperation: async ({ operation }) => {
        if (!operation)
          throw refused('OPERATION_RESOLUTION_FAILURE', 'Name one of the operations in the document');
        if (operation.operation === 'subscription')
          throw refused(
            'SUBSCRIPTION_NEEDS_WEBSOCKET',
            'Subscribe over graphql-transport-ws at this address',
          );
      },
      didEncounterErrors: async ({ errors, contextValue: { requestId } }) => {
        for (const err of errors) {
          const { code } = err.extensions;
          if (code === undefined || code === INTERNAL_SERVER_ERROR)
            logger.error({ err: err.originalError ?? err, path: err.path, requestId }, 'operation failed');
        }
      },
    }),
  };
}

/** Every request gets an id, its own where it brought a sound one; nobody outside may speak as one of us. */
function requestIds(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : newId();
    for (const name of Object.keys(request.headers)) {
      if (name.startsWith(INTERNAL_HEADER_PREFIX)) delete request.headers[name];
    }
    request.headers['x-request-id'] = requestId;
    response.locals.requestId = requestId;
    response.setHeader('x-request-id', requestId);
    const started = performance.now();
    const { method } = request;
    const [path] = request.originalUrl.split('?', 1);
    response.once('close', () => {
      const milliseconds = Math.round(performance.now() - started);
      logger.info({ requestId, method, path, status: response.statusCode, milliseconds }, 'request');
    });
    next();
  };
}

function cors(allowed: readonly string[]): RequestHandler {
  return (request, response, next) => {
    const { origin, host } = request.headers;
    response.vary('Origin');
    if (origin !== undefined && originAllowed(origin, host, allowed)) {
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-expose-headers', 'x-request-id');
      response.setHeader('access-control-allow-methods', 'GET,POST,PUT,DELETE');
      response.setHeader('access-control-allow-headers', 'authorization,content-type,x-request-id');
      response.setHeader('access-control-max-age', '600');
    }
    if (isPreflight(request)) response.status(204).end();
    else next();
  };
}

const isPreflight = (request: Request): boolean =>
  request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;

const refusal = (code: string, message: string) => ({ errors: [{ message, extensions: { code } }] });

const mistakes: Record<number, [code: string, message: string]> = {
  400: ['BAD_REQUEST', 'The request is not well-formed'],
  413: ['PAYLOAD_TOO_LARGE', 'The request is too large'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'The request is in an encoding that is not served'],
};

function refuse(logger: Logger): ErrorRequestHandler {
  return (error: { status?: number }, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status ?? 500;
    if (status >= 400 && status < 500) {
      response.status(status).json(refusal(...(mistakes[status] ?? mistakes[400]!)));
      return;
    }
    logger.error({ err: error, requestId: response.locals.requestId }, 'request failed');
    response.status(500).json(refusal(INTERNAL_SERVER_ERROR, 'Internal error'));
  };
}
