/**
 * The seam between telemetry and those who are watched: what the executor tells of a run, and what a transport tells
 * of a request. Nobody outside this folder knows more of telemetry than this; where nobody watches, it is absent.
 */
import type { GraphQLFormattedError, OperationDefinitionNode } from 'graphql';

/** Watches one run of a plan. */
export interface RunObserver {
  /** A plan is at hand: known before, or made now. */
  planned(known: boolean): void;
  fetchStarted(fetch: StartedFetch): FetchObserver;
  /** All fetches are over; what is left is to shape the answer. */
  gathered(): void;
}

/** A fetch of a plan as it goes out. */
export interface StartedFetch {
  readonly subgraph: string;
  /** Distinct entities that are asked for; 0 where fields of the root are. */
  readonly entities: number;
  /** Objects of the answer that wait for those. */
  readonly places: number;
}

export interface FetchObserver {
  /** For the request to the subgraph, so that it belongs to the same trace. */
  readonly traceparent: string | undefined;
  /** `failure`: code of what kept the subgraph from answering. `errors`: how many its answer told of. */
  ended(failure: string | undefined, errors: number): void;
}

/** Ways by which clients come, and the events that go out by them. */
export type Transport = 'http' | 'websocket' | 'event-stream' | 'event';

/** Something with an error code, as far as anybody knows. */
export type Fault = Partial<Pick<GraphQLFormattedError, 'extensions'>>;

/** Watches one request, from the first byte of its answer's making to the last. */
export interface RequestObserver extends RunObserver {
  transport: Transport;
  /** The stage that ends now began where the one before ended. */
  stage(name: Stage): void;
  /** It was found valid, and policy lets it run. */
  admitted(operation: OperationDefinitionNode): void;
  /** What the client is told went wrong; may be called more than once. */
  failed(errors: readonly unknown[]): void;
  /** `status` of HTTP, where there is one. Once. */
  end(status?: number): void;
}

/** `validate` is what the language and policy say of the operation; `answer`, from the result to its last byte. */
export type Stage = 'identify' | 'validate' | 'plan' | 'fetch' | 'shape' | 'answer';
