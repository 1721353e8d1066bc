/** What was run on this page: the last answer and its cost, the cost within a minute, and live events. */

export interface Run {
  readonly status: number;
  readonly milliseconds: number;
  readonly bytes: number;
  /** `null` where the operation was refused before it was reckoned. */
  readonly cost: number | null;
  readonly failed: boolean;
}

export interface LiveEvent {
  readonly number: number;
  readonly at: Date;
  readonly cursor: string | null;
  readonly text: string;
}

export interface Live {
  readonly state: 'connecting' | 'live' | 'reconnecting' | 'ended';
  /** Why it ended. */
  readonly reason: string | null;
  readonly received: number;
  readonly resumed: number;
  /** Latest first. */
  readonly events: readonly LiveEvent[];
}

export interface RunLog {
  readonly last: Run | null;
  readonly live: Live | null;
  /** Cost of this page's requests within the last minute. */
  readonly spent: number;
}

const MINUTE = 60_000;
const EVENTS = 100;

export class Runs {
  #log: RunLog = { last: null, live: null, spent: 0 };
  #costs: { at: number; cost: number }[] = [];
  readonly #listeners = new Set<() => void>();

  readonly log = (): RunLog => this.#log;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  ran(run: Run): void {
    if (run.cost !== null) {
      this.#costs.push({ at: Date.now(), cost: run.cost });
      setTimeout(() => this.#change({ spent: this.#spent() }), MINUTE + 100);
    }
    this.#change({ last: run, live: null, spent: this.#spent() });
  }

  began(): void {
    this.#change({
      last: null,
      live: { state: 'connecting', reason: null, received: 0, resumed: 0, events: [] },
    });
  }

  is(state: Live['state'], reason: string | null = null): void {
    const { live } = this.#log;
    if (!live || live.state === 'ended') return;
    const resumed = live.resumed + (state === 'live' && live.state === 'reconnecting' ? 1 : 0);
    this.#change({ live: { ...live, state, reason, resumed } });
  }

  received(data: unknown, cursor: string | null): void {
    const { live } = this.#log;
    if (!live) return;
    const number = live.received + 1;
    const event = { number, at: new Date(), cursor, text: JSON.stringify(data) };
    this.#change({ live: { ...live, received: number, events: [event, ...live.events].slice(0, EVENTS) } });
  }

  #spent(): number {
    const since = Date.now() - MINUTE;
    this.#costs = this.#costs.filter(({ at }) => at > since);
    return this.#costs.reduce((sum, { cost }) => sum + cost, 0);
  }

  #change(part: Partial<RunLog>): void {
    this.#log = { ...this.#log, ...part };
    for (const listener of this.#listeners) listener();
  }
}
