/**
 * The two-phase ledger of one schema. It counts anything that must not be spent twice: money in minor units,
 * capacity in grams. It promises that debits equal credits per unit, that no account falls below its floor
 * (what is held counts as gone), that a hold resolves at most once and that nothing written ever changes.
 * PostgreSQL keeps these promises (ledger.sql.ts); this class words them as refusals before it must, so that
 * the caller's transaction survives a refusal. Accounting and capacity services call it in their transactions.
 */
import { Conflict, Invalid, NotFound } from '../../kernel/errors.ts';
import { newId, requireId } from '../../kernel/ids.ts';
import type { Transaction } from '../database.ts';
import {
  type AccountRow,
  type Accounts,
  type Draft,
  type EntryDraft,
  type HoldDraft,
  type JournalDraft,
  requestHash,
  requireAmounts,
  requireBalanced,
  requireFloors,
  requireWithin,
} from './journal-draft.ts';
import { LedgerBooks, requireAccounts, type Side } from './ledger-books.ts';

export type { EntryDraft, HoldDraft, JournalDraft } from './journal-draft.ts';
export type * from './ledger-books.ts';

export interface AccountOpening {
  /** Names the account for good, for example `held:<shipment>:<leg>`. */
  readonly code: string;
  /** ISO 4217 code (amounts in minor units) or a measure such as `g`. */
  readonly unit: string;
  readonly normal: Side;
  /**
   * Lowest balance on the normal side, open holds included: 0, or below for a credit line. Without one the
   * account has no limit and keeps no balance row: right for accounts that everybody posts to.
   */
  readonly floor?: bigint | null;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** How a hold ends. What is left out is taken over from the hold. */
export interface HoldResolution {
  /** Only for posting: at most what was held per account and side; the rest is released. */
  readonly entries?: readonly EntryDraft[];
  readonly reason?: string;
  readonly cause?: Readonly<Record<string, unknown>>;
  readonly effectiveAt?: Date;
}

export interface Receipt {
  /** Of the journal; a hold is named by the id of its journal. */
  readonly id: string;
  /** True where this key had already been written: nothing moved now. */
  readonly replayed: boolean;
}

export interface HoldStatus {
  readonly state: 'OPEN' | 'POSTED' | 'VOIDED';
  /** Null once resolved. */
  readonly expiresAt: Date | null;
}

const EXPIRY_BATCH = 100;

export class Ledger extends LedgerBooks {
  /** Opens an account, or finds it open already. Refuses `LEDGER_ACCOUNT_DIFFERS`, `LEDGER_ACCOUNT_INVALID`. */
  openAccount(account: AccountOpening): Promise<void> {
    return this.openAccounts([account]);
  }

  /**
   * Opens what is not open yet. Refuses `LEDGER_ACCOUNT_DIFFERS` where a code is taken with another unit,
   * normal side or floor, `LEDGER_ACCOUNT_INVALID` for a unit or floor that cannot be.
   */
  async openAccounts(accounts: readonly AccountOpening[]): Promise<void> {
    for (const { code, unit, floor } of accounts) {
      if (code === '' || !/^([A-Z]{3}|[a-z][a-z0-9]{0,7})$/.test(unit) || (floor ?? 0n) > 0n)
        throw new Invalid('LEDGER_ACCOUNT_INVALID', `No account can be opened as ${code} in ${unit}`, {
          code,
        });
    }
    const wanted = accounts.map((account) => ({
      id: newId(),
      code: account.code,
      unit: account.unit,
      normal: account.normal,
      floor: account.floor == null ? null : String(account.floor),
      meta: account.meta ?? {},
    }));
    const differing = await this.db.transaction(async (tx) => {
      const asRows = `jsonb_to_recordset(?::jsonb)
        as w (id uuid, code text, unit text, normal text, floor numeric, meta jsonb)`;
      await tx.sql(
        `insert into ledger_accounts (id, code, unit, normal, floor, meta)
         select id, code, unit, normal, floor, meta from ${asRows} order by code on conflict (code) do nothing`,
        [JSON.stringify(wanted)],
      );
      return tx.sql<{ code: string }>(
        `select a.code from ledger_accounts a join ${asRows} on w.code = a.code
         where (a.unit, a.normal, a.floor) is distinct from (w.unit, w.normal, w.floor)`,
        [JSON.stringify(wanted)],
      );
    });
    if (differing[0]) {
      const { code } = differing[0];
      throw new Conflict('LEDGER_ACCOUNT_DIFFERS', `Account ${code} is open in another form`, {
        account: code,
      });
    }
  }

  /**
   * Moves amounts at once. Refuses `LEDGER_FLOOR` (details: account, available as a decimal string), `LEDGER_UNBALANCED`,
   * `LEDGER_AMOUNT_INVALID`, `LEDGER_ACCOUNT_UNKNOWN`, `LEDGER_KEY_REUSED`.
   */
  post(journal: JournalDraft): Promise<Receipt> {
    return this.#write({ ...journal, kind: 'posted' });
  }

  /**
   * First phase: sets amounts aside until they are posted, voided or expire. What it would take is no longer
   * available; what it would add is not available yet. Refuses what `post` refuses.
   */
  hold(journal: HoldDraft): Promise<Receipt> {
    return this.#write({ ...journal, kind: 'pending' });
  }

  /**
   * Second phase: posts a hold, whole or in part; the rest is released. A hold past its expiry counts until
   * `expireHolds` has voided it. Refuses `LEDGER_HOLD_UNKNOWN`, `LEDGER_HOLD_RESOLVED` (details: state),
   * `LEDGER_AMOUNT_INVALID` above what was held, `LEDGER_UNBALANCED`, `LEDGER_KEY_REUSED`.
   */
  postHold(key: string, holdId: string, resolution: HoldResolution = {}): Promise<Receipt> {
    return this.#resolve('post', key, holdId, resolution);
  }

  /** Second phase: releases a hold. Refuses `LEDGER_HOLD_UNKNOWN`, `LEDGER_HOLD_RESOLVED`, `LEDGER_KEY_REUSED`. */
  voidHold(key: string, holdId: string, resolution: Omit<HoldResolution, 'entries'> = {}): Promise<Receipt> {
    return this.#resolve('void', key, holdId, resolution);
  }

  /** Moves the expiry of an open hold. Refuses `LEDGER_HOLD_UNKNOWN`, `LEDGER_HOLD_RESOLVED`. */
  async extendHold(holdId: string, expiresAt: Date): Promise<void> {
    requireId(holdId, 'hold');
    await this.db.transaction(async (tx) => {
      const moved = await tx.sql(
        'update ledger_holds set expires_at = ? where journal_id = ? returning journal_id',
        [expiresAt, holdId],
      );
      if (moved.length === 0) throw await this.#notOpen(holdId);
    });
  }

  /** Whether a hold still stands. Refuses `LEDGER_HOLD_UNKNOWN`. */
  async holdStatus(holdId: string): Promise<HoldStatus> {
    requireId(holdId, 'hold');
    const [row] = await this.rows<{ resolution: 'post' | 'void' | null; expires_ms: string | null }>(
      `select r.kind as resolution, extract(epoch from h.expires_at) * 1000 as expires_ms
       from ledger_journals j
       left join ledger_journals r on r.resolves = j.id
       left join ledger_holds h on h.journal_id = j.id
       where j.id = ? and j.kind = 'pending'`,
      [holdId],
    );
    if (!row) throw new NotFound('LEDGER_HOLD_UNKNOWN', 'There is no such hold', { hold: holdId });
    if (row.resolution === null) return { state: 'OPEN', expiresAt: new Date(Number(row.expires_ms)) };
    return { state: row.resolution === 'post' ? 'POSTED' : 'VOIDED', expiresAt: null };
  }

  /** Voids every open hold whose expiry has come by `now`, each in a transaction of its own; says how many. */
  async expireHolds(now: Date): Promise<number> {
    let expired = 0;
    for (let size = EXPIRY_BATCH; size === EXPIRY_BATCH; ) {
      const due = await this.rows<{ journal_id: string }>(
        'select journal_id from ledger_holds where expires_at <= ? order by expires_at, journal_id limit ?',
        [now, EXPIRY_BATCH],
      );
      for (const { journal_id: hold } of due) if (await this.#expire(hold, now)) expired += 1;
      size = due.length;
    }
    return expired;
  }

  /** False where someone resolved or extended the hold in the meantime. */
  #expire(holdId: string, now: Date): Promise<boolean> {
    return this.db.transaction(async (tx) => {
      const [due] = await tx.sql(
        'select from ledger_holds where journal_id = ? and expires_at <= ? for update',
        [holdId, now],
      );
      if (!due) return false;
      await this.voidHold(`expire:${holdId}`, holdId, { reason: 'expired', effectiveAt: now });
      return true;
    });
  }

  async #write(draft: Draft): Promise<Receipt> {
    requireAmounts(draft.entries);
    return this.db.transaction(async (tx) => {
      const accounts = await lockAccounts(tx, draft.entries);
      // Only now: whoever wrote the same key at the same time has committed or let go of the accounts.
      const replay = await replayed(tx, draft);
      if (replay) return replay;
      requireAccounts(
        draft.entries.map((entry) => entry.account),
        accounts,
      );
      requireBalanced(draft.entries, accounts);
      requireFloors(draft, accounts);
      return insert(tx, draft, accounts);
    });
  }

  async #resolve(
    kind: 'post' | 'void',
    key: string,
    holdId: string,
    resolution: HoldResolution,
  ): Promise<Receipt> {
    requireId(holdId, 'hold');
    if (resolution.entries) requireAmounts(resolution.entries);
    return this.db.transaction(async (tx) => {
      const open = await tx.sql('select from ledger_holds where journal_id = ? for update', [holdId]);
      const [hold] = await tx.sql<{ reason: string; cause: Record<string, unknown> }>(
        `select reason, cause from ledger_journals where id = ? and kind = 'pending'`,
        [holdId],
      );
      const held = await tx.sql<{ account: string; side: Side; amount: string }>(
        `select a.code as account, e.side, e.amount::text from ledger_entries e
         join ledger_accounts a on a.id = e.account_id where e.journal_id = ? order by e.id`,
        [holdId],
      );
      const heldEntries = held.map((entry) => ({ ...entry, amount: BigInt(entry.amount) }));
      const draft: Draft = {
        kind,
        key,
        resolves: holdId,
        reason: resolution.reason ?? hold?.reason ?? '',
        cause: resolution.cause ?? hold?.cause ?? {},
        entries: resolution.entries ?? heldEntries,
        effectiveAt: resolution.effectiveAt,
      };
      const replay = await replayed(tx, draft);
      if (replay) return replay;
      if (open.length === 0) throw await this.#notOpen(holdId);
      requireWithin(draft.entries, heldEntries);
      const accounts = await lockAccounts(tx, heldEntries);
      requireBalanced(draft.entries, accounts);
      return insert(tx, draft, accounts);
    });
  }

  async #notOpen(holdId: string): Promise<Conflict> {
    const { state } = await this.holdStatus(holdId);
    return new Conflict('LEDGER_HOLD_RESOLVED', `The hold is already ${state.toLowerCase()}`, {
      hold: holdId,
      state,
    });
  }
}

/**
 * The accounts by code; those with a floor stay locked, in the order of their ids, so that two journals over
 * the same accounts never wait for each other. Accounts without a floor are never locked.
 */
async function lockAccounts(tx: Transaction, entries: readonly EntryDraft[]): Promise<Accounts> {
  const codes = JSON.stringify(entries.map((entry) => entry.account));
  const columns = 'id, code, unit, normal, floor::text, posted::text, pending_out::text';
  const listed = 'code in (select jsonb_array_elements_text(?::jsonb))';
  const rows = await tx.sql<AccountRow>(
    `select * from (
       select ${columns} from ledger_accounts where floor is not null and ${listed}
       order by ledger_accounts.id for no key update of ledger_accounts) limited
     union all select ${columns} from ledger_accounts where floor is null and ${listed}`,
    [codes, codes],
  );
  return new Map(rows.map((row) => [row.code, row]));
}

async function replayed(tx: Transaction, draft: Draft): Promise<Receipt | null> {
  const [known] = await tx.sql<{ id: string; same: boolean }>(
    'select id, request_hash = ? as same from ledger_journals where key = ?',
    [requestHash(draft), draft.key],
  );
  if (!known) return null;
  if (!known.same)
    throw new Conflict('LEDGER_KEY_REUSED', 'The key was used for another journal', { key: draft.key });
  return { id: known.id, replayed: true };
}

async function insert(tx: Transaction, draft: Draft, accounts: Accounts): Promise<Receipt> {
  const id = newId();
  const written = await tx.sql(
    `insert into ledger_journals (id, kind, key, request_hash, reason, cause, resolves, expires_at, effective_at)
     values (?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?) on conflict (key) do nothing returning id`,
    [
      id,
      draft.kind,
      draft.key,
      requestHash(draft),
      draft.reason,
      JSON.stringify(draft.cause),
      draft.resolves ?? null,
      draft.expiresAt ?? null,
      draft.effectiveAt ?? null,
    ],
  );
  // Accounts without a floor are not locked: the same key may have been written since we looked.
  if (written.length === 0) return (await replayed(tx, draft))!;
  const entries = draft.entries.map(({ account, side, amount }) => {
    const { id: accountId, unit } = accounts.get(account)!;
    return { account: accountId, unit, side, amount: String(amount) };
  });
  await tx.sql(
    `insert into ledger_entries (journal_id, kind, account_id, unit, side, amount)
     select ?, ?, account, unit, side, amount
     from jsonb_to_recordset(?::jsonb) as e (account uuid, unit text, side text, amount bigint)`,
    [id, draft.kind, JSON.stringify(entries)],
  );
  return { id, replayed: false };
}
