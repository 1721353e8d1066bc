/** What is known of a shipment's log: each event once, in the order of the log, however it came. */
import type { TrackedEvent } from './journey.ts';

export class TrackingLog {
  readonly events: TrackedEvent[] = [];
  readonly #known = new Set<string>();

  /** Cursor of the last event; empty before the first. */
  get cursor(): string {
    return this.events.at(-1)?.cursor ?? '';
  }

  /** Takes a stretch of the log that begins at or before what comes next; returns what was new in it. */
  add(stretch: readonly TrackedEvent[]): TrackedEvent[] {
    const fresh = stretch.filter(({ id }) => !this.#known.has(id));
    for (const event of fresh) {
      this.#known.add(event.id);
      this.events.push(event);
    }
    return fresh;
  }
}
