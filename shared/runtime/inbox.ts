/**
 * How one subgraph hears the facts of the others: it reads their outboxes in commit order and keeps a cursor
 * per publisher. Handlers, the cursor and whatever the handlers write or tell commit together, so each fact
 * takes effect once. A fact that cannot be handled is parked with all later facts of its key; other keys go on.
 * Of several replicas one hears a publisher at a time. The cursor is a place in the server's own order of
 * transactions: a dump restored on another server must take its runtime tables along with that server's order.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { EventDefinition, PayloadOf } from '../kernel/event.ts';
import { type Clock, SECOND } from '../kernel/time.ts';
import type { Database, Transaction } from './database.ts';
import { type Message, type MessageFacts, ParkedMessages } from './inbox-parked.ts';
import { isTransient } from './transient.ts';
import type { Wakeups } from './wakeups.ts';

export interface Handler<E extends EventDefinition = EventDefinition> {
  readonly event: E;
  readonly handle: (payload: PayloadOf<E>, message: MessageFacts) => Promise<void>;
}

export type { MessageFacts, ParkedMessage } from './inbox-parked.ts';

/** Joins a fact and what a service does when it hears it. Runs inside the inbox's transaction. */
export const on = <E extends EventDefinition>(event: E, handle: Handler<E>['handle']): Handler =>
  ({ event, handle }) as unknown as Handler;

const batchSize = 200;
const pollMs = SECOND;
/** How soon to look again for facts that a transaction still running holds back; doubled until it ends. */
const heldBackMs = 20;

export interface InboxOptions {
  readonly db: Database;
  readonly handlers: readonly Handler[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Inbox {
  /** What could not be handled, for a person to look at, retry or skip. */
  readonly parked: ParkedMessages;
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #publishers = new Map<string, string[]>();
  readonly #cursors = new Set<string>();
  #running: Promise<void> | undefined;
  #stop: (() => void) | undefined;

  constructor({ db, handlers, clock, logger }: InboxOptions) {
    this.#db = db;
    this.#logger = logger;
    this.parked = new ParkedMessages({ db, clock, logger, handle: (message) => this.#handle(message) });
    for (const handler of handlers) {
      const { publisher, name } = handler.event;
      const id = `${publisher}.${name}`;
      this.#handlers.set(id, [...(this.#handlers.get(id) ?? []), handler]);
      this.#publishers.set(publisher, [...new Set([...(this.#publishers.get(publisher) ?? []), name])]);
    }
  }

  /**
   * Handles everything that can be handled now; returns how many messages that were. Trouble with one
   * publisher's facts does not keep those of the others; the first of such troubles is thrown in the end.
   */
  async drain(): Promise<number> {
    let handled = 0;
    const troubles: unknown[] = [];
    const sources = [...this.#publishers.keys()].map((publisher) => () => this.#drainPublisher(publisher));
    for (const source of [...sources, () => this.parked.drain()]) {
      try {
        for (let some = -1; some !== 0; handled += some) some = await source();
      } catch (error) {
        troubles.push(error);
      }
    }
    if (troubles.length > 0) throw troubles[0];
    return handled;
  }

  /** Drains on every wake-up of its publishers, and once a second anyway. */
  start(wakeups: Wakeups): void {
    if (this.#publishers.size === 0 || this.#stop) return;
    let woken = true;
    let ring = (): void => {};
    let stopped = false;
    let lookAgain: NodeJS.Timeout | undefined;
    let pause = heldBackMs;
    const wake = (): void => {
      woken = true;
      ring();
    };
    const off = [...this.#publishers.keys()].map((publisher) => wakeups.on(`outbox:${publisher}`, wake));
    const poll = setInterval(wake, pollMs);
    this.#stop = () => {
      stopped = true;
      clearInterval(poll);
      clearTimeout(lookAgain);
      for (const each of off) each();
      ring();
    };
    this.#running = (async () => {
      while (!stopped) {
        if (!woken) await new Promise<void>((resolve) => (ring = resolve));
        woken = false;
        if (stopped) return;
        try {
          await this.drain();
          const held = !stopped && !woken && (await this.#heldBack());
          if (held && pause < pollMs) lookAgain = setTimeout(wake, pause);
          pause = held ? pause * 2 : heldBackMs;
        } catch (error) {
          if (!stopped) this.#logger.warn({ err: error, schema: this.#db.schema }, 'inbox could not drain');
        }
      }
      clearTimeout(lookAgain);
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
        `select o.id, ? as publisher, o.event, o.version, o.key, o.key_seq, o.payload, o.told_at, o.xid::text, o.position
           from "${publisher}".outbox o, inbox_cursors c
          where c.publisher = ? and (o.xid, o.position) > (c.xid, c.position)
            and o.xid < pg_snapshot_xmin(pg_current_snapshot())
            and o.event = any(?)
          order by o.xid, o.position limit ${batchSize}`,
        [publisher, publisher, `{${this.#publishers.get(publisher)!.join(',')}}`],
      ),
    );
    let handled = 0;
    for (const message of messages) {
      if (!(await this.#receive(message))) break;
      handled += 1;
    }
    return handled;
  }

  /** True where facts of our publishers are committed that a transaction still running may yet precede. */
  async #heldBack(): Promise<boolean> {
    const outboxes = [...this.#publishers.keys()].map(
      (name) => `exists (select from "${name}".outbox where xid >= pg_snapshot_xmin(pg_current_snapshot()))`,
    );
    const [row] = await this.#db.read((em) =>
      em.execute<{ held: boolean }[]>(`select ${outboxes.join(' or ')} as held`),
    );
    return row!.held;
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

  /** False where another replica hears this publisher now, or has moved the cursor meanwhile. */
  async #receive(message: Message): Promise<boolean> {
    try {
      return await this.#db.transaction(async (tx) => {
        if (!(await advance(tx, message))) return false;
        if (await this.parked.blocks(tx, message)) await this.parked.park(tx, message);
        else await this.#handle(message);
        return true;
      });
    } catch (error) {
      if (isTransient(error)) throw error;
      return this.#db.transaction(async (tx) => {
        if (!(await advance(tx, message))) return false;
        await this.parked.park(tx, message, error);
        return true;
      });
    }
  }

  /** Runs inside the transaction that moves the cursor, or takes the message out of the parked ones. */
  async #handle(message: Message): Promise<void> {
    const fresh = await this.#db.transaction((tx) =>
      tx.sql('insert into inbox (message_id) values (?) on conflict do nothing returning 1', [message.id]),
    );
    if (fresh.length === 0) return;
    for (const { event, handle } of this.#handlers.get(`${message.publisher}.${message.event}`) ?? []) {
      const payload = z.decode(event.payload, message.payload as never);
      await handle(payload as never, { id: message.id, toldAt: new Date(message.told_at) });
    }
  }
}

/** Does not wait for a replica that is at it: what that one leaves, its next look or ours will find. */
async function advance(tx: Transaction, message: Message): Promise<boolean> {
  const moved = await tx.sql(
    `update inbox_cursors set xid = ?::xid8, position = ? where publisher = (
       select publisher from inbox_cursors
        where publisher = ? and (xid, position) < (?::xid8, ?::bigint) for update skip locked) returning 1`,
    [message.xid, message.position, message.publisher, message.xid, message.position],
  );
  return moved.length > 0;
}
