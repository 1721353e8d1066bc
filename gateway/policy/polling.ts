/** Looks again and again, one look at a time; tells in the log when looking begins to fail, not each time. */
import type { Logger } from 'pino';

export class Polling implements AsyncDisposable {
  readonly #look: () => Promise<void>;
  readonly #interval: number;
  readonly #what: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void>;
  #failing = false;
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
      if (this.#failing) this.#logger.info(`${this.#what} can be reached again`);
      this.#failing = false;
    } catch (err) {
      if (!this.#failing && !this.#stopped)
        this.#logger.error({ err }, `${this.#what} cannot be reached; the last known state holds`);
      this.#failing = true;
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
