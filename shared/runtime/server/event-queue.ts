/** The code of a reader that fell behind. */
export const TOO_SLOW = 'TOO_SLOW';

/**
 * A bounded queue between a source of events and the one reader of them.
 *
 * Unlike an async generator it ends at once when the reader returns, even while a `next` is pending. When the
 * reader falls behind by more than the limit, the source is stopped and the reader, having read what was kept,
 * gets an error: memory stays bounded and nothing is skipped silently.
 */
export class EventQueue<Event> implements AsyncGenerator<Event, undefined, unknown> {
  readonly #events: Event[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<Event, undefined>>[] = [];
  readonly #limit: number;
  readonly #stopSource: () => void;
  #end: { readonly error?: unknown } | undefined;

  constructor(limit: number, stopSource: () => void) {
    this.#limit = limit;
    this.#stopSource = stopSource;
  }

  push(event: Event): void {
    if (this.#end) return;
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ value: event, done: false });
    else if (this.#events.length < this.#limit) this.#events.push(event);
    else this.fail(new EventQueueOverflow(this.#limit));
  }

  /** No more events: the reader ends after those that are queued. */
  finish(): void {
    this.#finish({});
  }

  /** The source broke: the reader gets the error after the events that are queued. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error?: unknown }): void {
    if (this.#end) return;
    this.#end = end;
    this.#stopSource();
    for (const reader of this.#readers.splice(0)) this.#settle(reader);
  }

  #settle(reader: PromiseWithResolvers<IteratorResult<Event, undefined>>): void {
    const end = this.#end;
    if (end && 'error' in end) {
      this.#end = {};
      reader.reject(end.error);
    } else reader.resolve({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const reader = Promise.withResolvers<IteratorResult<Event, undefined>>();
    if (this.#events.length > 0) reader.resolve({ value: this.#events.shift() as Event, done: false });
    else if (this.#end) this.#settle(reader);
    else this.#readers.push(reader);
    return reader.promise;
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.#events.length = 0;
    this.finish();
    this.#end = {};
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<Event, undefined>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

export class EventQueueOverflow extends Error {
  override readonly name = 'EventQueueOverflow';
  /** Seen by GraphQL when the error crosses a socket. */
  readonly extensions = { code: TOO_SLOW };

  constructor(limit: number) {
    super(`The reader is more than ${limit} events behind`);
  }
}
