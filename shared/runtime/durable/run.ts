/**
 * The rules of sagas and jobs, the same on every engine: what is remembered, what is tried again, what is
 * taken back and what is parked. Refusals are facts about the request and are compensated. Trouble of the
 * infrastructure is tried again for as long as it lasts. The unknown is parked for a person: undoing on a
 * guess harms users more than waiting does.
 */
import { z } from 'zod';
import { Refusal, type RefusalRecord, refusalFromRecord } from '../../kernel/errors.ts';
import { MINUTE, SECOND } from '../../kernel/time.ts';
import type { AnyJob, AnySaga, Saga, StepOptions } from '../durable.ts';
import { isTransient } from '../transient.ts';
import type { Engine } from './engine.ts';

const triesOfTheUnknown = 5;
const failuresBeforeUndoAlert = 10;
const shortestPauseMs = 100;
const longestPauseMs = 30 * SECOND;
const shortestPollMs = 1 * SECOND;

export type Outcome =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'refused'; readonly refusal: RefusalRecord };

/** A step that failed in a way nobody foresaw: the saga stops here until a person has looked. */
export class Parked extends Error {
  readonly step: string;

  constructor(step: string, cause: unknown) {
    super(`parked at "${step}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'Parked';
    this.step = step;
  }
}

/** How a step ended, as it is remembered. */
type Kept = { readonly value?: unknown } | { readonly refused: RefusalRecord };

interface Undo {
  readonly step: string;
  readonly run: () => Promise<unknown>;
  /** False until the step itself is known to have happened. */
  due: boolean;
}

/** Names a saga or job across all of its kind; two sagas may use the same id. */
export const runId = (name: string, id: string): string => `${name}/${id}`;

/** Runs a saga from the top; remembered steps come back at once. Throws `Parked` or the error of the saga's code. */
export async function runSaga(
  definition: AnySaga,
  id: string,
  input: unknown,
  engine: Engine,
): Promise<Outcome> {
  const saga = new RunningSaga(definition.name, id, engine);
  try {
    await definition.run(saga, z.decode(definition.input, input) as never);
  } catch (error) {
    return { outcome: 'refused', refusal: await saga.unwind(error) };
  }
  await saga.allEnded();
  return { outcome: 'done' };
}

/** Runs a job, which is one step. */
export async function runJob(
  definition: AnyJob,
  id: string,
  payload: unknown,
  engine: Engine,
): Promise<Outcome> {
  const saga = new RunningSaga(definition.name, id, engine);
  try {
    await saga.step('run', () => definition.run(z.decode(definition.payload, payload) as never));
    return { outcome: 'done' };
  } catch (error) {
    return { outcome: 'refused', refusal: await saga.unwind(error) };
  }
}

class RunningSaga implements Saga {
  readonly id: string;
  readonly #name: string;
  readonly #engine: Engine;
  readonly #steps = new Set<string>();
  readonly #undos: Undo[] = [];
  readonly #calls: Promise<unknown>[] = [];

  constructor(name: string, id: string, engine: Engine) {
    this.id = id;
    this.#name = name;
    this.#engine = engine;
  }

  step<T>(name: string, run: () => Promise<T>, options: StepOptions = {}): Promise<T> {
    const undo = options.undo && { step: name, run: options.undo, due: false };
    if (undo) this.#undos.push(undo);
    return this.#remembered<T>(name, () => this.#persist(name, run), undo);
  }

  waitFor<T extends object>(name: string, look: () => Promise<T | null>, until: Date): Promise<T | null> {
    return this.#remembered<T | null>(name, async () => {
      using bell = this.#engine.bell();
      for (let pollMs = shortestPollMs; ; pollMs = Math.min(pollMs * 2, this.#engine.longestPollMs)) {
        const seen = await this.#persist(name, look);
        if ('refused' in seen || (seen.value ?? null) !== null) return seen;
        const leftMs = until.getTime() - this.#engine.clock.now().getTime();
        if (leftMs <= 0) return { value: null };
        await bell.wait(Math.min(pollMs, leftMs));
      }
    });
  }

  now(name: string): Promise<Date> {
    return this.#remembered<string>(name, async () => ({
      value: this.#engine.clock.now().toISOString(),
    })).then((text) => new Date(text));
  }

  key(step: string): string {
    return `${runId(this.#name, this.id)}:${step}`;
  }

  /** Takes back what was done if `error` is a refusal, and passes every other error on. */
  async unwind(error: unknown): Promise<RefusalRecord> {
    await this.allEnded();
    if (!(error instanceof Refusal)) throw error;
    for (const undo of this.#undos.toReversed()) {
      if (undo.due) await this.#engine.remember(`undo ${undo.step}`, () => this.#persistUndo(undo));
    }
    this.#engine.logger.info({ ...this.#where(), code: error.code }, 'refused');
    return error.toRecord();
  }

  /** Waits for steps that still run beside the one that ended the saga; one of them parked parks the saga. */
  async allEnded(): Promise<void> {
    for (const call of await Promise.allSettled(this.#calls)) {
      if (call.status === 'rejected' && !(call.reason instanceof Refusal)) throw call.reason;
    }
  }

  #remembered<T>(name: string, work: () => Promise<Kept>, undo?: Undo): Promise<T> {
    if (this.#steps.has(name)) throw new Error(`saga ${this.#name} has two steps named "${name}"`);
    this.#steps.add(name);
    const call = this.#engine.remember(name, work).then((kept) => {
      if ('refused' in kept) throw refusalFromRecord(kept.refused);
      if (undo) undo.due = true;
      return kept.value as T;
    });
    call.catch(() => {});
    this.#calls.push(call);
    return call;
  }

  /** Tries until the effect happened or was refused; throws `Parked` after five failures of unknown kind. */
  async #persist(step: string, effect: () => Promise<unknown>): Promise<Kept> {
    const { clock, logger } = this.#engine;
    const alertAt = clock.now().getTime() + MINUTE;
    let unknown = 0;
    for (let tries = 1; ; tries += 1) {
      let value: unknown;
      try {
        value = await this.#engine.attempt(effect);
      } catch (error) {
        if (error instanceof Refusal) return { refused: error.toRecord() };
        const transient = isTransient(error);
        if (!transient) unknown += 1;
        if (unknown === triesOfTheUnknown) throw new Parked(step, error);
        const late = transient && clock.now().getTime() >= alertAt;
        const entry = { ...this.#where(step), err: error, tries, ...(late && { alert: 'SAGA_DELAYED' }) };
        logger[late ? 'error' : 'warn'](
          entry,
          transient ? 'step waits for the infrastructure' : 'step failed',
        );
        await this.#pauseAfter(tries);
        continue;
      }
      return { value: asJson(step, value) };
    }
  }

  async #persistUndo(undo: Undo): Promise<null> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#engine.attempt(undo.run);
        return null;
      } catch (error) {
        const stuck = tries >= failuresBeforeUndoAlert;
        const entry = {
          ...this.#where(`undo ${undo.step}`),
          err: error,
          tries,
          ...(stuck && { alert: 'SAGA_STUCK' }),
        };
        this.#engine.logger[stuck ? 'error' : 'warn'](entry, 'undo failed');
        await this.#pauseAfter(tries);
      }
    }
  }

  /** Doubles from 0.1 s to 30 s, the latter half at random, so that many sagas do not return as one wave. */
  #pauseAfter(tries: number): Promise<void> {
    const fullMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.min(tries - 1, 20));
    return this.#engine.pause(fullMs / 2 + (fullMs / 2) * this.#engine.random());
  }

  #where(step?: string): object {
    return { saga: this.#name, sagaId: this.id, ...(step !== undefined && { step }) };
  }
}

/** What will come back after a crash comes back the first time too: a saga that needs a Date learns it in its first test. */
function asJson(step: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(value));
  } catch (error) {
    throw new Parked(step, error);
  }
}
