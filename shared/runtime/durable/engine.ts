/** What a saga needs from whatever remembers for it; the rules of sagas themselves are in run.ts. */
import type { Logger } from 'pino';
import type { Clock } from '../../kernel/time.ts';

/** A point of a saga's life at which its process may die. Undo steps are named `undo <step>`. */
export interface StepEvent {
  readonly saga: string;
  readonly sagaId: string;
  readonly step: string;
  readonly phase: 'before' | 'effect done' | 'remembered';
}

/** Rings when somebody wakes the saga. A ring while nobody waits is kept until the next wait. */
export interface Bell extends Disposable {
  /** Resolves at the next ring, and after `milliseconds` anyway. */
  wait(milliseconds: number): Promise<void>;
}

/** The engine under one run of one saga or job. */
export interface Engine {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest time between two looks of a waiting saga that nobody wakes. */
  readonly longestPollMs: number;
  /**
   * Runs `work` and remembers its JSON result; in later runs the remembered result comes back instead.
   * Results belong to the order of the calls, so a saga must call in the same order in every run.
   */
  remember<T>(step: string, work: () => Promise<T>): Promise<T>;
  /** One try of an effect on the world. */
  attempt<T>(effect: () => Promise<T>): Promise<T>;
  pause(milliseconds: number): Promise<void>;
  bell(): Bell;
  /** At least 0, less than 1; spreads retries. */
  random(): number;
}
