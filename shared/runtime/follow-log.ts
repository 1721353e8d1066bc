/** Reads a log from a position and goes on as it grows. The log is the only source: a wake-up only says "look". */
export interface Feed<Entry extends { seq: number }> {
  /** Sequence number after which to begin. */
  readonly from: number;
  /** The next entries after a sequence number, in order. */
  read(afterSeq: number): Promise<Entry[]>;
  /** Whether the reader still may, asked after each reading and every `checkMs`; a refusal ends the feed. */
  readonly check?: () => Promise<unknown>;
  readonly checkMs?: number;
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
  let unsure = false;
  let ring = (): void => {};
  const wake = (): void => {
    woken = true;
    ring();
  };
  const doubt = (): void => {
    unsure = true;
    ring();
  };
  const silence = feed.onWake(wake);
  const poll = setInterval(wake, feed.pollMs);
  const doubts = feed.check && feed.checkMs ? setInterval(doubt, feed.checkMs) : undefined;
  signal.addEventListener('abort', wake);
  const check = async (): Promise<void> => {
    unsure = false;
    await feed.check?.();
  };
  try {
    while (!signal.aborted) {
      if (!woken && !unsure) await new Promise<void>((resolve) => (ring = resolve));
      if (signal.aborted) return;
      let entries: Entry[] = [];
      if (woken) {
        // Before reading: what is written while we read rings again.
        woken = false;
        entries = await feed.read(seq);
      }
      // After reading: what was written after the right was lost is not sent.
      await check();
      for (const entry of entries) {
        // A slow reader takes long over what was read at once.
        if (unsure) await check();
        if (signal.aborted) return;
        seq = entry.seq;
        yield entry;
      }
      if (entries.length > 0) woken = true;
    }
  } finally {
    clearInterval(poll);
    clearInterval(doubts);
    silence();
    signal.removeEventListener('abort', wake);
  }
}
