/** Reads a log from a position and goes on as it grows. The log is the only source: a wake-up only says "look". */
export interface Feed<Entry extends { seq: number }> {
  /** Sequence number after which to begin. */
  readonly from: number;
  /** The next entries after a sequence number, in order; a refusal ends the feed. */
  read(afterSeq: number): Promise<Entry[]>;
  /** Calls back whenever there may be more; returns what ends that. */
  onWake(wake: () => void): () => void;
  /** Looks this often even where no wake-up came. */
  readonly pollMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Ends at once on `return`, even while it waits: an async generator alone would wait for its next entry. */
export function followLog<Entry extends { seq: number }>(feed: Feed<Entry>): AsyncIterableIterator<Entry> {
  const stopped = new AbortController();
  const signal = feed.signal ? AbortSignal.any([feed.signal, stopped.signal]) : stopped.signal;
  const entries = generate(feed, signal);
  return {
    next: () => entries.next(),
    async return() {
      stopped.abort();
      return entries.return(undefined);
    },
    async throw(error) {
      stopped.abort();
      return entries.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* generate<Entry extends { seq: number }>(
  feed: Feed<Entry>,
  signal: AbortSignal,
): AsyncGenerator<Entry, undefined> {
  let seq = feed.from;
  let woken = true;
  let ring = (): void => {};
  const wake = (): void => {
    woken = true;
    ring();
  };
  const silence = feed.onWake(wake);
  const poll = setInterval(wake, feed.pollMs);
  signal.addEventListener('abort', wake);
  try {
    while (!signal.aborted) {
      // Before reading: what is written while we read rings again.
      woken = false;
      const entries = await feed.read(seq);
      for (const entry of entries) {
        if (signal.aborted) return;
        seq = entry.seq;
        yield entry;
      }
      if (entries.length === 0 && !woken) await new Promise<void>((resolve) => (ring = resolve));
    }
  } finally {
    clearInterval(poll);
    silence();
    signal.removeEventListener('abort', wake);
  }
}
