/**
 * Wake-ups between everything that waits for rows of this database, in this process and in others.
 * A wake-up carries a topic and nothing else: whoever is woken reads the database, so a lost one only delays.
 * Topics are gathered and sent as one NOTIFY per 10 ms, since NOTIFY takes a global lock at commit.
 */
import pg from 'pg';
import type { Logger } from 'pino';
import { newId } from '../kernel/ids.ts';
import { SECOND } from '../kernel/time.ts';

const channel = 'baton_wakeups';
const gatherMs = 10;
/** PostgreSQL takes less than 8000 bytes. */
const payloadLimit = 7_000;
const reconnectMs = 250;
/** How often a connection that may have died without a word is asked whether it lives. */
const pulseMs = 5 * SECOND;
const answerMs = 5 * SECOND;

type Listener = () => void;

export class Wakeups {
  readonly #url: string;
  readonly #logger: Logger;
  readonly #sender = newId();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #pulse: NodeJS.Timeout;
  #client: pg.Client | undefined;
  #pending = new Set<string>();
  #gathering: NodeJS.Timeout | undefined;
  #reconnecting: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(url: string, logger: Logger) {
    this.#url = url;
    this.#logger = logger;
    this.#pulse = setInterval(() => this.#query('select 1'), pulseMs).unref();
  }

  /** Rejects where the database cannot be reached now; later losses heal by themselves. */
  static async open(url: string, logger: Logger): Promise<Wakeups> {
    const wakeups = new Wakeups(url, logger);
    try {
      await wakeups.#connect();
      return wakeups;
    } catch (error) {
      await wakeups[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Wakes everybody who listens to the topic. */
  wake(topic: string): void {
    this.#ring(topic);
    this.#pending.add(topic);
    this.#gather();
  }

  /** Calls `listener` on each wake-up of the topic, and after every reconnect, since some may be lost then. */
  on(topic: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  #ring(topic: string): void {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) {
      try {
        listener();
      } catch (err) {
        this.#logger.error({ err, topic }, 'a listener failed at its wake-up');
      }
    }
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: answerMs,
      application_name: 'baton wakeups',
    });
    client.on('notification', ({ payload = '' }) => {
      const [sender, ...topics] = payload.split('\n');
      if (sender !== this.#sender) for (const topic of topics) this.#ring(topic);
    });
    client.on('error', (error) => this.#lose(client, error));
    client.on('end', () => this.#lose(client));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
    } catch (error) {
      hangUp(client);
      throw error;
    }
    if (this.#closed) return hangUp(client);
    this.#client = client;
  }

  #lose(client: pg.Client, err?: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    hangUp(client);
    if (this.#closed) return;
    this.#logger.warn({ err }, 'wake-ups lost their connection');
    this.#reconnecting = setTimeout(() => this.#reconnect(), reconnectMs);
  }

  #reconnect(): void {
    this.#connect().then(
      () => {
        for (const topic of [...this.#listeners.keys()]) this.#ring(topic);
        this.#gather();
      },
      () => {
        if (!this.#closed) this.#reconnecting = setTimeout(() => this.#reconnect(), reconnectMs);
      },
    );
  }

  #gather(): void {
    if (!this.#closed) this.#gathering ??= setTimeout(() => this.#send(), gatherMs);
  }

  /** What cannot be sent now is kept until the connection is back. */
  #send(): void {
    this.#gathering = undefined;
    if (!this.#client) return;
    const topics = [...this.#pending];
    this.#pending.clear();
    let payload = this.#sender;
    const flush = (): void => {
      if (payload !== this.#sender) this.#notify(payload);
      payload = this.#sender;
    };
    for (const topic of topics) {
      if (Buffer.byteLength(payload) + Buffer.byteLength(topic) >= payloadLimit) flush();
      if (Buffer.byteLength(topic) < payloadLimit - 100) payload += `\n${topic}`;
      else this.#logger.warn({ bytes: topic.length }, 'a topic is too long to leave this process');
    }
    flush();
  }

  #notify(payload: string): void {
    this.#query('select pg_notify($1, $2)', [channel, payload], () => {
      for (const topic of payload.split('\n').slice(1)) this.#pending.add(topic);
    });
  }

  /** One statement at a time; a connection on which one fails is given up. */
  #query(text: string, parameters: string[] = [], onFailure?: () => void): void {
    this.#sending = this.#sending.then(async () => {
      const client = this.#client;
      try {
        if (client) await client.query(text, parameters);
        else onFailure?.();
      } catch (error) {
        onFailure?.();
        if (client) this.#lose(client, error);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#send();
    this.#closed = true;
    clearInterval(this.#pulse);
    clearTimeout(this.#gathering);
    clearTimeout(this.#reconnecting);
    this.#listeners.clear();
    await this.#sending;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }
}

/** Lets go of a connection in whatever state it is, without waiting for the other end. */
function hangUp(client: pg.Client): void {
  client.removeAllListeners().on('error', () => {});
  client.end().catch(() => {});
}
