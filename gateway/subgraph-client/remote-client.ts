/**
 * A subgraph in another process: HTTP with keep-alive for operations and routes, one graphql-ws socket for all
 * subscriptions. Every request and every subscription is signed. A query whose connection failed is sent once
 * more; nothing else ever is.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { Pool, request as send } from 'undici';
import { WebSocket } from 'ws';
import type { Clock } from '#shared/kernel/time.ts';
import {
  type InternalSecrets,
  requestLine,
  signInternal,
  subscriptionBody,
  VIEWER_HEADER,
} from '#shared/runtime/internal-auth.ts';
import { EventQueue } from '#shared/runtime/server/event-queue.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { type SubgraphCall, toGraphQLError } from '#shared/runtime/server/subgraph-executor.ts';
import { SOCKET_BODY } from '#shared/runtime/server/subgraph-server.ts';
import {
  type RouteRequest,
  type SubgraphClient,
  SubgraphFailure,
  type SubgraphLimits,
  type SubgraphRequest,
} from './subgraph-client.ts';

const ANSWER_LIMIT = 32 * 1024 * 1024;
const SOCKET_PING = 10_000;
const SOCKET_PONG = 5_000;
const SOCKET_ACK = 5_000;

/** The connection was refused or broke before an answer came. */
const connectionFaults = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ENOTFOUND']);

export interface RemoteOptions {
  readonly name: string;
  /** Of its GraphQL endpoint. */
  readonly url: string;
  readonly limits: SubgraphLimits;
  /** Without any, requests are not signed: for subgraphs that know no viewers of ours. */
  readonly secrets: InternalSecrets;
  readonly clock: Clock;
}

export class RemoteClient implements SubgraphClient {
  readonly name: string;
  readonly #options: RemoteOptions;
  readonly #url: URL;
  readonly #path: string;
  readonly #pool: Pool;
  readonly #socket: Client;

  constructor(options: RemoteOptions) {
    this.name = options.name;
    this.#options = options;
    this.#url = new URL(options.url);
    this.#path = this.#url.pathname + this.#url.search;
    this.#pool = new Pool(this.#url.origin, {
      connections: 64,
      keepAliveTimeout: 30_000,
      connect: { timeout: Math.min(options.limits.query, 2_000) },
    });
    this.#socket = this.#createSocket();
  }

  async execute(request: SubgraphRequest): Promise<FormattedExecutionResult> {
    const { operation, variablesText } = request;
    const body = `${operation.bodyHead}${variablesText}}`;
    const limits = this.#options.limits;
    const due = operation.mutation
      ? performance.now() + limits.mutation
      : Math.min(performance.now() + limits.query, request.deadline);
    try {
      return readResult(await this.#post(body, request, due));
    } catch (error) {
      const again = !operation.mutation && connectionFaults.has(codeOf(error)) && !request.signal.aborted;
      if (!again) throw this.#failure(error, request);
    }
    try {
      return readResult(await this.#post(body, request, due));
    } catch (error) {
      throw this.#failure(error, request);
    }
  }

  #failure(error: unknown, { operation, signal }: SubgraphRequest): SubgraphFailure {
    if (error instanceof SubgraphFailure) return error;
    if (error instanceof NoResult) return new SubgraphFailure('SUBGRAPH_RESPONSE_INVALID', this.name, error);
    const failure = new SubgraphFailure('SUBGRAPH_UNAVAILABLE', this.name, error);
    failure.abandoned = signal.aborted && !operation.mutation;
    return failure;
  }

  /** Written against the dispatcher, since every fetch of every plan passes here. */
  #post(body: string, { operation, signal, ...facts }: SubgraphRequest, due: number): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const chunks: Buffer[] = [];
    let length = 0;
    let status = 0;
    let abort: (reason: Error) => void = reject;
    const late = setTimeout(
      () => abort(new SubgraphFailure('SUBGRAPH_TIMEOUT', this.name)),
      Math.max(0, due - performance.now()),
    );
    const leave = (): void => abort(new Error('Nobody waits for the answer any more'));
    // A mutation that was sent runs to its end, whoever waits for it.
    if (!operation.mutation) signal.addEventListener('abort', leave, { once: true });
    const over = (): void => {
      clearTimeout(late);
      if (!operation.mutation) signal.removeEventListener('abort', leave);
    };
    if (signal.aborted && !operation.mutation) leave();
    else
      this.#pool.dispatch(
        { method: 'POST', path: this.#path, headers: this.#headers(body, facts), body },
        {
          onRequestStart: (controller) => {
            abort = (reason) => controller.abort(reason);
          },
          onResponseStart: (_controller, statusCode) => {
            status = statusCode;
          },
          onResponseData: (controller, chunk) => {
            length += chunk.length;
            if (length > ANSWER_LIMIT) controller.abort(new NoResult('The answer is too large'));
            else chunks.push(chunk);
          },
          onResponseEnd: () => {
            resolve({
              status,
              text: chunks.length === 1 ? String(chunks[0]) : String(Buffer.concat(chunks)),
            });
          },
          onResponseError: (_controller, error) => reject(error),
        },
      );
    return promise.finally(over);
  }

  #headers(
    body: string,
    facts: Pick<SubgraphRequest, 'viewer' | 'requestId' | 'traceparent'>,
  ): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-request-id': facts.requestId,
    };
    if (facts.traceparent !== undefined) headers.traceparent = facts.traceparent;
    if (this.#options.secrets.length > 0) headers[VIEWER_HEADER] = this.#sign(facts, body);
    return headers;
  }

  async fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response> {
    const headers: Record<string, string> = Object.fromEntries(request.headers);
    headers['x-request-id'] = facts.requestId;
    if (this.#options.secrets.length > 0)
      headers[VIEWER_HEADER] = this.#sign(facts, requestLine(request.method, request.target));
    try {
      const answer = await send(new URL(`/routes${request.target}`, this.#url), {
        dispatcher: this.#pool,
        method: request.method as 'GET',
        headers,
        body: request.body,
        signal: facts.signal,
        headersTimeout: this.#options.limits.route,
        bodyTimeout: this.#options.limits.route,
      });
      const empty = [101, 204, 205, 304].includes(answer.statusCode) || request.method === 'HEAD';
      if (empty) answer.body.resume();
      const stream = empty ? null : (Readable.toWeb(answer.body) as ReadableStream<Uint8Array>);
      const response = new Response(stream, { status: answer.statusCode });
      for (const [name, value] of Object.entries(answer.headers))
        for (const each of [value ?? []].flat()) response.headers.append(name, each);
      return response;
    } catch (error) {
      const late = codeOf(error) === 'UND_ERR_HEADERS_TIMEOUT';
      throw new SubgraphFailure(late ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE', this.name, error);
    }
  }

  subscribe(call: SubgraphCall): EventQueue<FormattedExecutionResult> {
    let unsubscribe: () => void = () => undefined;
    let over = false;
    const queue = new EventQueue<FormattedExecutionResult>(this.#options.limits.eventsBehind, () => {
      over = true;
      unsubscribe();
    });
    call.signal.addEventListener('abort', () => queue.finish(), { once: true });
    const { query, operationName, variables } = call;
    const extensions = this.#subscriptionExtensions(call);
    unsubscribe = this.#socket.subscribe<Record<string, unknown>>(
      { query, operationName, variables, ...extensions },
      {
        next: (event) => queue.push(event as FormattedExecutionResult),
        error: (error) =>
          queue.fail(Array.isArray(error) ? toGraphQLError(error[0] as GraphQLFormattedError) : lost(error)),
        complete: () => queue.finish(),
      },
    );
    if (over) unsubscribe();
    return queue;
  }

  #subscriptionExtensions(call: SubgraphCall): { extensions?: Record<string, unknown> } {
    if (this.#options.secrets.length === 0) return {};
    const { query, operationName, variables, requestId } = call;
    const viewer = this.#sign(call, subscriptionBody({ query, operationName, variables }));
    return { extensions: { viewer, requestId } };
  }

  #createSocket(): Client {
    const url = new URL(this.#url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    let unanswered: NodeJS.Timeout | undefined;
    const client = createClient({
      url: url.href,
      webSocketImpl: WebSocket,
      connectionParams: () =>
        this.#options.secrets.length === 0
          ? {}
          : { token: this.#sign({ viewer: this.#itself }, SOCKET_BODY) },
      connectionAckWaitTimeout: SOCKET_ACK,
      keepAlive: SOCKET_PING,
      // A lost subscription is the client's to resume, from its own cursor.
      retryAttempts: 0,
      on: {
        ping: (received) => {
          if (!received) unanswered = setTimeout(() => client.terminate(), SOCKET_PONG);
        },
        pong: () => clearTimeout(unanswered),
        closed: () => clearTimeout(unanswered),
      },
    });
    return client;
  }

  readonly #itself = { kind: 'service', name: 'gateway' } as const;

  #sign(facts: Pick<RequestFacts, 'viewer'>, body: string): string {
    const { secrets, clock } = this.#options;
    return signInternal({ secrets, clock, audience: this.name, viewer: facts.viewer, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket.dispose();
    await this.#pool.destroy();
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

const lost = (cause: unknown): Error => new Error('The subgraph was lost', { cause });

class NoResult extends Error {
  override readonly name = 'NoResult';
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** With another status than 200 only errors are believed: a subgraph's refusal to execute. */
function readResult({ status, text }: Answer): FormattedExecutionResult {
  let result: unknown;
  try {
    result = JSON.parse(text);
  } catch (cause) {
    if (status !== 200) throw new Error(`The subgraph answered with status ${status}`);
    throw new NoResult('The answer is no JSON', { cause });
  }
  const refused = typeof result === 'object' && result !== null && 'errors' in result && !('data' in result);
  if (status !== 200 && !refused) throw new Error(`The subgraph answered with status ${status}`);
  if (typeof result !== 'object' || result === null || !('data' in result || 'errors' in result))
    throw new NoResult('The answer is no GraphQL result');
  return result as FormattedExecutionResult;
}
