/**
 * A subgraph in another process: HTTP with keep-alive for operations and routes, one graphql-ws socket for all
 * subscriptions. Every request and every subscription is signed. A query whose connection failed is sent once
 * more; nothing else ever is.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { type Dispatcher, Pool, request as send } from 'undici';
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
/** Between two looks at what is late. Milliseconds. */
const SWEEP = 20;
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
  readonly #reading = new Set<AnswerReader>();
  #sweeping: NodeJS.Timeout | undefined;
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
      const again =
        !operation.mutation && connectionFaults.has(codeOf(error)) && !request.facts.signal.aborted;
      if (!again) throw this.#failure(error, request);
    }
    try {
      return readResult(await this.#post(body, request, due));
    } catch (error) {
      throw this.#failure(error, request);
    }
  }

  #failure(error: unknown, { operation, facts }: SubgraphRequest): SubgraphFailure {
    if (error instanceof SubgraphFailure) return error;
    if (error instanceof NoResult) return new SubgraphFailure('SUBGRAPH_RESPONSE_INVALID', this.name, error);
    const failure = new SubgraphFailure('SUBGRAPH_UNAVAILABLE', this.name, error);
    failure.abandoned = !operation.mutation && facts.signal.aborted;
    return failure;
  }

  #post(body: string, request: SubgraphRequest, due: number): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const { operation, facts } = request;
    // A mutation that was sent runs to its end, whoever waits for it.
    const reader = new AnswerReader({
      due,
      facts: operation.mutation ? undefined : facts,
      over: () => this.#reading.delete(reader),
      resolve,
      reject,
    });
    this.#reading.add(reader);
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP).unref();
    const headers = this.#headers(body, request);
    this.#pool.dispatch({ method: 'POST', path: this.#path, headers, body }, reader);
    return promise;
  }

  /** One look at all requests, in place of a timer and a listener for each. */
  #sweep(): void {
    const now = performance.now();
    for (const reader of this.#reading) {
      if (reader.due <= now) reader.abort(new SubgraphFailure('SUBGRAPH_TIMEOUT', this.name));
      else if (reader.facts?.signal.aborted) reader.abort(new Error('Nobody waits for the answer any more'));
    }
    if (this.#reading.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #headers(
    body: string,
    { facts, traceparent }: Pick<SubgraphRequest, 'facts' | 'traceparent'>,
  ): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-request-id': facts.requestId,
    };
    if (traceparent !== undefined) headers.traceparent = traceparent;
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
    clearInterval(this.#sweeping);
    await this.#pool.destroy();
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

const lost = (cause: unknown): Error => new Error('The subgraph was lost', { cause });

interface AnswerReaderOptions {
  readonly due: number;
  readonly facts: RequestFacts | undefined;
  readonly over: () => void;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Reads one answer. Written against undici's dispatcher, since every fetch of every plan passes here. */
class AnswerReader implements Dispatcher.DispatchHandler {
  /** `performance.now()` at which nobody waits any more. */
  readonly due: number;
  /** Of a request that ends when nobody waits any more. */
  readonly facts: RequestFacts | undefined;
  readonly #options: AnswerReaderOptions;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #status = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #aborted: Error | undefined;

  constructor(options: AnswerReaderOptions) {
    this.#options = options;
    this.due = options.due;
    this.facts = options.facts;
  }

  abort(reason: Error): void {
    this.#aborted = reason;
    this.#options.over();
    this.#controller?.abort(reason);
    this.#options.reject(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection longer than anybody for the answer.
    if (this.#aborted) controller.abort(this.#aborted);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > ANSWER_LIMIT) this.abort(new NoResult('The answer is too large'));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#options.over();
    const [first = Buffer.alloc(0)] = this.#chunks;
    const bytes = this.#chunks.length <= 1 ? first : Buffer.concat(this.#chunks);
    this.#options.resolve({ status: this.#status, text: String(bytes) });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#options.over();
    this.#options.reject(error);
  }
}

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
