/**
 * The recent events of one lane, ready to be sent, numbered from 1 in the order in which they came.
 *
 * A position is the number of the last event that somebody has; position 0 is where the lane began. The log is
 * bounded by count and bytes, always keeps its newest event, and knows the cursor of every position that can
 * still be continued from: those of its events, and of the one just before its oldest event.
 */
export interface ReadyEvent {
  readonly cursor: string | undefined;
  /** The whole execution result as JSON: serialised once, whoever gets it. */
  readonly payload: string;
}

export interface LogLimits {
  readonly events: number;
  /** Of JSON text, in characters. */
  readonly size: number;
  /** The same for each follower: a lane of few keeps little, since there is one for every viewer. */
  readonly sizePerFollower: number;
}

export class EventLog {
  readonly #limits: LogLimits;
  readonly #events: ReadyEvent[] = [];
  readonly #positions = new Map<string, number>();
  #dropped = 0;
  #size = 0;
  #cursor: string | undefined;

  /** `start`: the cursor of position 0; `undefined` where the lane began at "now". */
  constructor(limits: LogLimits, start: string | undefined) {
    this.#limits = limits;
    this.#cursor = start;
    if (start !== undefined) this.#positions.set(start, 0);
  }

  /** The newest position. */
  get newest(): number {
    return this.#dropped + this.#events.length;
  }

  /** The newest cursor: of the newest event that has one, else of the start. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  append(event: ReadyEvent, followers: number): void {
    this.#events.push(event);
    this.#size += event.payload.length;
    if (event.cursor !== undefined) {
      this.#cursor = event.cursor;
      this.#positions.set(event.cursor, this.newest);
    }
    const { events, size, sizePerFollower } = this.#limits;
    const most = Math.min(size, sizePerFollower * followers);
    while (this.#events.length > 1 && (this.#events.length > events || this.#size > most)) this.#dropOldest();
  }

  #dropOldest(): void {
    this.#size -= this.#events.shift()?.payload.length ?? 0;
    this.#dropped += 1;
    // Insertion order is order of position: the first cursors are those before the new oldest event.
    for (const [cursor, position] of this.#positions) {
      if (position >= this.#dropped) break;
      this.#positions.delete(cursor);
    }
  }

  /** Where somebody stands who has everything up to a cursor; `undefined` where that cannot be continued here. */
  positionOf(cursor: string): number | undefined {
    return this.#positions.get(cursor);
  }

  /** Whether everything that follows a position is here. */
  continues(position: number): boolean {
    return position >= this.#dropped && position <= this.newest;
  }

  /** The event that follows a position. */
  after(position: number): ReadyEvent | undefined {
    return this.#events[position - this.#dropped];
  }
}
