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
  execute(call: SubgraphCall): Promise<FormattedExecutionResult>;
  /** Fails with a `GraphQLError` where the subgraph refuses, with anything else where it was lost. */
  subscribe(call: SubgraphCall): EventQueue<FormattedExecutionResult>;
  /** Hands on a raw HTTP request; rejects with `SubgraphFailure`. */
  fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response>;
}

/** The subgraph gave no answer that could be used. */
export class SubgraphFailure extends Error {
  override readonly name = 'SubgraphFailure';
  readonly code: 'SUBGRAPH_TIMEOUT' | 'SUBGRAPH_UNAVAILABLE';

  constructor(code: 'SUBGRAPH_TIMEOUT' | 'SUBGRAPH_UNAVAILABLE', subgraph: string, cause?: unknown) {
    super(`${subgraph} ${code === 'SUBGRAPH_TIMEOUT' ? 'did not answer in time' : 'could not be asked'}`, {
      cause,
    });
    this.code = code;
  }
}
