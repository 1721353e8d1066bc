/**
 * A subgraph in another process: HTTP with keep-alive for operations and routes, one graphql-ws socket for all
 * subscriptions. Every request and every subscription is signed. A query whose connection failed is sent once
 * more; nothing else ever is.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { Agent, request as send } from 'undici';
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
import { isMutation, type SubgraphCall, toGraphQLError } from '#shared/runtime/server/subgraph-executor.ts';
import { SOCKET_BODY } from '#shared/runtime/server/subgraph-server.ts';
import {
  type RouteRequest,
  type SubgraphClient,
  SubgraphFailure,
  type SubgraphLimits,
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
  readonly secrets: InternalSecrets;
  readonly clock: Clock;
}

export class RemoteClient implements SubgraphClient {
  readonly name: string;
  readonly #options: RemoteOptions;
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #socket: Client;

  constructor(options: RemoteOptions) {
    this.name = options.name;
    this.#options = options;
    this.#url = new URL(options.url);
    this.#agent = new Agent({
      connections: 64,
      keepAliveTimeout: 30_000,
      connect: { timeout: Math.min(options.limits.query, 2_000) },
    });
    this.#socket = this.#createSocket();
  }

  async execute(call: SubgraphCall): Promise<FormattedExecutionResult> {
    const { query, operationName, variables } = call;
    const body = JSON.stringify({ query, operationName, variables });
    const { mutation, query: quick } = this.#options.limits;
    const late = AbortSignal.timeout(isMutation(query) ? mutation : quick);
    const signal = isMutation(query) ? late : AbortSignal.any([call.signal, late]);
    try {
      return await this.#post(body, call, signal);
    } catch (error) {
      if (late.aborted) throw new SubgraphFailure('SUBGRAPH_TIMEOUT', this.name, error);
      if (isMutation(query) || !connectionFaults.has(codeOf(error)))
        throw new SubgraphFailure('SUBGRAPH_UNAVAILABLE', this.name, error);
    }
    try {
      return await this.#post(body, call, signal);
    } catch (error) {
      throw new SubgraphFailure(late.aborted ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE', this.name, error);
    }
  }

  async #post(body: string, facts: RequestFacts, signal: AbortSignal): Promise<FormattedExecutionResult> {
    const answer = await send(this.#url, {
      dispatcher: this.#agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': facts.requestId,
        [VIEWER_HEADER]: await this.#sign(facts, body),
      },
      body,
      signal,
    });
    const text = await readText(answer.body);
    if (answer.statusCode !== 200) throw new Error(`${this.name} answered with status ${answer.statusCode}`);
    const result: unknown = JSON.parse(text);
    if (typeof result !== 'object' || result === null || !('data' in result || 'errors' in result))
      throw new Error(`${this.name} answered with something that is no GraphQL result`);
    return result as FormattedExecutionResult;
  }

  async fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response> {
    const headers: Record<string, string> = Object.fromEntries(request.headers);
    headers['x-request-id'] = facts.requestId;
    headers[VIEWER_HEADER] = await this.#sign(facts, requestLine(request.method, request.target));
    try {
      const answer = await send(new URL(`/routes${request.target}`, this.#url), {
        dispatcher: this.#agent,
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
    this.#sign(call, subscriptionBody({ query, operationName, variables }))
      .then((viewer) => {
        if (over) return;
        unsubscribe = this.#socket.subscribe<Record<string, unknown>>(
          { query, operationName, variables, extensions: { viewer, requestId: call.requestId } },
          {
            next: (event) => queue.push(event as FormattedExecutionResult),
            error: (error) =>
              queue.fail(
                Array.isArray(error) ? toGraphQLError(error[0] as GraphQLFormattedError) : lost(error),
              ),
            complete: () => queue.finish(),
          },
        );
      })
      .catch((error: unknown) => queue.fail(error));
    return queue;
  }

  #createSocket(): Client {
    const url = new URL(this.#url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    let unanswered: NodeJS.Timeout | undefined;
    const client = createClient({
      url: url.href,
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ token: await this.#sign({ viewer: this.#itself }, SOCKET_BODY) }),
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

  #sign(facts: Pick<RequestFacts, 'viewer'>, body: string): Promise<string> {
    const { secrets, clock } = this.#options;
    return signInternal({ secrets, clock, audience: this.name, viewer: facts.viewer, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket.dispose();
    await this.#agent.destroy();
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

const lost = (cause: unknown): Error => new Error('The subgraph was lost', { cause });

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > ANSWER_LIMIT) throw new Error('The answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
