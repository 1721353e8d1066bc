/**
 * One request as it is watched: how long its stages took, which fetches it made, how it ended. It knows no value of
 * a variable, no text of a document or an error, and nothing of the viewer.
 */
import type { OperationDefinitionNode } from 'graphql';
import { OTHER } from './bounded-names.ts';
import type { Instruments } from './instruments.ts';
import type { Fault, FetchObserver, RequestObserver, Stage, StartedFetch, Transport } from './observer.ts';
import type { RequestSpans } from './spans.ts';

export interface FetchTiming extends StartedFetch {
  /** Milliseconds after the request began. */
  readonly at: number;
  took: number | undefined;
  /** `ok`, `errors`, or the code of the failure. */
  outcome: string;
  errors: number;
}

/** What a request leaves behind. All times are milliseconds. */
export interface TraceRecord {
  readonly requestId: string;
  readonly traceId: string | undefined;
  readonly transport: Transport;
  readonly type: string | undefined;
  /** `other` where it was never found valid. */
  readonly operation: string | undefined;
  /** Where an event came from. */
  readonly subgraph: string | undefined;
  readonly outcome: string;
  readonly status: number | undefined;
  readonly took: number;
  readonly plan: 'known' | 'new' | undefined;
  readonly stages: Readonly<Partial<Record<Stage, number>>>;
  readonly fetches: readonly FetchTiming[];
}

/** What traces share of the gateway. */
export interface TraceHost {
  /** An operation's name as it may be told. */
  nameOf(operation: OperationDefinitionNode): string;
  /** An error's code as it may be told. */
  codeOf(code: unknown): string;
  readonly instruments: Instruments | undefined;
  ended(record: TraceRecord): void;
}

export interface TraceOrigin {
  readonly transport: Transport;
  readonly requestId: string;
  /** Where the request says to which trace it belongs. */
  readonly traceId?: string | undefined;
  readonly traceparent?: string | undefined;
  /** The subgraph that an event came from. */
  readonly subgraph?: string;
}

/** Begins the spans of a trace, at an instant of `performance.now()`. */
export type SpansFrom = (origin: TraceOrigin, began: number) => RequestSpans;

export class RequestTrace implements RequestObserver {
  transport: Transport;
  readonly #host: TraceHost;
  readonly #origin: TraceOrigin;
  readonly #spans: RequestSpans | undefined;
  readonly #began = performance.now();
  #stageBegan = this.#began;
  readonly #stages: Partial<Record<Stage, number>> = {};
  readonly #fetches: FetchTiming[] = [];
  #operation: OperationDefinitionNode | undefined;
  #outcome: string | undefined;
  #plan: 'known' | 'new' | undefined;

  constructor(host: TraceHost, origin: TraceOrigin, spansFrom: SpansFrom | undefined) {
    this.#host = host;
    this.#origin = origin;
    this.#spans = spansFrom?.(origin, this.#began);
    this.transport = origin.transport;
  }

  stage(name: Stage): void {
    const now = performance.now();
    this.#stages[name] = (this.#stages[name] ?? 0) + now - this.#stageBegan;
    this.#stageBegan = now;
  }

  admitted(operation: OperationDefinitionNode): void {
    this.stage('validate');
    this.#operation = operation;
  }

  planned(known: boolean): void {
    const began = this.#stageBegan;
    this.stage('plan');
    this.#plan = known ? 'known' : 'new';
    this.#host.instruments?.planned(known, this.#stageBegan - began);
    this.#spans?.planned(known, began, this.#stageBegan);
  }

  gathered(): void {
    this.stage('fetch');
  }

  fetchStarted({ subgraph, entities, places }: StartedFetch): FetchObserver {
    const began = performance.now();
    const at = began - this.#began;
    const timing: FetchTiming = { subgraph, entities, places, at, took: undefined, outcome: '', errors: 0 };
    this.#fetches.push(timing);
    const span = this.#spans?.fetch(timing, began);
    return {
      traceparent: span ? span.traceparent : this.#origin.traceparent,
      ended: (failure, errors) => {
        const now = performance.now();
        timing.took = now - began;
        timing.outcome = failure ?? (errors > 0 ? 'errors' : 'ok');
        timing.errors = errors;
        this.#host.instruments?.fetchEnded(timing);
        span?.end(timing, now);
      },
    };
  }

  failed(errors: readonly unknown[]): void {
    const [first] = errors as readonly (Fault | null | undefined)[];
    if (errors.length > 0) this.#outcome ??= this.#host.codeOf(first?.extensions?.code);
  }

  get #operationName(): string {
    return this.#operation ? this.#host.nameOf(this.#operation) : OTHER;
  }

  end(status?: number): void {
    this.stage('answer');
    const { requestId, traceId, subgraph } = this.#origin;
    const refused = status !== undefined && status >= 400 ? `status ${status}` : 'ok';
    const record: TraceRecord = {
      requestId,
      traceId: this.#spans?.traceId ?? traceId,
      transport: this.transport,
      type: this.#operation?.operation,
      operation: subgraph === undefined ? this.#operationName : undefined,
      subgraph,
      outcome: this.#outcome ?? refused,
      status,
      took: this.#stageBegan - this.#began,
      plan: this.#plan,
      stages: this.#stages,
      fetches: this.#fetches,
    };
    this.#host.instruments?.ended(record);
    this.#spans?.end(record, this.#stageBegan);
    this.#host.ended(record);
  }
}
