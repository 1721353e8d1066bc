import { after, type Clock, parseDuration } from '../kernel/time.ts';

type Listener = (now: Date) => void | Promise<void>;

/** A clock that a test moves by hand. It stands still otherwise. */
export class ManualClock implements Clock {
  #now: Date;
  readonly #listeners = new Set<Listener>();

  constructor(now: Date | string = '2026-03-02T09:00:00Z') {
    this.#now = instant(now);
  }

  now(): Date {
    return new Date(this.#now);
  }

  /** Moves to an instant, forwards or back, and resolves when every listener has dealt with it. */
  async set(now: Date | string): Promise<void> {
    this.#now = instant(now);
    for (const listener of this.#listeners) await listener(this.now());
  }

  /** Moves forwards by milliseconds or a duration such as `2d`, and resolves when every listener has dealt with it. */
  async advance(duration: number | string): Promise<void> {
    const milliseconds = typeof duration === 'number' ? duration : parseDuration(duration);
    if (!(milliseconds >= 0))
      throw new RangeError(`a clock advances by ${milliseconds} ms only through set()`);
    await this.set(after(this.#now, milliseconds));
  }

  /** Calls `listener` after each move; disposing what it returns ends that. */
  onAdvance(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}

function instant(value: Date | string): Date {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) throw new RangeError(`"${value}" is no instant`);
  return date;
}
