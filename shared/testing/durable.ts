/**
 * The durable port in memory, on a manual clock and a seed. One effect runs at a time, in an order drawn from
 * the seed; a saga may crash at any point of any step and then runs again from the top with what was
 * remembered. Nothing moves but inside `settle` and `passTime`, so every story ends the same way each time.
 */
import { type Logger, pino } from 'pino';
import { z } from 'zod';
import { after, parseDuration } from '../kernel/time.ts';
import type { Transaction } from '../runtime/database.ts';
import type { Bell, Engine, StepEvent } from '../runtime/durable/engine.ts';
import { type Outcome, runId, runJob, runSaga } from '../runtime/durable/run.ts';
import type { AnyJob, AnySaga, Durable, JobName, RunState, SagaName } from '../runtime/durable.ts';
import type { ManualClock } from './clock.ts';

export interface DeterministicOptions {
  readonly clock: ManualClock;
  /** Decides order, jitter and crashes; print it when a test fails. */
  readonly seed?: number;
  /** Which points are crashes: a share of all of them by seed, or a plan. */
  readonly crashes?: number | ((point: StepEvent) => boolean);
  readonly logger?: Logger;
  readonly onStep?: (point: StepEvent) => void;
}

/** A saga or job that was started: all that outlives a crash. */
interface Started {
  readonly name: string;
  readonly id: string;
  readonly runAt: Date;
  readonly run: (engine: Engine) => Promise<Outcome>;
  readonly remembered: { step: string; json: string | undefined }[];
  state: RunState;
  error?: unknown;
  /** Counts the lives of the saga; what an earlier life still waits for never comes. */
  life: number;
}

/** Something that can happen: now where `due` is missing, else when the clock gets there. */
interface Move {
  readonly of: Started;
  readonly life: number;
  readonly due?: number;
  readonly go: () => unknown;
}

type Definition = { readonly name: string };

export class DeterministicDurable implements Durable {
  readonly seed: number;
  readonly #clock: ManualClock;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #crashes: (point: StepEvent) => boolean;
  readonly #onStep: (point: StepEvent) => void;
  readonly #known = new Map<string, (id: string, input: unknown) => (engine: Engine) => Promise<Outcome>>();
  readonly #started = new Map<string, Started>();
  readonly #bells = new Map<string, Set<() => void>>();
  #moves: Move[] = [];
  #working = false;
  #settling: Promise<void> | undefined;
  #crashCount = 0;

  constructor(options: DeterministicOptions) {
    const { crashes = 0 } = options;
    this.seed = options.seed ?? 1;
    this.#clock = options.clock;
    this.#logger = options.logger ?? pino({ level: 'silent' });
    this.#random = randomFrom(this.seed);
    this.#crashes = typeof crashes === 'number' ? () => this.#random() < crashes : crashes;
    this.#onStep = options.onStep ?? (() => {});
  }

  /** How many crashes there were so far. */
  get crashCount(): number {
    return this.#crashCount;
  }

  register(subgraph: string, definitions: { sagas?: readonly AnySaga[]; jobs?: readonly AnyJob[] }): void {
    const learn = (
      { name }: Definition,
      run: (id: string, input: unknown, engine: Engine) => Promise<Outcome>,
    ): void => {
      if (!name.startsWith(`${subgraph}.`)) {
        throw new Error(`"${name}" is registered by ${subgraph}, so it must be named ${subgraph}.…`);
      }
      if (this.#known.has(name)) throw new Error(`"${name}" is registered twice`);
      this.#known.set(name, (id, input) => (engine) => run(id, input, engine));
    };
    for (const saga of definitions.sagas ?? []) {
      learn(saga, (id, input, engine) => runSaga(saga, id, input, engine));
    }
    for (const job of definitions.jobs ?? []) {
      learn(job, (id, payload, engine) => runJob(job, id, payload, engine));
    }
  }

  async startSaga<Input>(tx: Transaction, saga: SagaName<Input>, id: string, input: Input): Promise<void> {
    this.#add(tx, saga, id, z.encode(saga.input, input), this.#clock.now());
  }

  async schedule<Payload>(
    tx: Transaction,
    job: JobName<Payload>,
    at: { id: string; runAt: Date },
    payload: Payload,
  ): Promise<void> {
    this.#add(tx, job, at.id, z.encode(job.payload, payload), at.runAt);
  }

  wake(sagaId: string): void {
    for (const ring of this.#bells.get(sagaId) ?? []) ring();
  }

  async stateOf(definition: Definition, id: string): Promise<RunState | null> {
    return this.#started.get(runId(definition.name, id))?.state ?? null;
  }

  /** What a parked saga or job stopped at. */
  errorOf(definition: Definition, id: string): unknown {
    return this.#started.get(runId(definition.name, id))?.error;
  }

  async resume(definition: Definition, id: string): Promise<boolean> {
    const started = this.#started.get(runId(definition.name, id));
    if (started?.state !== 'parked') return false;
    this.#begin(started);
    return true;
  }

  async start(): Promise<void> {
    this.#working = true;
  }

  /** Every saga and job there is, by name and id. */
  all(): { name: string; id: string; state: RunState; runAt: Date }[] {
    return [...this.#started.values()].map(({ name, id, state, runAt }) => ({ name, id, state, runAt }));
  }

  /** The process dies: every saga begins its next life when things move again. */
  crash(): void {
    for (const started of this.#started.values()) {
      if (started.state === 'running') this.#crash(started);
    }
  }

  /** When something happens next without being woken; `null` if nothing ever does. */
  nextDueAt(): Date | null {
    const dues = this.#moves.filter(isAlive).map((move) => move.due ?? this.#clock.now().getTime());
    return dues.length > 0 ? new Date(Math.min(...dues)) : null;
  }

  /** Runs until nothing can move at the present time. */
  settle(): Promise<void> {
    if (!this.#working) throw new Error('the durable engine has not been started');
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** Moves the clock by a duration such as `2d`, stopping at everything that is due on the way. */
  async passTime(duration: number | string): Promise<void> {
    const milliseconds = typeof duration === 'number' ? duration : parseDuration(duration);
    const end = after(this.#clock.now(), milliseconds);
    for (;;) {
      await this.settle();
      const next = this.nextDueAt();
      if (!next || next > end) break;
      await this.#clock.set(next);
    }
    await this.#clock.set(end);
    await this.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#working = false;
    await this.#settling;
    this.#moves = [];
  }

  #add(tx: Transaction, { name }: Definition, id: string, input: unknown, runAt: Date): void {
    const json = JSON.stringify(input ?? null);
    tx.afterCommit(() => {
      const run = this.#known.get(name);
      if (!run) throw new Error(`"${name}" was never registered`);
      if (this.#started.has(runId(name, id))) return;
      const started: Started = {
        name,
        id,
        runAt,
        run: run(id, JSON.parse(json)),
        remembered: [],
        state: 'scheduled',
        life: 0,
      };
      this.#started.set(runId(name, id), started);
      this.#begin(started);
    });
  }

  /** Lets the saga run from the top in a new life, at its time. */
  #begin(of: Started): void {
    of.life += 1;
    const { life } = of;
    const isPast = of.runAt <= this.#clock.now();
    this.#moves.push({
      of,
      life,
      due: isPast ? undefined : of.runAt.getTime(),
      go: () => this.#live(of, life),
    });
  }

  #live(of: Started, life: number): void {
    of.state = 'running';
    of.run(this.#engine(of, life)).then(
      ({ outcome }) => {
        of.state = outcome;
      },
      (error) => {
        of.state = 'parked';
        of.error = error;
        this.#logger.error({ saga: of.name, sagaId: of.id, err: error }, 'saga parked');
      },
    );
  }

  #crash(of: Started): void {
    this.#crashCount += 1;
    this.#begin(of);
  }

  async #settle(): Promise<void> {
    for (;;) {
      // Between two effects a saga awaits nothing of the outside world: after one turn of the loop all are at rest.
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.#working) return;
      const move = this.#takeMove();
      if (!move) break;
      await move.go();
    }
    for (const of of this.#started.values()) {
      if (of.state === 'running' && !this.#moves.some((move) => move.of === of && isAlive(move))) {
        throw new Error(`${of.name} ${of.id} awaits something outside its steps (seed ${this.seed})`);
      }
    }
  }

  /** One of those possible now, by seed; where there is none, the first of those whose time has come. */
  #takeMove(): Move | undefined {
    this.#moves = this.#moves.filter(isAlive);
    const possible = this.#moves.filter((move) => move.due === undefined);
    const now = this.#clock.now().getTime();
    const chosen =
      possible[Math.floor(this.#random() * possible.length)] ??
      this.#moves.filter((move) => move.due! <= now).sort((a, b) => a.due! - b.due!)[0];
    this.#moves = this.#moves.filter((move) => move !== chosen);
    return chosen;
  }

  #engine(of: Started, life: number): Engine {
    let position = 0;
    const reach = (step: string, phase: StepEvent['phase']): Promise<void> => {
      const point = { saga: of.name, sagaId: of.id, step, phase };
      if (of.life === life) {
        this.#onStep(point);
        if (!this.#crashes(point)) return Promise.resolve();
        this.#crash(of);
      }
      return new Promise(() => {});
    };
    return {
      clock: this.#clock,
      logger: this.#logger,
      longestPollMs: Number.POSITIVE_INFINITY,
      random: this.#random,
      remember: async <T>(step: string, work: () => Promise<T>): Promise<T> => {
        const at = position;
        position += 1;
        const known = of.remembered[at];
        if (known && known.step !== step) {
          throw new Error(`${of.name} is not deterministic: "${known.step}" became "${step}"`);
        }
        if (!known) {
          await reach(step, 'before');
          const result = await work();
          await reach(step, 'effect done');
          of.remembered[at] = { step, json: JSON.stringify(result) };
          await reach(step, 'remembered');
        }
        const json = of.remembered[at]?.json;
        return (json === undefined ? undefined : JSON.parse(json)) as T;
      },
      attempt: (effect) =>
        new Promise((resolve, reject) => {
          this.#moves.push({ of, life, go: () => effect().then(resolve, reject) });
        }),
      pause: (milliseconds) => this.#timer(of, life, milliseconds),
      bell: () => this.#bell(of, life),
    };
  }

  #timer(of: Started, life: number, milliseconds: number): Promise<void> {
    const due = this.#clock.now().getTime() + Math.ceil(milliseconds);
    return new Promise((resolve) => this.#moves.push({ of, life, due, go: resolve }));
  }

  #bell(of: Started, life: number): Bell {
    let rung = false;
    let ring = (): void => {};
    const onRing = (): void => {
      rung = true;
      ring();
    };
    const bells = this.#bells.get(of.id) ?? new Set();
    this.#bells.set(of.id, bells.add(onRing));
    return {
      wait: (milliseconds) =>
        new Promise((resolve) => {
          const due = this.#clock.now().getTime() + Math.ceil(milliseconds);
          const wakeUp = (): void => {
            rung = false;
            resolve();
          };
          const timer: Move = { of, life, due, go: wakeUp };
          this.#moves.push(timer);
          ring = () => {
            ring = () => {};
            this.#moves = this.#moves.filter((move) => move !== timer);
            this.#moves.push({ of, life, go: wakeUp });
          };
          if (rung) ring();
        }),
      [Symbol.dispose]: () => bells.delete(onRing),
    };
  }
}

const isAlive = (move: Move): boolean => move.life === move.of.life;

/** Mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
