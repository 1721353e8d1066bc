/**
 * Lets requests through to one subgraph: so many at once, some more wait, and none for a while after many failed in
 * a row; then one is let through to try. Every fetch passes here, so it costs a comparison where nothing is wrong.
 */
export interface GateLimits {
  /** Requests at once. */
  readonly concurrency: number;
  /** Requests that may wait for their turn. */
  readonly queue: number;
  readonly failuresInARow: number;
  /** Milliseconds. */
  readonly restAfterFailures: number;
}

/** Why a request was not let through. */
export class GateClosed extends Error {
  override readonly name = 'GateClosed';
}

export class Gate {
  readonly #limits: GateLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #failures = 0;
  #restsUntil = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** `undefined` where the request may go at once; rejects, or throws, `GateClosed`. Each entry needs its `leave`. */
  enter(): Promise<void> | undefined {
    if (this.#failures >= this.#limits.failuresInARow) this.#tryAgain();
    if (this.#running < this.#limits.concurrency) {
      this.#running += 1;
      return undefined;
    }
    if (this.#waiting.length >= this.#limits.queue) throw new GateClosed('Too many requests wait already');
    // Who leaves hands over its place.
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tryAgain(): void {
    const now = performance.now();
    if (now < this.#restsUntil) throw new GateClosed('Too many requests failed in a row');
    // One tries for all; the others go on waiting for what comes of it.
    this.#restsUntil = now + this.#limits.restAfterFailures;
  }

  leave(outcome: 'answered' | 'failed' | 'abandoned'): void {
    if (outcome === 'answered') this.#failures = 0;
    else if (outcome === 'failed') {
      this.#failures += 1;
      if (this.#failures >= this.#limits.failuresInARow)
        this.#restsUntil = performance.now() + this.#limits.restAfterFailures;
    }
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get state(): 'closed' | 'half-open' | 'open' {
    if (this.#failures < this.#limits.failuresInARow) return 'closed';
    return performance.now() < this.#restsUntil ? 'open' : 'half-open';
  }
}
