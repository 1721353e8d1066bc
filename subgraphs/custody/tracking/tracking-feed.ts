/** Reads a log from a position and goes on as it grows. The log is the only source: a wake-up only says "look". */
import type { TrackingEventRow } from './tracking.entities.ts';

export interface Feed {
  /** Sequence number after which to begin. */
  readonly from: number;
  /** The next events after a sequence number, in order; a refusal ends the feed. */
  read(afterSeq: number): Promise<TrackingEventRow[]>;
  /** Calls back whenever there may be more; returns what ends that. */
  onWake(wake: () => void): () => void;
  /** Looks this often even where no wake-up came. */
  readonly pollMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Ends at once on `return`, even while it waits: an async generator alone would wait for its next event. */
export function followLog(feed: Feed): AsyncIterableIterator<TrackingEventRow> {
  const stopped = new AbortController();
  const signal = feed.signal ? AbortSignal.any([feed.signal, stopped.signal]) : stopped.signal;
  const events = generate(feed, signal);
  return {
    next: () => events.next(),
    async return() {
      stopped.abort();
      return events.return(undefined);
    },
    async throw(error) {
      stopped.abort();
      return events.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* generate(feed: Feed, signal: AbortSignal): AsyncGenerator<TrackingEventRow, undefined> {
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
      const events = await feed.read(seq);
      for (const event of events) {
        if (signal.aborted) return;
        seq = event.seq;
        yield event;
      }
      if (events.length === 0 && !woken) await new Promise<void>((resolve) => (ring = resolve));
    }
  } finally {
    clearInterval(poll);
    silence();
    signal.removeEventListener('abort', wake);
  }
}
