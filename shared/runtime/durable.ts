/**
 * The port of everything that must outlive a process: sagas, jobs and timers.
 * Two adapters keep the same promises (one conformance suite): DBOS on PostgreSQL for production, and a
 * deterministic one in memory on the injected clock that may crash between any two steps, for tests.
 */
import type { z } from 'zod';
import type { Database, Transaction } from './database.ts';

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
   * Runs once and remembers the result (JSON). At least once for effects outside the database: pass
   * `saga.key(name)` on as idempotency key. Refusals end the saga after all undos; transient errors are
   * retried with back-off and without limit; anything else is retried five times, then the saga is parked.
   */
  step<T>(name: string, run: () => Promise<T>, options?: StepOptions): Promise<T>;
  /**
   * Waits until `look` finds something, looking again whenever the saga is woken and now and then anyway.
   * `null` once `until` has passed without a find.
   */
  waitFor<T extends object>(name: string, look: () => Promise<T | null>, until: Date): Promise<T | null>;
  /** The clock's time as of the first time the saga came here. */
  now(name: string): Promise<Date>;
  /** Idempotency key of a step: the same on every try. */
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
  /** Idempotent; retried like a saga's step. */
  run(payload: Payload): Promise<void>;
}

export interface Durable {
  /** Makes a saga or job known; all must be registered before `start`. `database` is where its tx come from. */
  register(
    subgraph: string,
    definitions: { sagas?: readonly SagaDefinition<never>[]; jobs?: readonly JobDefinition<never>[] },
  ): void;
  /** Starts with the caller's commit. The same id a second time is the same saga: nothing happens. */
  startSaga<Input>(tx: Transaction, saga: SagaDefinition<Input>, id: string, input: Input): Promise<void>;
  /** Hints that something a saga waits for may have changed; losing the hint only delays. */
  wake(sagaId: string): void;
  /** Runs a job at a time (at once where it is past), scheduled with the caller's commit, once per id. */
  schedule<Payload>(
    tx: Transaction,
    job: JobDefinition<Payload>,
    at: { id: string; runAt: Date },
    payload: Payload,
  ): Promise<void>;
  /** Begins to work: recovers what a former process left behind. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const defineSaga = <Input>(definition: SagaDefinition<Input>): SagaDefinition<Input> => definition;
export const defineJob = <Payload>(definition: JobDefinition<Payload>): JobDefinition<Payload> => definition;

export type { Database };
