/**
 * Capacity on the two-phase ledger: grams that may be sold once. Every leg has three accounts: `issued` (what
 * its owner offers), `free` (floor 0, holds count as gone) and `sold`. A hold covers all its legs in one
 * journal, so it stands on every leg or on none. Trips and couriers keep their legs with it.
 */
import { Conflict, NotFound, Refusal } from '../../kernel/errors.ts';
import type { Database, Transaction } from '../database.ts';
import { Ledger } from './ledger.ts';

export interface CapacityItem {
  readonly legId: string;
  /** Above zero. */
  readonly grams: number;
}

export interface CapacityHold {
  readonly holdId: string;
  readonly shipmentId: string;
  readonly items: readonly CapacityItem[];
  readonly expiresAt: Date;
}

const account = (legId: string, part: 'issued' | 'free' | 'sold'): string => `leg:${legId}:${part}`;
const legOf = (code: string): string => code.slice(4, code.lastIndexOf(':'));

export class Capacity {
  readonly #db: Database;
  readonly #ledger: Ledger;

  constructor(db: Database) {
    this.#db = db;
    this.#ledger = new Ledger(db);
  }

  /**
   * Sets what a leg offers in total. `key` names this change for good: a second time it changes nothing,
   * whatever has been offered since. Refuses `CAPACITY_PROMISED` {legId, promisedGrams} below what is held or
   * sold.
   */
  async offer(key: string, legId: string, grams: number): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await this.#ledger.openAccounts([
        { code: account(legId, 'issued'), unit: 'g', normal: 'debit' },
        { code: account(legId, 'free'), unit: 'g', normal: 'credit', floor: 0n },
        { code: account(legId, 'sold'), unit: 'g', normal: 'credit', floor: 0n },
      ]);
      // The change is the difference to what is offered, which two at once must not both read.
      await tx.sql('select from ledger_accounts where code = ? for no key update', [account(legId, 'free')]);
      const known = await tx.sql('select from ledger_journals where key = ?', [`offer:${key}`]);
      if (known.length > 0) return;
      const { posted } = await this.#ledger.balance(account(legId, 'issued'));
      const change = BigInt(grams) - posted;
      if (change === 0n) return;
      const amount = change < 0n ? -change : change;
      const [from, to] = change > 0n ? (['issued', 'free'] as const) : (['free', 'issued'] as const);
      await this.#ledger
        .post({
          key: `offer:${key}`,
          reason: 'offer capacity',
          cause: { legId },
          entries: [
            { account: account(legId, from), side: 'debit', amount },
            { account: account(legId, to), side: 'credit', amount },
          ],
        })
        .catch((error) => {
          const available = floorOf(error)?.available;
          if (available === undefined) throw error;
          throw new Conflict('CAPACITY_PROMISED', 'More than that is promised to senders already', {
            legId,
            promisedGrams: Number(posted - available),
          });
        });
    });
  }

  /**
   * Holds weight on all legs or on none. Refuses `CAPACITY_GONE` {legId, freeGrams}, also for a leg that never
   * offered any.
   */
  async hold({ holdId, shipmentId, items, expiresAt }: CapacityHold): Promise<void> {
    const perLeg = new Map<string, bigint>();
    for (const { legId, grams } of items) perLeg.set(legId, (perLeg.get(legId) ?? 0n) + BigInt(grams));
    await this.#ledger
      .hold({
        key: `hold:${holdId}`,
        reason: 'hold capacity',
        cause: { shipmentId },
        expiresAt,
        entries: [...perLeg].flatMap(([legId, amount]) => [
          { account: account(legId, 'free'), side: 'debit' as const, amount },
          { account: account(legId, 'sold'), side: 'credit' as const, amount },
        ]),
      })
      .catch((error) => {
        const floor = floorOf(error) ?? neverOpened(error);
        if (!floor) throw error;
        throw new Conflict('CAPACITY_GONE', 'Somebody else was quicker: not enough is free', {
          legId: legOf(floor.account),
          freeGrams: Number(floor.available),
        });
      });
  }

  /** Moves the end of a hold. Refuses `HOLD_RESOLVED`. */
  async extend(holdId: string, expiresAt: Date): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const journal = await this.#journal(tx, holdId);
      await resolvable(this.#ledger.extendHold(journal, expiresAt));
    });
  }

  /** Sells what is held. Refuses `HOLD_RESOLVED` where it was released or ran out. */
  async confirm(holdId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const journal = await this.#journal(tx, holdId);
      await resolvable(this.#ledger.postHold(`confirm:${holdId}`, journal));
    });
  }

  /** Gives back what is held or was sold; nothing to give back is no fault. */
  async release(holdId: string, reason = 'release capacity'): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const journal = await this.#lock(tx, holdId);
      if (!journal) return;
      const { state } = await this.#ledger.holdStatus(journal);
      if (state === 'OPEN') await this.#ledger.voidHold(`release:${holdId}`, journal, { reason });
      if (state !== 'POSTED') return;
      const returned = await tx.sql('select from ledger_journals where key = ?', [`return:${holdId}`]);
      if (returned.length > 0) return;
      const sold = await tx.sql<{ code: string; amount: string }>(
        `select a.code, e.amount::text from ledger_entries e join ledger_accounts a on a.id = e.account_id
          where e.journal_id = ? and a.code like 'leg:%:free' order by a.code`,
        [journal],
      );
      await this.#ledger.post({
        key: `return:${holdId}`,
        reason,
        cause: { holdId },
        entries: sold.flatMap(({ code, amount }) => [
          { account: account(legOf(code), 'sold'), side: 'debit' as const, amount: BigInt(amount) },
          { account: code, side: 'credit' as const, amount: BigInt(amount) },
        ]),
      });
    });
  }

  /**
   * Releases what has run out by `now`, each hold in a transaction of its own, and says so for each. One that
   * fails does not keep the others; the first failure is thrown in the end.
   */
  async expire(now: Date, onExpired: (holdId: string) => Promise<void>): Promise<void> {
    const due = await this.#db.read((em) =>
      em.execute<{ key: string }[]>(
        'select j.key from ledger_holds h join ledger_journals j on j.id = h.journal_id where h.expires_at <= ? order by h.expires_at',
        [now],
      ),
    );
    const failures: unknown[] = [];
    for (const { key } of due) {
      const holdId = key.slice('hold:'.length);
      await this.#expireOne(holdId, now, onExpired).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  #expireOne(holdId: string, now: Date, onExpired: (holdId: string) => Promise<void>): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const journal = await this.#lock(tx, holdId);
      const still = await tx.sql('select from ledger_holds where journal_id = ? and expires_at <= ?', [
        journal,
        now,
      ]);
      if (still.length === 0) return;
      await this.release(holdId, 'hold ran out');
      await onExpired(holdId);
    });
  }

  /** The legs that a hold covers, held or not any more; empty for an unknown one. */
  async legsOf(holdId: string): Promise<string[]> {
    const rows = await this.#db.read((em) =>
      em.execute<{ code: string }[]>(
        `select a.code from ledger_journals j join ledger_entries e on e.journal_id = j.id
           join ledger_accounts a on a.id = e.account_id
          where j.key = ? and a.code like 'leg:%:free' order by a.code`,
        [`hold:${holdId}`],
      ),
    );
    return rows.map(({ code }) => legOf(code));
  }

  /** Grams free per leg, holds counted as gone; 0 for a leg that offers nothing. */
  async free(legIds: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#db.read((em) =>
      em.execute<{ code: string; free: string }[]>(
        `select code, (posted - pending_out)::text as free from ledger_accounts
          where code in (select jsonb_array_elements_text(?::jsonb))`,
        [JSON.stringify(legIds.map((legId) => account(legId, 'free')))],
      ),
    );
    const byLeg = new Map(rows.map(({ code, free }) => [legOf(code), Number(free)]));
    return new Map(legIds.map((legId) => [legId, byLeg.get(legId) ?? 0]));
  }

  /** The hold's journal, after whoever else resolves the hold, or gives back its sale, has done so. */
  async #lock(tx: Transaction, holdId: string): Promise<string | undefined> {
    const [journal] = await tx.sql<{ id: string }>(
      'select id from ledger_journals where key = ? for no key update',
      [`hold:${holdId}`],
    );
    if (journal) await tx.sql('select from ledger_holds where journal_id = ? for update', [journal.id]);
    return journal?.id;
  }

  async #journal(tx: Transaction, holdId: string): Promise<string> {
    const [journal] = await tx.sql<{ id: string }>('select id from ledger_journals where key = ?', [
      `hold:${holdId}`,
    ]);
    if (!journal) throw new NotFound('HOLD_UNKNOWN', 'There is no such hold');
    return journal.id;
  }
}

function floorOf(error: unknown): { account: string; available: bigint } | undefined {
  if (!(error instanceof Refusal) || error.code !== 'LEDGER_FLOOR') return undefined;
  const { account: code, available } = error.details as { account: string; available: string };
  return { account: code, available: BigInt(available) };
}

function neverOpened(error: unknown): { account: string; available: bigint } | undefined {
  if (!(error instanceof Refusal) || error.code !== 'LEDGER_ACCOUNT_UNKNOWN') return undefined;
  const [code] = error.details.accounts as [string];
  return { account: code, available: 0n };
}

/** Words the ledger's refusal in the trade's language. */
async function resolvable(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'LEDGER_HOLD_RESOLVED') throw error;
    throw new Conflict('HOLD_RESOLVED', 'The hold does not stand any more', error.details);
  }
}
