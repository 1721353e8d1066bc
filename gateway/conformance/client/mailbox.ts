/** What arrives is kept in order until it is taken; who takes waits a while for it. */
export class Mailbox<Item> {
  readonly #items: Item[] = [];
  #arrived = Promise.withResolvers<void>();
  #closed: string | undefined;

  put(item: Item): void {
    this.#items.push(item);
    this.#ring();
  }

  /** Nothing comes any more; takers are told why. */
  close(reason: string): void {
    this.#closed ??= reason;
    this.#ring();
  }

  get size(): number {
    return this.#items.length;
  }

  /** What has arrived and was not taken. */
  get unread(): readonly Item[] {
    return this.#items;
  }

  /** The next item; rejects, naming what was expected, when none comes in time (milliseconds). */
  async take(expected: string, patience: number): Promise<Item> {
    const deadline = performance.now() + patience;
    while (this.#items.length === 0) {
      if (this.#closed) throw new Error(`Expected ${expected}, but ${this.#closed}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`Expected ${expected}, but nothing came for ${patience} ms`);
      await orAfter(this.#arrived.promise, left);
    }
    return this.#items.shift() as Item;
  }

  #ring(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }
}

export async function orAfter(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/** Waits until the condition holds; rejects, naming it, when it does not in time (milliseconds), or is told to stop. */
export async function until(
  expected: string,
  condition: () => boolean | Promise<boolean>,
  patience: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await condition())) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) throw new Error(`Not within ${patience} ms: ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
