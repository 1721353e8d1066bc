/**
 * Wake-ups between everything that waits for rows of this database, in this process and in others.
 * A wake-up carries a topic and nothing else: whoever is woken reads the database, so a lost one only delays.
 * Topics are gathered and sent as one NOTIFY per 10 ms, since NOTIFY takes a global lock at commit.
 */
import { EventEmitter } from 'node:events';
import pg from 'pg';
import type { Logger } from 'pino';
import { newId } from '../kernel/ids.ts';

const channel = 'baton_wakeups';
const gatherMs = 10;
const payloadLimit = 7_000;

export class Wakeups {
  readonly #url: string;
  readonly #logger: Logger;
  readonly #sender = newId();
  readonly #emitter = new EventEmitter({ captureRejections: false }).setMaxListeners(0);
  #client: pg.Client | undefined;
  #pending = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(url: string, logger: Logger) {
    this.#url = url;
    this.#logger = logger;
  }

  static async open(url: string, logger: Logger): Promise<Wakeups> {
    const wakeups = new Wakeups(url, logger);
    await wakeups.#connect();
    return wakeups;
  }

  /** Wakes everybody who listens to the topic. */
  wake(topic: string): void {
    this.#emitter.emit(topic);
    this.#pending.add(topic);
    this.#timer ??= setTimeout(() => this.#send(), gatherMs);
  }

  /** Calls `listener` on each wake-up of the topic, and after every reconnect, since some may be lost then. */
  on(topic: string, listener: () => void): () => void {
    this.#emitter.on(topic, listener);
    this.#emitter.on('reconnected', listener);
    return () => {
      this.#emitter.off(topic, listener);
      this.#emitter.off('reconnected', listener);
    };
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      application_name: 'baton wakeups',
    });
    client.on('notification', ({ payload = '' }) => {
      const [sender, ...topics] = payload.split('\n');
      if (sender !== this.#sender) for (const topic of topics) this.#emitter.emit(topic);
    });
    client.on('error', (error) => this.#reconnect(error));
    client.on('end', () => this.#reconnect());
    await client.connect();
    await client.query(`listen ${channel}`);
    this.#client = client;
  }

  #reconnect(error?: Error): void {
    if (this.#closed || !this.#client) return;
    this.#client.removeAllListeners().on('error', () => {});
    this.#client = undefined;
    this.#logger.warn({ err: error }, 'wake-ups lost their connection');
    const attempt = (): void => {
      if (this.#closed) return;
      this.#connect().then(
        () => this.#emitter.emit('reconnected'),
        () => setTimeout(attempt, 500),
      );
    };
    setTimeout(attempt, 100);
  }

  #send(): void {
    this.#timer = undefined;
    const topics = [...this.#pending];
    this.#pending.clear();
    let payload = this.#sender;
    const flush = (): void => {
      if (payload !== this.#sender) this.#notify(payload);
      payload = this.#sender;
    };
    for (const topic of topics) {
      if (payload.length + topic.length > payloadLimit) flush();
      payload += `\n${topic}`;
    }
    flush();
  }

  /** One statement at a time on the connection; a failed one is a lost hint. */
  #notify(payload: string): void {
    this.#sending = this.#sending
      .then(() => this.#client?.query('select pg_notify($1, $2)', [channel, payload]))
      .catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#emitter.removeAllListeners();
    await this.#client?.end().catch(() => {});
  }
}
