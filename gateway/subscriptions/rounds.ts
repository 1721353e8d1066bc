/** One timer for all connections of a transport: pings, expiry, stalls and the like need none of their own. */
export class Rounds<Member extends { visit(now: number): void }> implements Disposable {
  readonly members = new Set<Member>();
  readonly #every: number;
  #timer: NodeJS.Timeout | undefined;

  /** `every`: milliseconds between two visits. */
  constructor(every: number) {
    this.#every = every;
  }

  add(member: Member): void {
    this.members.add(member);
    this.#timer ??= setInterval(() => {
      const now = performance.now();
      for (const each of this.members) each.visit(now);
    }, this.#every);
  }

  delete(member: Member): void {
    this.members.delete(member);
    if (this.members.size === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Often enough for the shortest of some periods, and every second at least. */
export const roundsFor = (...periods: number[]): number =>
  Math.max(20, Math.min(1_000, ...periods.map((each) => each / 4)));

interface CountingStream {
  readonly bytesWritten: number;
  readonly writableLength: number;
}

/** Tells a peer that takes nothing of what waits for it from one that only takes it slowly. */
export class StallWatch {
  #taken = 0;
  #since = 0;

  /** Whether the peer has taken nothing for `limit` milliseconds although something waited. */
  stalled(socket: CountingStream, now: number, limit: number): boolean {
    if (socket.writableLength === 0) {
      this.#since = 0;
      return false;
    }
    const taken = socket.bytesWritten - socket.writableLength;
    if (this.#since === 0 || taken !== this.#taken) {
      this.#taken = taken;
      this.#since = now;
      return false;
    }
    return now - this.#since >= limit;
  }
}
