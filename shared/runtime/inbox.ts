/**
 * How one subgraph hears the facts of the others: it reads their outboxes in commit order and keeps a cursor
 * per publisher. Handlers, the cursor and whatever the handlers write or tell commit together, so each fact
 * takes effect once. A fact that cannot be handled is parked with all later facts of its key; other keys go on.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { EventDefinition, PayloadOf } from '../kernel/event.ts';
import { after, type Clock, MINUTE, SECOND } from '../kernel/time.ts';
import type { Database, Transaction } from './database.ts';
import { isTransient } from './transient.ts';
import type { Wakeups } from './wakeups.ts';

export interface Handler<E extends EventDefinition = EventDefinition> {
  readonly event: E;
  readonly handle: (payload: PayloadOf<E>, message: MessageFacts) => Promise<void>;
}

export interface MessageFacts {
  /** UUIDv7 of the message: the idempotency key of whatever a handler does outside the database. */
  readonly id: string;
  readonly toldAt: Date;
}

/** Joins a fact and what a service does when it hears it. Runs inside the inbox's transaction. */
export const on = <E extends EventDefinition>(event: E, handle: Handler<E>['handle']): Handler =>
  ({ event, handle }) as unknown as Handler;

interface Message {
  id: string;
  publisher: string;
  event: string;
  version: number;
  key: string;
  key_seq: string;
  payload: unknown;
  told_at: Date | string;
  xid: string;
  position: string;
  attempts: number;
}

const batchSize = 200;
const maxAttempts = 8;
const pollMs = 1_000;
const retryDelay = (attempts: number): number => Math.min(SECOND * 4 ** (attempts - 1), 10 * MINUTE);

export interface InboxOptions {
  readonly db: Database;
  readonly handlers: readonly Handler[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Inbox {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #publishers = new Map<string, string[]>();
  readonly #cursors = new Set<string>();
  #running: Promise<void> | undefined;
  #stop: (() => void) | undefined;

  constructor({ db, handlers, clock, logger }: InboxOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#logger = logger;
    for (const handler of handlers) {
      const { publisher, name } = handler.event;
      const id = `${publisher}.${name}`;
      this.#handlers.set(id, [...(this.#handlers.get(id) ?? []), handler]);
      this.#publishers.set(publisher, [...new Set([...(this.#publishers.get(publisher) ?? []), name])]);
    }
  }

  /** Handles everything that can be handled now; returns how many messages that were. */
  async drain(): Promise<number> {
    let handled = 0;
    for (const publisher of this.#publishers.keys()) {
      for (let some = -1; some !== 0; handled += some) some = await this.#drainPublisher(publisher);
    }
    for (let some = -1; some !== 0; handled += some) some = await this.#retryParked();
    return handled;
  }

  /** Drains on every wake-up of its publishers, and once a second anyway. */
  start(wakeups: Wakeups): void {
    if (this.#publishers.size === 0) return;
    let woken = true;
    let ring = (): void => {};
    let stopped = false;
    const wake = (): void => {
      woken = true;
      ring();
    };
    const off = [...this.#publishers.keys()].map((publisher) => wakeups.on(`outbox:${publisher}`, wake));
    const poll = setInterval(wake, pollMs);
    this.#stop = () => {
      stopped = true;
      clearInterval(poll);
      for (const each of off) each();
      ring();
    };
    this.#running = (async () => {
      while (!stopped) {
        if (!woken) await new Promise<void>((resolve) => (ring = resolve));
        woken = false;
        if (stopped) return;
        await this.drain().catch((error) => {
          if (!stopped) this.#logger.warn({ err: error, schema: this.#db.schema }, 'inbox could not drain');
        });
      }
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop?.();
    await this.#running;
  }

  async #drainPublisher(publisher: string): Promise<number> {
    await this.#openCursor(publisher);
    // Only what no running transaction can still precede: a row may commit after one with a higher position.
    const messages = await this.#db.read((em) =>
      em.execute<Message[]>(
        `select o.id, ? as publisher, o.event, o.version, o.key, o.key_seq, o.payload, o.told_at, o.xid::text, o.position, 0 as attempts
           from "${publisher}".outbox o, inbox_cursors c
          where c.publisher = ? and (o.xid, o.position) > (c.xid, c.position)
            and o.xid < pg_snapshot_xmin(pg_current_snapshot())
            and o.event = any(?)
          order by o.xid, o.position limit ${batchSize}`,
        [publisher, publisher, `{${this.#publishers.get(publisher)!.join(',')}}`],
      ),
    );
    for (const message of messages) if (!(await this.#receive(message))) return 0;
    return messages.length;
  }

  async #openCursor(publisher: string): Promise<void> {
    if (this.#cursors.has(publisher)) return;
    await this.#db.transaction((tx) =>
      tx.sql(
        `insert into inbox_cursors (publisher, xid, position) values (?, '0', 0) on conflict do nothing`,
        [publisher],
      ),
    );
    this.#cursors.add(publisher);
  }

  /** False where another replica has moved the cursor meanwhile. */
  async #receive(message: Message): Promise<boolean> {
    const advance = async (tx: Transaction): Promise<boolean> => {
      const moved = await tx.sql(
        `update inbox_cursors set xid = ?::xid8, position = ?
          where publisher = ? and (xid, position) < (?::xid8, ?::bigint) returning 1`,
        [message.xid, message.position, message.publisher, message.xid, message.position],
      );
      return moved.length > 0;
    };
    try {
      return await this.#db.transaction(async (tx) => {
        if (!(await advance(tx))) return false;
        const blocked = await tx.sql('select 1 from inbox_parked where publisher = ? and key = ? limit 1', [
          message.publisher,
          message.key,
        ]);
        if (blocked.length > 0) await this.#park(tx, message);
        else await this.#handle(tx, message);
        return true;
      });
    } catch (error) {
      if (isTransient(error)) throw error;
      this.#logger.error(
        { err: error, event: message.event, key: message.key, message: message.id },
        'event parked',
      );
      return this.#db.transaction(async (tx) => {
        if (!(await advance(tx))) return false;
        await this.#park(tx, message, error);
        return true;
      });
    }
  }

  async #handle(tx: Transaction, message: Message): Promise<void> {
    const fresh = await tx.sql(
      'insert into inbox (message_id) values (?) on conflict do nothing returning 1',
      [message.id],
    );
    if (fresh.length === 0) return;
    for (const { event, handle } of this.#handlers.get(`${message.publisher}.${message.event}`) ?? []) {
      const payload = z.decode(event.payload, message.payload as never);
      await handle(payload as never, { id: message.id, toldAt: new Date(message.told_at) });
    }
  }

  async #park(tx: Transaction, message: Message, error?: unknown): Promise<void> {
    await tx.sql(
      `insert into inbox_parked (message_id, publisher, event, version, key, key_seq, payload, attempts, next_try_at, error)
       values (?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?)`,
      [
        message.id,
        message.publisher,
        message.event,
        message.version,
        message.key,
        message.key_seq,
        JSON.stringify(message.payload),
        error ? 1 : 0,
        error ? after(this.#clock.now(), retryDelay(1)) : null,
        error ? String(error) : null,
      ],
    );
  }

  /** Tries the first parked message of each key whose time has come. Dead ones wait for a person. */
  async #retryParked(): Promise<number> {
    const now = this.#clock.now();
    const due = await this.#db.read((em) =>
      em.execute<Message[]>(
        `select distinct on (publisher, key) message_id as id, publisher, event, version, key, key_seq, payload, parked_at as told_at, attempts, dead, next_try_at
           from inbox_parked order by publisher, key, key_seq`,
      ),
    );
    let handled = 0;
    for (const message of due as (Message & { dead: boolean; next_try_at: Date | string | null })[]) {
      if (message.dead || (message.next_try_at && new Date(message.next_try_at) > now)) continue;
      try {
        await this.#db.transaction(async (tx) => {
          const mine = await tx.sql('delete from inbox_parked where message_id = ? returning 1', [
            message.id,
          ]);
          if (mine.length > 0) await this.#handle(tx, message);
        });
        handled += 1;
      } catch (error) {
        if (isTransient(error)) throw error;
        const attempts = message.attempts + 1;
        const dead = attempts >= maxAttempts;
        this.#logger.error(
          { err: error, event: message.event, key: message.key, message: message.id, attempts, dead },
          'parked event failed again',
        );
        await this.#db.transaction((tx) =>
          tx.sql(
            'update inbox_parked set attempts = ?, next_try_at = ?, dead = ?, error = ? where message_id = ?',
            [attempts, after(now, retryDelay(attempts)), dead, String(error), message.id],
          ),
        );
      }
    }
    return handled;
  }
}
