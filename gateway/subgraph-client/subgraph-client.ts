/** How the gateway reaches one subgraph, wherever that runs. */
import type { Readable } from 'node:stream';
import type { FormattedExecutionResult } from 'graphql';
import type { EventQueue } from '#shared/runtime/server/event-queue.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import type { SubgraphCall } from '#shared/runtime/server/subgraph-executor.ts';

export interface RouteRequest {
  readonly method: string;
  /** Path and query relative to the subgraph, as they came: `/hooks/x?y=1`. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Readable | null;
}

/** One fetch of a plan, prepared once and sent many times. */
export interface PlannedFetch {
  /** Unique in this process. */
  readonly id: number;
  readonly query: string;
  readonly operationName: string | undefined;
  readonly mutation: boolean;
  /** The request's JSON up to the value of `variables`. */
  readonly bodyHead: string;
}

export interface SubgraphRequest {
  readonly facts: RequestFacts;
  readonly operation: PlannedFetch;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The same as JSON. */
  readonly variablesText: string;
  /** `performance.now()` after which nobody waits for the answer any more. */
  readonly deadline: number;
  /** Of the trace that the request belongs to. */
  readonly traceparent?: string | undefined;
}

export interface SubgraphLimits {
  /** Milliseconds, as the next two. */
  readonly query: number;
  readonly mutation: number;
  readonly route: number;
  /** Events that a subscription may lie behind before it is cut off. */
  readonly eventsBehind: number;
}

export interface SubgraphClient extends AsyncDisposable {
  readonly name: string;
  /** Answers within the timeout or rejects with `SubgraphFailure`; what the subgraph says itself is its answer. */
  execute(request: SubgraphRequest): Promise<FormattedExecutionResult>;
  /** Fails with a `GraphQLError` where the subgraph refuses, with anything else where it was lost. */
  subscribe(call: SubgraphCall): EventQueue<FormattedExecutionResult>;
  /** Hands on a raw HTTP request; rejects with `SubgraphFailure`. */
  fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response>;
}

const failures = {
  SUBGRAPH_TIMEOUT: 'did not answer in time',
  SUBGRAPH_UNAVAILABLE: 'could not be asked',
  SUBGRAPH_RESPONSE_INVALID: 'answered with something that is no GraphQL result',
} as const;
export type FailureCode = keyof typeof failures;

/** The subgraph gave no answer that could be used. */
export class SubgraphFailure extends Error {
  override readonly name = 'SubgraphFailure';
  readonly code: FailureCode;
  /** True where nobody waited any more: then the subgraph is not to blame. */
  abandoned = false;

  constructor(code: FailureCode, subgraph: string, cause?: unknown) {
    super(`${subgraph} ${failures[code]}`, { cause });
    this.code = code;
  }
}
