/**
 * A source of events: a log that any number of watchers read, each at its own pace. A watcher stops at once when
 * it is told to, so that counting the open ones tells what a gateway still holds upstream.
 */
export class Channel<Event> {
  readonly log: Event[] = [];
  readonly #watchers = new Set<Watcher<Event>>();
  /** Watchers that were ever opened. */
  opened = 0;

  get watching(): number {
    return this.#watchers.size;
  }

  emit(...events: Event[]): void {
    this.log.push(...events);
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** The source ends by itself, after everything that was emitted. */
  end(): void {
    for (const watcher of this.#watchers) watcher.finish();
  }

  /** The source breaks in the middle of its stream. */
  fail(error: Error): void {
    for (const watcher of this.#watchers) watcher.finish(error);
  }

  /** From this position of the log on; by default only what is emitted from now on. */
  watch(position = this.log.length): AsyncIterableIterator<Event> {
    this.opened += 1;
    const watcher = new Watcher(this.log, position, () => this.#watchers.delete(watcher));
    this.#watchers.add(watcher);
    return watcher;
  }
}

class Watcher<Event> implements AsyncIterableIterator<Event> {
  readonly #log: readonly Event[];
  readonly #closed: () => void;
  #position: number;
  #end: { error?: Error } | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<Event>> | undefined;

  constructor(log: readonly Event[], position: number, closed: () => void) {
    this.#log = log;
    this.#position = position;
    this.#closed = closed;
  }

  next(): Promise<IteratorResult<Event>> {
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    this.wake();
    return promise;
  }

  wake(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    if (this.#position < this.#log.length) {
      this.#waiting = undefined;
      this.#position += 1;
      waiting.resolve({ done: false, value: this.#log[this.#position - 1] as Event });
    } else if (this.#end) {
      this.#waiting = undefined;
      const { error } = this.#end;
      if (error) waiting.reject(error);
      else waiting.resolve({ done: true, value: undefined });
    }
  }

  finish(error?: Error): void {
    this.#end = error ? { error } : {};
    this.#closed();
    this.wake();
  }

  async return(): Promise<IteratorResult<Event>> {
    this.#position = this.#log.length;
    this.finish();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
