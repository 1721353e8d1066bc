/**
 * GraphQL over HTTP. Apollo Server speaks the protocol: methods, media types, status codes, protection against
 * cross-site requests. Before it, credentials become a caller and an id its document; below it are policy and our
 * executor. What comes in parts, deferred fragments and events, leaves beside it after the same steps.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApolloServer, HeaderMap } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled';
import {
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  OperationTypeNode,
} from 'graphql';
import type { Logger } from 'pino';
import { closed } from '#shared/runtime/server/http-server.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { BAD_USER_INPUT, INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError, GRAPHQL_VALIDATION_FAILED, refusal, withoutRepetition } from '../errors.ts';
import type { ExecutionResult } from '../executor/executor.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import {
  type AdmittedOperation,
  admitOperation,
  admitValidDocument,
  isConditionalSubscription,
} from '../pipeline/operation.ts';
import type { Caller, Policy } from '../policy/policy.ts';
import type { Supergraph } from '../supergraph.ts';
import type { RequestObserver } from '../telemetry/observer.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type GraphqlRequest, readGraphqlRequest, requestOf, withQuery } from './graphql-request.ts';
import { acceptsParts, sendParts } from './incremental.ts';

/** The whole API, and each contract by its name. */
export interface Supergraphs {
  readonly whole: Supergraph;
  readonly contracts: ReadonlyMap<string, Supergraph>;
}

/** A subscription over HTTP, to be answered as server-sent events. */
export interface EventStream {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly caller: Caller;
  readonly graphql: GraphqlRequest;
  readonly requestId: string;
  readonly observer: RequestObserver | undefined;
}

/** The same, found to be one, and admitted. */
export interface AdmittedEventStream extends EventStream {
  readonly admitted: AdmittedOperation;
}

export interface GraphqlEndpointOptions {
  readonly config: GatewayConfig;
  readonly supergraphs: Supergraphs;
  readonly policy: Policy;
  /** Serves the events, or answers why it does not. */
  readonly streamEvents: (stream: AdmittedEventStream) => Promise<void>;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
}

export interface GraphqlEndpoint extends AsyncDisposable {
  /** Answers the request; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void>;
}

interface Context extends RequestFacts {
  readonly caller: Caller;
  readonly observer: RequestObserver | undefined;
  /** A signed-in caller who sends `X-Cost: 1` is told what its operation was reckoned at. */
  readonly wantsCost: boolean;
}

export const supergraphOf = ({ whole, contracts }: Supergraphs, { contract }: Caller): Supergraph =>
  contract === null ? whole : (contracts.get(contract) ?? unknownContract(contract));

function unknownContract(contract: string): never {
  throw new Error(`No supergraph is configured for contract ${contract}`);
}

export async function createGraphqlEndpoint(options: GraphqlEndpointOptions): Promise<GraphqlEndpoint> {
  const { config, supergraphs, policy, telemetry, logger } = options;
  const servers = new Map<Supergraph, ApolloServer<Context>>();
  for (const supergraph of [supergraphs.whole, ...supergraphs.contracts.values()])
    servers.set(supergraph, createApollo(options, supergraph));
  await Promise.all([...servers.values()].map((server) => server.start()));

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    observer: RequestObserver | undefined,
  ): Promise<void> {
    const { headers } = request;
    const apiKey = headers['x-api-key'];
    const body = await readGraphqlRequest(request);
    const caller = await policy.identify({
      authorization: headers.authorization,
      apiKey: typeof apiKey === 'string' ? apiKey : undefined,
      address: request.socket.remoteAddress ?? '',
    });
    observer?.stage('identify');
    const supergraph = supergraphOf(supergraphs, caller);
    const asked = requestOf(body);
    if (asked && acceptsParts(headers.accept)) {
      const stream = { request, response, caller, graphql: asked, requestId, observer };
      return answerInParts(options, supergraph, stream);
    }
    const text = asked && policy.documentOf(asked, caller);
    if (isConditionalSubscription(text)) throw overHttp();
    const context = {
      caller,
      observer,
      viewer: caller.viewer,
      requestId,
      signal: closed(response),
      wantsCost: headers['x-cost'] === '1' && caller.viewer.kind !== 'anonymous',
    };
    const server = servers.get(supergraph) as ApolloServer<Context>;
    const {
      status = 200,
      headers: answered,
      body: result,
    } = await server.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: request.method ?? 'GET',
        headers: headersFor(request),
        ...withQuery(body, text),
      },
      context: async () => context,
    });
    // Parts were sorted out above: what is left is one result.
    if (result.kind !== 'complete') throw new Error('A result in parts came where none was asked for');
    for (const [name, value] of answered) response.setHeader(name, value);
    response.statusCode = status === 400 && isWellFormed(headers.accept, result.string) ? 200 : status;
    response.end(status === 400 ? refusedOnce(result.string) : result.string);
  }

  return {
    async handle(request, response, requestId) {
      const { traceparent } = request.headers;
      const observer = telemetry.request({ transport: 'http', requestId, traceparent });
      try {
        await answer(request, response, requestId, observer);
      } catch (error) {
        observer?.failed(error instanceof AggregateError ? error.errors : [error]);
        refuse(request, response, error, { production: config.PRODUCTION, logger, requestId });
      } finally {
        observer?.end(response.statusCode);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...servers.values()].map((server) => server.stop()));
    },
  };
}

/** Refusals that are GraphQL's own, as against HTTP's or policy's. */
const REFUSED_CODES: ReadonlySet<unknown> = new Set([
  'GRAPHQL_PARSE_FAILED',
  GRAPHQL_VALIDATION_FAILED,
  BAD_USER_INPUT,
]);

const firstCode = (body: string): unknown =>
  (JSON.parse(body) as { errors?: GraphQLFormattedError[] }).errors?.[0]?.extensions?.code;

/**
 * Whether a client that knows only `application/json` gets 200 for a refused document, as the specification of
 * GraphQL over HTTP asks: it cannot tell a 400 of ours from one of a proxy.
 */
function isWellFormed(accept: string | undefined, body: string): boolean {
  return accept === 'application/json' && REFUSED_CODES.has(firstCode(body));
}

/** The only headers that Apollo Server looks at. */
const HEADERS = ['content-type', 'accept', 'x-apollo-operation-name', 'apollo-require-preflight'] as const;

function headersFor({ headers }: IncomingMessage): HeaderMap {
  const seen = new HeaderMap();
  for (const name of HEADERS) {
    const value = headers[name];
    if (value !== undefined) seen.set(name, String(value));
  }
  return seen;
}

function createApollo(
  { config, policy, logger }: GraphqlEndpointOptions,
  supergraph: Supergraph,
): ApolloServer<Context> {
  const production = config.PRODUCTION;
  return new ApolloServer<Context>({
    gateway: {
      onSchemaLoadOrUpdate: (listener) => {
        const tell = ({ schema }: Supergraph['graph']) =>
          listener({ apiSchema: schema, coreSupergraphSdl: '' });
        tell(supergraph.graph);
        return supergraph.onChange(tell);
      },
      load: async () => ({
        executor: async ({ document, request, context: given }) => {
          const { graph } = supergraph;
          const context = given as Context;
          const { observer } = context;
          observer?.stage('validate');
          const admitted = await admitValidDocument(policy, graph, document, request, context.caller);
          if (!('operation' in admitted)) return refusedWith(admitted);
          if (admitted.operation.operation === OperationTypeNode.SUBSCRIPTION)
            return refusedWith([overHttp()]);
          observer?.admitted(admitted.operation);
          const result = await graph.executor.execute(admitted, {
            facts: context,
            budget: budgetOf(config, admitted.operation.operation),
            observer,
          });
          observer?.stage('shape');
          logFaults(result, context.requestId, logger);
          return context.wantsCost
            ? { ...result, extensions: { cost: { requested: admitted.cost } } }
            : result;
        },
      }),
      stop: async () => undefined,
    },
    nodeEnv: production ? 'production' : 'development',
    // Policy decides by caller who may ask about the schema.
    introspection: true,
    hideSchemaDetailsFromClientErrors: production,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: config.CSRF_PREVENTION,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: policy.maxTokens },
    validationRules: [...policy.rulesFor(supergraph.graph)],
    logger,
    formatError: (error) => formatClientError(error, production),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      {
        requestDidStart: async () => ({
          didEncounterErrors: async ({ contextValue, errors }) => contextValue.observer?.failed(errors),
          didResolveOperation: async ({ operation }) => {
            if (!operation)
              throw refusal(
                'OPERATION_RESOLUTION_FAILURE',
                'Name one of the operations in the document',
                400,
              );
          },
        }),
      },
    ],
  });
}

/** An answer whose equal errors are told once. */
function refusedOnce(answer: string): string {
  const { errors = [], ...rest } = JSON.parse(answer) as FormattedExecutionResult;
  return `${JSON.stringify({ ...rest, errors: withoutRepetition(errors) })}\n`;
}

/** Without `data`, since nothing was executed. */
const refusedWith = (errors: readonly GraphQLError[]) => ({
  errors: errors.map((error) => (error.extensions.http ? error : withStatus(error, 400))),
});

const withStatus = (error: GraphQLError, status: number): GraphQLError =>
  new GraphQLError(error.message, { ...error, extensions: { ...error.extensions, http: { status } } });

export const budgetOf = (config: GatewayConfig, operation: OperationTypeNode): number =>
  operation === OperationTypeNode.MUTATION ? config.MUTATION_TIMEOUT : config.REQUEST_TIMEOUT;

const overHttp = (): GraphQLError =>
  refusal(
    'SUBSCRIPTION_NEEDS_STREAM',
    'Subscribe over graphql-transport-ws, or with Accept: text/event-stream, at this address',
    400,
  );

function logFaults({ errors }: ExecutionResult, requestId: string, logger: Logger): void {
  for (const err of errors ?? []) {
    const { code } = err.extensions;
    if (code === undefined || code === INTERNAL_SERVER_ERROR)
      logger.error({ err: err.originalError ?? err, path: err.path, requestId }, 'operation failed');
  }
}

/** Deferred fragments and subscriptions. Everything else has one part. */
async function answerInParts(
  { config, policy, streamEvents }: GraphqlEndpointOptions,
  { graph }: Supergraph,
  stream: EventStream,
): Promise<void> {
  const { request, response, caller, graphql, requestId, observer } = stream;
  // A page elsewhere cannot send this media type without asking first.
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/.test(request.headers['content-type'] ?? '');
  if (request.method === 'POST' && !isJson)
    throw refusal('BAD_REQUEST', 'The request is not well-formed', 400);
  const admitted = await admitOperation(policy, graph, graphql, caller);
  observer?.stage('validate');
  if ('operation' in admitted && admitted.operation.operation === OperationTypeNode.SUBSCRIPTION) {
    if (observer) observer.transport = 'event-stream';
    return streamEvents({ ...stream, admitted });
  }
  if (!('operation' in admitted)) throw new AggregateError(admitted.map((error) => withStatus(error, 400)));
  observer?.admitted(admitted.operation);
  const { operation } = admitted.operation;
  if (request.method === 'GET' && operation === OperationTypeNode.MUTATION)
    throw refusal('BAD_REQUEST', 'Mutations are sent by POST', 405);
  const facts = { viewer: caller.viewer, requestId, signal: closed(response) };
  const results = graph.executor.executeIncrementally(admitted, {
    facts,
    budget: budgetOf(config, operation),
    observer,
  });
  await sendParts(request, response, results, (error) =>
    formatClientError(error.toJSON(), config.PRODUCTION),
  );
}

/** Answers what was refused before, or instead of, an execution. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  { production, logger, requestId }: { production: boolean; logger: Logger; requestId: string },
): void {
  const errors = (error instanceof AggregateError ? error.errors : [error]) as unknown[];
  const coded = errors.filter((each) => each instanceof GraphQLError);
  if (coded.length === 0) logger.error({ err: error, requestId }, 'request failed');
  if (response.headersSent) return void response.destroy();
  const [first = refusal(INTERNAL_SERVER_ERROR, 'Internal error', 500)] = coded;
  const { status = 400, headers = new Map() } = (first.extensions.http ?? {}) as {
    status?: number;
    headers?: ReadonlyMap<string, string>;
  };
  for (const [name, value] of headers) response.setHeader(name, value);
  const accepts = request.headers.accept ?? '';
  const type = accepts.includes('application/graphql-response+json')
    ? 'application/graphql-response+json'
    : 'application/json';
  // What was not read of a body that is too large would otherwise be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' });
  const told = (coded.length > 0 ? coded : [first]).map((each) =>
    formatClientError(each.toJSON(), production),
  );
  response.end(`${JSON.stringify({ errors: withoutRepetition(told) })}\n`);
}
