/**
 * One client's subscription: events come from the subgraph that owns the root field, and each is completed by
 * the others as the plan says, in order and one at a time.
 *
 * It ends at once when the client is gone, and closes its upstream with it. When the upstream is lost, or
 * the client falls too far behind, it fails with `SUBSCRIPTION_INTERRUPTED`: the client resumes by its cursor.
 */
import { type DocumentNode, type FormattedExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import { type EventQueue, TOO_SLOW } from '#shared/runtime/server/event-queue.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { SUBSCRIPTION_INTERRUPTED } from '../errors.ts';
import type { Operation } from '../pipeline/operation.ts';
import type { Graph } from '../supergraph.ts';
import type { LiveEvent, LiveOperation } from './live-operation.ts';

export interface SubscriptionRequest {
  readonly graph: Graph;
  readonly operation: Operation;
  readonly source: string;
  readonly facts: Omit<RequestFacts, 'signal'>;
  readonly logger: Logger;
}

/** Plans and opens the subscription. Throws a coded `GraphQLError` where it cannot be planned. */
export function subscribePlanned(request: SubscriptionRequest): PlannedSubscription {
  const { document, operation } = request.operation;
  return new PlannedSubscription(
    request,
    request.graph.executor.live({ document, operation, denied: new Set() }),
  );
}

export class PlannedSubscription implements AsyncGenerator<LiveEvent, undefined, unknown> {
  readonly #request: SubscriptionRequest;
  readonly #plan: LiveOperation;
  readonly #upstream: EventQueue<FormattedExecutionResult>;
  readonly #closing = new AbortController();

  constructor(request: SubscriptionRequest, planned: LiveOperation) {
    this.#request = request;
    this.#plan = planned;
    const { graph, operation, facts } = request;
    const { upstream } = planned;
    const client = graph.clients.get(upstream.subgraph);
    if (!client) throw new Error(`The plan names an unknown subgraph ${upstream.subgraph}`);
    this.#upstream = client.subscribe({
      query: upstream.query,
      operationName: upstream.operationName,
      variables: planned.upstreamVariables(operation.variables, planned.afterOf(operation.variables)),
      ...facts,
      signal: this.#closing.signal,
    });
  }

  /** What it was opened with, for the protocol server. */
  get source(): { readonly document: DocumentNode; readonly schema: GraphQLSchema } {
    const { graph, operation } = this.#request;
    return { document: operation.document, schema: graph.schema };
  }

  async next(): Promise<IteratorResult<LiveEvent, undefined>> {
    try {
      const event = await this.#upstream.next();
      if (event.done || this.#closing.signal.aborted) return { value: undefined, done: true };
      return await this.#completed(event.value);
    } catch (error) {
      void this.return();
      throw this.#interruption(error);
    }
  }

  /** Runs the rest of the plan, or stops waiting for it when the client leaves. */
  #completed(event: FormattedExecutionResult): Promise<IteratorResult<LiveEvent, undefined>> {
    const { operation, facts } = this.#request;
    const { signal } = this.#closing;
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<LiveEvent, undefined>>();
    const leave = () => resolve({ value: undefined, done: true });
    signal.addEventListener('abort', leave, { once: true });
    this.#plan
      .complete(event, operation.variables, { ...facts, signal })
      .then((value) => resolve({ value, done: false }), reject)
      .finally(() => signal.removeEventListener('abort', leave));
    return promise;
  }

  /** What the client is told: the subgraph's own refusal, or that it should resume. */
  #interruption(error: unknown): GraphQLError {
    const { facts, logger } = this.#request;
    const code = codeOf(error);
    if (error instanceof GraphQLError && code && code !== INTERNAL_SERVER_ERROR && code !== TOO_SLOW)
      return error;
    logger.warn({ err: error, requestId: facts.requestId }, 'a subscription was interrupted');
    return new GraphQLError('The subscription was interrupted: subscribe again after your last cursor', {
      extensions: {
        code: SUBSCRIPTION_INTERRUPTED,
        details: { reason: code === TOO_SLOW ? TOO_SLOW : 'UPSTREAM_LOST', resume: true },
      },
    });
  }

  async return(): Promise<IteratorResult<LiveEvent, undefined>> {
    this.#closing.abort();
    await this.#upstream.return();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<IteratorResult<LiveEvent, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

const codeOf = (error: unknown): unknown =>
  (error as { extensions?: { code?: unknown } } | null)?.extensions?.code;
