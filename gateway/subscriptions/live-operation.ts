/**
 * A subscription as the hub sees it: what to ask upstream, how to complete one event, and how to resume. It is
 * compiled once per normalised document by `executor/`; the hub never looks at a document itself.
 */
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import type { RunObserver } from '../telemetry/observer.ts';

/** One event as it goes to clients: the response, shaped and complete. */
export interface LiveEvent {
  readonly data: Record<string, unknown> | null;
  readonly errors?: readonly GraphQLFormattedError[];
}

export interface LiveOperation {
  /** Equal for documents that mean the same on one version of the supergraph; differs otherwise. */
  readonly key: string;
  /** The root field's response name, for logs and metrics. */
  readonly field: string;
  /**
   * True where the field takes an `after` cursor and its events carry a `cursor`: it can be resumed. The cursor
   * that the client gave, literally or by a variable, is taken out of what is compiled.
   */
  readonly resumable: boolean;
  /** `@tag(name: "last-value-wins")`: of several events that wait for a slow client the last is enough. */
  readonly lastValueWins: boolean;
  /** Where events come from. Stays equal over a reload that does not change it. */
  readonly upstream: { readonly subgraph: string; readonly query: string; readonly operationName?: string };
  /** The cursor that the client asks to resume from, if any. */
  afterOf(variables: Readonly<Record<string, unknown>>): string | undefined;
  /** Variables of the upstream operation, beginning after `after`. */
  upstreamVariables(
    variables: Readonly<Record<string, unknown>>,
    after: string | undefined,
  ): Record<string, unknown>;
  /** The variables that matter, canonically: with `key` and the viewer's scope what clients can share. */
  variablesKey(variables: Readonly<Record<string, unknown>>): string;
  /** The cursor of an upstream event, whether or not the client selected it. */
  cursorOf(event: FormattedExecutionResult): string | undefined;
  /** Runs the rest of the plan for one event and shapes the answer; never rejects. */
  complete(
    event: FormattedExecutionResult,
    variables: Readonly<Record<string, unknown>>,
    facts: RequestFacts,
    observer?: RunObserver,
  ): Promise<LiveEvent>;
}
