/**
 * GraphQL over HTTP: credentials become a caller, and a request one of three kinds. The plain one, a well-formed
 * POST of JSON, is answered here. What comes in parts, deferred fragments and events, leaves by `incremental.ts` and
 * `server-sent-events.ts`. For all else Apollo Server (`apollo.ts`) speaks the protocol: methods, media types, status
 * codes, protection against cross-site requests. Policy and executor are the same below all of them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApolloServer } from '@apollo/server';
import {
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  OperationTypeNode,
} from 'graphql';
import type { Logger } from 'pino';
import { closed } from '#shared/runtime/server/http-server.ts';
import { BAD_USER_INPUT, INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError, GRAPHQL_VALIDATION_FAILED, refusal, withoutRepetition } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { type AdmittedOperation, admitOperation, isConditionalSubscription } from '../pipeline/operation.ts';
import type { Caller, Policy } from '../policy/policy.ts';
import type { Supergraph } from '../supergraph.ts';
import type { RequestObserver } from '../telemetry/observer.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createApolloServer, headersFor } from './apollo.ts';
import { budgetOf, type Context, overHttp, runOnce, withStatus } from './execution.ts';
import { type GraphqlRequest, isPlain, readGraphqlRequest, requestOf, withQuery } from './graphql-request.ts';
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

export const supergraphOf = ({ whole, contracts }: Supergraphs, { contract }: Caller): Supergraph =>
  contract === null ? whole : (contracts.get(contract) ?? unknownContract(contract));

function unknownContract(contract: string): never {
  throw new Error(`No supergraph is configured for contract ${contract}`);
}

export async function createGraphqlEndpoint(options: GraphqlEndpointOptions): Promise<GraphqlEndpoint> {
  const { config, supergraphs, policy, telemetry, logger } = options;
  const servers = new Map<Supergraph, ApolloServer<Context>>();
  for (const supergraph of [supergraphs.whole, ...supergraphs.contracts.values()])
    servers.set(supergraph, createApolloServer(options, supergraph));
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
    const context: Context = {
      caller,
      observer,
      viewer: caller.viewer,
      requestId,
      signal: closed(response),
      wantsCost: headers['x-cost'] === '1' && caller.viewer.kind !== 'anonymous',
    };
    const mediaType = plainMediaTypes.get(headers.accept);
    if (asked && mediaType !== undefined && isPlain(body))
      return answerPlainly(options, supergraph, asked, { response, context, mediaType });
    const text = asked && policy.documentOf(asked, caller);
    if (isConditionalSubscription(text, policy.maxTokens)) throw overHttp();
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
    response.statusCode =
      status === 400 && isWellFormed(headers.accept, firstCode(result.string)) ? 200 : status;
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

const JSON_MEDIA = 'application/json; charset=utf-8';
const RESPONSE_MEDIA = 'application/graphql-response+json; charset=utf-8';

/** What nearly all clients accept, and what they get. */
const plainMediaTypes: ReadonlyMap<string | undefined, string> = new Map([
  [undefined, JSON_MEDIA],
  ['*/*', JSON_MEDIA],
  ['application/json', JSON_MEDIA],
  ['application/graphql-response+json', RESPONSE_MEDIA],
  ['application/graphql-response+json,application/json;q=0.9', RESPONSE_MEDIA],
  ['application/graphql-response+json, application/json;q=0.9', RESPONSE_MEDIA],
  ['application/graphql-response+json, application/json', RESPONSE_MEDIA],
]);

/**
 * The way of nearly all requests, without Apollo Server: a well-formed POST of a document as JSON. There is nothing
 * to negotiate, and a page elsewhere cannot send it without asking first.
 */
async function answerPlainly(
  options: GraphqlEndpointOptions,
  { graph }: Supergraph,
  asked: GraphqlRequest,
  { response, context, mediaType }: { response: ServerResponse; context: Context; mediaType: string },
): Promise<void> {
  const { observer, caller } = context;
  const admitted = await admitOperation(options.policy, graph, asked, caller);
  observer?.stage('validate');
  if (!('operation' in admitted)) throw new AggregateError(admitted.map((error) => withStatus(error, 400)));
  const result = await runOnce(options, admitted, context);
  if (!result) throw overHttp();
  const { data, errors, extensions } = result;
  const { PRODUCTION } = options.config;
  const told = errors?.map((error) => formatClientError(error.toJSON(), PRODUCTION));
  if (told) observer?.failed(errors as readonly GraphQLError[]);
  const text = `${JSON.stringify({ errors: told, data, extensions })}\n`;
  response.writeHead(200, {
    'content-type': mediaType,
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
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
function isWellFormed(accept: string | undefined, code: unknown): boolean {
  return accept === 'application/json' && REFUSED_CODES.has(code);
}

/** An answer whose equal errors are told once. */
function refusedOnce(answer: string): string {
  const { errors = [], ...rest } = JSON.parse(answer) as FormattedExecutionResult;
  return `${JSON.stringify({ ...rest, errors: withoutRepetition(errors) })}\n`;
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
  const { accept } = request.headers;
  const type = accept?.includes('application/graphql-response+json') ? RESPONSE_MEDIA : JSON_MEDIA;
  const answered = status === 400 && isWellFormed(accept, first.extensions.code) ? 200 : status;
  // What was not read of a body that is too large would otherwise be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(answered, { 'content-type': type, 'cache-control': 'no-store' });
  const told = (coded.length > 0 ? coded : [first]).map((each) =>
    formatClientError(each.toJSON(), production),
  );
  response.end(`${JSON.stringify({ errors: withoutRepetition(told) })}\n`);
}
