/**
 * One client's subscription: events come from the subgraph that owns the root field, and each is completed by
 * the others as the plan says, in order and one at a time.
 *
 * It ends at once when the client is gone, and closes its upstream with it. When the upstream is lost, or
 * the client falls too far behind, it fails with `SUBSCRIPTION_INTERRUPTED`: the client resumes by its cursor.
 */
import { operationFromDocument } from '@apollo/federation-internals';
import type { FetchNode, PlanNode, SubscriptionNode } from '@apollo/query-planner';
import {
  type DocumentNode,
  type FormattedExecutionResult,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
} from 'graphql';
import type { Logger } from 'pino';
import { Lru } from '#shared/runtime/lru.ts';
import { type EventQueue, TOO_SLOW } from '#shared/runtime/server/event-queue.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { SUBSCRIPTION_INTERRUPTED } from '../errors.ts';
import { type ExecutionResult, executeEvent } from '../executor/stock-executor.ts';
import type { Operation } from '../pipeline/operation.ts';
import type { Graph } from '../supergraph.ts';

interface SubscriptionPlan {
  readonly primary: FetchNode;
  readonly rest: PlanNode | undefined;
}

const PLANS = 500;
const plansOf = new WeakMap<Graph, Lru<string, SubscriptionPlan>>();

export interface SubscriptionRequest {
  readonly graph: Graph;
  readonly operation: Operation;
  readonly source: string;
  readonly facts: Omit<RequestFacts, 'signal'>;
  readonly logger: Logger;
}

/** Plans and opens the subscription. Throws a coded `GraphQLError` where it cannot be planned. */
export function subscribePlanned(request: SubscriptionRequest): PlannedSubscription {
  return new PlannedSubscription(request, plan(request));
}

function plan({ graph, operation: { document, operation }, source }: SubscriptionRequest): SubscriptionPlan {
  const plans = plansOf.get(graph) ?? new Lru<string, SubscriptionPlan>(PLANS);
  plansOf.set(graph, plans);
  const operationName = operation.name?.value;
  return plans.getOrMake(JSON.stringify([source, operationName]), () => {
    const model = operationFromDocument(graph.apiSchema, document, operationName ? { operationName } : {});
    const node = graph.planner.buildQueryPlan(model).node as SubscriptionNode | undefined;
    if (node?.kind !== 'Subscription') {
      throw new GraphQLError('This subscription cannot be served', {
        extensions: { code: 'SUBSCRIPTION_NOT_PLANNED' },
      });
    }
    return { primary: node.primary, rest: node.rest };
  });
}

function fragmentsOf(document: DocumentNode): Record<string, FragmentDefinitionNode> {
  const fragments = document.definitions.filter((each) => each.kind === Kind.FRAGMENT_DEFINITION);
  return Object.fromEntries(fragments.map((each) => [each.name.value, each]));
}

export class PlannedSubscription implements AsyncGenerator<ExecutionResult, undefined, unknown> {
  readonly #request: SubscriptionRequest;
  readonly #plan: SubscriptionPlan;
  readonly #upstream: EventQueue<FormattedExecutionResult>;
  readonly #closing = new AbortController();

  constructor(request: SubscriptionRequest, planned: SubscriptionPlan) {
    this.#request = request;
    this.#plan = planned;
    const { graph, operation, facts } = request;
    const { primary } = planned;
    const client = graph.clients.get(primary.serviceName);
    if (!client) throw new Error(`The plan names an unknown subgraph ${primary.serviceName}`);
    const used = (primary.variableUsages ?? []).filter((name) => Object.hasOwn(operation.variables, name));
    this.#upstream = client.subscribe({
      query: primary.operation,
      operationName: primary.operationName,
      variables: Object.fromEntries(used.map((name) => [name, operation.variables[name]])),
      ...facts,
      signal: this.#closing.signal,
    });
  }

  /** What it was opened with, for the protocol server. */
  get source(): { readonly document: DocumentNode; readonly schema: GraphQLSchema } {
    const { graph, operation } = this.#request;
    return { document: operation.document, schema: graph.schema };
  }

  async next(): Promise<IteratorResult<ExecutionResult, undefined>> {
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
  #completed(event: FormattedExecutionResult): Promise<IteratorResult<ExecutionResult, undefined>> {
    const { graph, operation, facts, logger } = this.#request;
    const { signal } = this.#closing;
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<ExecutionResult, undefined>>();
    const leave = () => resolve({ value: undefined, done: true });
    signal.addEventListener('abort', leave, { once: true });
    executeEvent({
      graph,
      operation: operation.operation,
      fragments: fragmentsOf(operation.document),
      variables: operation.variables,
      ...this.#plan,
      event,
      facts: { ...facts, signal },
      logger,
    })
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

  async return(): Promise<IteratorResult<ExecutionResult, undefined>> {
    this.#closing.abort();
    await this.#upstream.return();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, undefined>> {
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
