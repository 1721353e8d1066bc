/**
 * Looks again and again, one look at a time. When looking fails for the third time in a row the log says so, once:
 * processes that start together find each other a moment later.
 */
import type { Logger } from 'pino';

const FAILURES_TOLD = 3;

export class Polling implements AsyncDisposable {
  readonly #look: () => Promise<void>;
  readonly #interval: number;
  readonly #what: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void>;
  #failures = 0;
  #stopped = false;

  constructor(options: { what: string; interval: number; logger: Logger; look: () => Promise<void> }) {
    this.#look = options.look;
    this.#interval = options.interval;
    this.#what = options.what;
    this.#logger = options.logger;
    this.#looking = this.#turn();
  }

  async #turn(): Promise<void> {
    try {
      await this.#look();
      if (this.#failures >= FAILURES_TOLD) this.#logger.info(`${this.#what} can be reached again`);
      this.#failures = 0;
    } catch (err) {
      this.#failures += 1;
      if (this.#failures === FAILURES_TOLD && !this.#stopped)
        this.#logger.error({ err }, `${this.#what} cannot be reached; the last known state holds`);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#turn();
    }, this.#interval);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }
}
