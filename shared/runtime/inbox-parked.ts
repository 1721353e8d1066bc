/**
 * Facts that a subgraph could not handle, each with the later ones of its key behind it. Owns when they are
 * tried again: with a growing pause, and never without a person once eight tries have failed. Nothing parked
 * is lost: it leaves by being handled, or because a person skips it, who is named in the log.
 */
import type { Logger } from 'pino';
import { NotFound } from '../kernel/errors.ts';
import { requireId } from '../kernel/ids.ts';
import { after, type Clock, MINUTE, SECOND } from '../kernel/time.ts';
import type { Database, Transaction } from './database.ts';
import { isTransient } from './transient.ts';

export interface MessageFacts {
  /** UUIDv7 of the message: the idempotency key of whatever a handler does outside the database. */
  readonly id: string;
  readonly toldAt: Date;
}

export interface Message {
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
}

export interface ParkedMessage extends MessageFacts {
  readonly publisher: string;
  readonly event: string;
  readonly key: string;
  readonly tries: number;
  /** True where only a person can make it be tried again. */
  readonly dead: boolean;
  /** Null for a message that only waits for an earlier one of its key. */
  readonly nextTryAt: Date | null;
  readonly error: string | null;
}

type ParkedRow = Message & {
  attempts: number;
  dead: boolean;
  next_try_at: Date | string | null;
  error: string | null;
};

const maxTries = 8;
const retryDelay = (tries: number): number => Math.min(SECOND * 4 ** (tries - 1), 10 * MINUTE);

const columns = `message_id as id, publisher, event, version, key, key_seq, payload, told_at, attempts, dead,
  next_try_at, error`;

export class ParkedMessages {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handle: (message: Message) => Promise<void>;

  constructor(deps: {
    db: Database;
    clock: Clock;
    logger: Logger;
    handle: (message: Message) => Promise<void>;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#handle = deps.handle;
  }

  /** Everything parked, per key in the order it was told. */
  async list(): Promise<ParkedMessage[]> {
    const rows = await this.#db.read((em) =>
      em.execute<ParkedRow[]>(`select ${columns} from inbox_parked order by publisher, key, key_seq`),
    );
    return rows.map(({ id, publisher, event, key, told_at, attempts, dead, next_try_at, error }) => ({
      id,
      publisher,
      event,
      key,
      toldAt: new Date(told_at),
      tries: attempts,
      dead,
      nextTryAt: next_try_at === null ? null : new Date(next_try_at),
      error,
    }));
  }

  /** Has a message tried again at once, with eight tries before it. Refuses `MESSAGE_NOT_PARKED`. */
  async retry(messageId: string, by: string): Promise<void> {
    const rows = await this.#take(
      `update inbox_parked set attempts = 0, dead = false, next_try_at = null where message_id = ? returning event, key`,
      messageId,
    );
    this.#logger.warn({ ...rows, message: messageId, by }, 'parked event will be tried again');
  }

  /**
   * Gives a message up: it takes no effect here, ever, and the later ones of its key go on.
   * Refuses `MESSAGE_NOT_PARKED`.
   */
  async skip(messageId: string, by: string): Promise<void> {
    const skipped = await this.#db.transaction(async (tx) => {
      const facts = await this.#take(
        'delete from inbox_parked where message_id = ? returning event, key',
        messageId,
      );
      await tx.sql('insert into inbox (message_id) values (?) on conflict do nothing', [messageId]);
      return facts;
    });
    this.#logger.warn({ ...skipped, message: messageId, by }, 'parked event skipped');
  }

  async #take(statement: string, messageId: string): Promise<{ event: string; key: string }> {
    requireId(messageId, 'message');
    const [row] = await this.#db.transaction((tx) =>
      tx.sql<{ event: string; key: string }>(statement, [messageId]),
    );
    if (!row) throw new NotFound('MESSAGE_NOT_PARKED', 'No such message is parked here');
    return row;
  }

  /** Whether an earlier fact of the same key is parked. */
  async blocks(tx: Transaction, { publisher, key }: Message): Promise<boolean> {
    const earlier = await tx.sql('select 1 from inbox_parked where publisher = ? and key = ? limit 1', [
      publisher,
      key,
    ]);
    return earlier.length > 0;
  }

  /** Parks a message with what its handler threw, or behind the earlier ones of its key. */
  async park(tx: Transaction, message: Message, error?: unknown): Promise<void> {
    const failed = error !== undefined;
    await tx.sql(
      `insert into inbox_parked
         (message_id, publisher, event, version, key, key_seq, payload, told_at, attempts, next_try_at, error)
       values (?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?, ?) on conflict (message_id) do nothing`,
      [
        message.id,
        message.publisher,
        message.event,
        message.version,
        message.key,
        message.key_seq,
        JSON.stringify(message.payload),
        message.told_at,
        failed ? 1 : 0,
        failed ? after(this.#clock.now(), retryDelay(1)) : null,
        failed ? String(error) : null,
      ],
    );
    if (!failed) return;
    this.#logger.error(
      { err: error, event: message.event, key: message.key, message: message.id },
      'event parked',
    );
  }

  /**
   * Tries the first message of each key whose time has come; returns how many were handled. Trouble of the
   * infrastructure is no failed try: the first of it is thrown once every key has had its turn.
   */
  async drain(): Promise<number> {
    const due = await this.#db.read((em) =>
      em.execute<ParkedRow[]>(
        `select * from (
           select distinct on (publisher, key) ${columns} from inbox_parked order by publisher, key, key_seq) first
          where not dead and (next_try_at is null or next_try_at <= ?)`,
        [this.#clock.now()],
      ),
    );
    let handled = 0;
    const troubles: unknown[] = [];
    for (const message of due) {
      try {
        if (await this.#try(message)) handled += 1;
      } catch (error) {
        troubles.push(error);
      }
    }
    if (troubles.length > 0) throw troubles[0];
    return handled;
  }

  async #try(message: ParkedRow): Promise<boolean> {
    try {
      return await this.#db.transaction(async (tx) => {
        const mine = await tx.sql(
          `delete from inbox_parked where message_id = (
             select message_id from inbox_parked
              where message_id = ? and attempts = ? and not dead for update skip locked) returning 1`,
          [message.id, message.attempts],
        );
        if (mine.length === 0) return false;
        await this.#handle(message);
        return true;
      });
    } catch (error) {
      if (isTransient(error)) throw error;
      await this.#failedAgain(message, error);
      return false;
    }
  }

  async #failedAgain({ id, event, key, attempts }: ParkedRow, error: unknown): Promise<void> {
    const tries = attempts + 1;
    const dead = tries >= maxTries;
    await this.#db.transaction((tx) =>
      tx.sql(
        `update inbox_parked set attempts = ?, next_try_at = ?, dead = ?, error = ?
          where message_id = ? and attempts = ?`,
        [tries, after(this.#clock.now(), retryDelay(tries)), dead, String(error), id, attempts],
      ),
    );
    this.#logger.error(
      { err: error, event, key, message: id, tries },
      dead ? 'parked event waits for a person' : 'parked event failed again',
    );
  }
}
