/**
 * The port of everything that must outlive a process: sagas, jobs and timers.
 * Two adapters keep the same promises (one conformance suite): DBOS on PostgreSQL for production, and a
 * deterministic one in memory on the injected clock that may crash between any two steps, for tests.
 */
import type { z } from 'zod';
import type { Transaction } from './database.ts';

export interface StepOptions {
  /**
   * Takes the step back. Undo steps run in reverse order when the saga is refused later on; they must be
   * idempotent and are retried without limit.
   */
  readonly undo?: () => Promise<unknown>;
}

/** What a saga sees. Everything outside `step` must be deterministic: it runs again after a crash. */
export interface Saga {
  readonly id: string;
  /**
   * Runs once and remembers the result, which becomes plain JSON at once. At least once for effects outside
   * the database: pass `saga.key(name)` on as idempotency key. A refusal that leaves `run` ends the saga after
   * all undos; transient errors are retried with back-off and without limit; anything else is retried five
   * times, then the saga is parked and nothing is undone. Names are unique within a saga. Steps may run side
   * by side as one flat `Promise.all`, with no further step inside a branch.
   */
  step<T>(name: string, run: () => Promise<T>, options?: StepOptions): Promise<T>;
  /**
   * Waits until `look` finds something, looking again whenever the saga is woken and now and then anyway.
   * `null` once `until` has passed without a find.
   */
  waitFor<T extends object>(name: string, look: () => Promise<T | null>, until: Date): Promise<T | null>;
  /** The clock's time as of the first time the saga came here. */
  now(name: string): Promise<Date>;
  /** Idempotency key of a step: the same on every try, another for every saga. */
  key(step: string): string;
}

export interface SagaDefinition<Input = unknown> {
  /** `<subgraph>.<saga>`; never reused for another meaning. */
  readonly name: string;
  readonly input: z.ZodType<Input>;
  run(saga: Saga, input: Input): Promise<void>;
}

export interface JobDefinition<Payload = unknown> {
  /** `<subgraph>.<job>`. */
  readonly name: string;
  readonly payload: z.ZodType<Payload>;
  /** Idempotent; retried like a saga's step. A refusal ends the job. */
  run(payload: Payload): Promise<void>;
}

/** Any saga, whatever its input. */
export interface AnySaga {
  readonly name: string;
  readonly input: z.ZodType;
  run(saga: Saga, input: never): Promise<void>;
}

/** What starting needs to know; a service names what it starts and is not tied to what runs it. */
export type SagaName<Input> = Pick<SagaDefinition<Input>, 'name' | 'input'>;
export type JobName<Payload> = Pick<JobDefinition<Payload>, 'name' | 'payload'>;

/** Any job, whatever its payload. */
export interface AnyJob {
  readonly name: string;
  readonly payload: z.ZodType;
  run(payload: never): Promise<void>;
}

/** `parked`: stopped at something unforeseen, until a person has looked and calls `resume`. */
export type RunState = 'scheduled' | 'running' | 'done' | 'refused' | 'parked';

export interface Durable {
  /** Makes sagas and jobs known; all must be registered before `start`. */
  register(subgraph: string, definitions: { sagas?: readonly AnySaga[]; jobs?: readonly AnyJob[] }): void;
  /**
   * Starts with the caller's commit. The same id a second time is the same saga: nothing happens. Ids belong
   * to a definition: the booking's id may name its saga, its refund's saga and its reminder job.
   */
  startSaga<Input>(tx: Transaction, saga: SagaName<Input>, id: string, input: Input): Promise<void>;
  /**
   * Hints, after the commit, that something the sagas of this id wait for may have changed. Reaches them in
   * any process of the same database; losing the hint only delays.
   */
  wake(sagaId: string): void;
  /** Runs a job at a time (at once where it is past), scheduled with the caller's commit, once per id. */
  schedule<Payload>(
    tx: Transaction,
    job: JobName<Payload>,
    at: { id: string; runAt: Date },
    payload: Payload,
  ): Promise<void>;
  /** How a saga or job stands; null where none of this id was started. */
  stateOf(definition: { readonly name: string }, id: string): Promise<RunState | null>;
  /** Lets a parked saga or job go on at the step where it stopped; false if it was not parked. */
  resume(definition: { readonly name: string }, id: string): Promise<boolean>;
  /** Begins to work: recovers what a former process left behind. */
  start(): Promise<void>;
  /** Lets effects under way end, leaves the rest to the next process. */
  [Symbol.asyncDispose](): Promise<void>;
}

export const defineSaga = <Input>(definition: SagaDefinition<Input>): SagaDefinition<Input> => definition;
export const defineJob = <Payload>(definition: JobDefinition<Payload>): JobDefinition<Payload> => definition;
