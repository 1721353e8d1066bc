/**
 * What the ledger says when asked: balances, statements, and the three proofs that it can be believed
 * (trial balance, drift, hash chain). Reads only. Inside a transaction it sees what was posted there.
 */
import { Invalid, NotFound } from '../../kernel/errors.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '../../kernel/pages.ts';
import type { Database } from '../database.ts';

export type Side = 'debit' | 'credit';
export type JournalKind = 'posted' | 'pending' | 'post' | 'void';

/** All amounts are in the account's unit and counted on its normal side. */
export interface Balance {
  readonly code: string;
  /** ISO 4217 code (amounts in minor units) or a measure such as `g`. */
  readonly unit: string;
  readonly normal: Side;
  readonly floor: bigint | null;
  readonly posted: bigint;
  /** What open holds would add. */
  readonly pendingIn: bigint;
  /** What open holds would take. */
  readonly pendingOut: bigint;
  /** What may still be taken: posted - pendingOut - floor. Without a floor nothing enforces it. */
  readonly available: bigint;
}

export interface LedgerEntry {
  readonly id: bigint;
  readonly journalId: string;
  readonly kind: JournalKind;
  readonly reason: string;
  readonly cause: Readonly<Record<string, unknown>>;
  readonly side: Side;
  readonly amount: bigint;
  readonly unit: string;
  readonly effectiveAt: Date;
  readonly createdAt: Date;
}

/** Sums of the posted balances of debit-normal and of credit-normal accounts; `difference` must be zero. */
export interface TrialBalance {
  readonly unit: string;
  readonly debits: bigint;
  readonly credits: bigint;
  readonly difference: bigint;
}

export type ChainProblem =
  /** The journal, its entries or their accounts are no longer what was sealed. */
  | 'CHANGED'
  /** A link of the chain is gone. */
  | 'MISSING'
  /** A journal that never passed the checks at commit. */
  | 'UNSEALED'
  /** The chain ends elsewhere than its head says: the end was cut off or the head was changed. */
  | 'HEAD_DIFFERS';

export type ChainReport =
  | { readonly intact: true; readonly length: bigint; readonly hash: string }
  | {
      readonly intact: false;
      readonly problem: ChainProblem;
      readonly seq: bigint | null;
      readonly journalId: string | null;
    };

interface BalanceRow {
  code: string;
  unit: string;
  normal: Side;
  floor: string | null;
  posted: string;
  pending_in: string;
  pending_out: string;
}

const currentBalances = `
  select a.code, a.unit, a.normal, a.floor::text as floor,
    coalesce(d.posted, a.posted)::text as posted,
    coalesce(d.pending_in, a.pending_in)::text as pending_in,
    coalesce(d.pending_out, a.pending_out)::text as pending_out
  from ledger_accounts a
  left join lateral (select * from ledger_derived(a.id) where a.floor is null) d on true`;

const CHAIN_BATCH = 2_000;

export class LedgerBooks {
  protected readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  /** One account's balance. Refuses `LEDGER_ACCOUNT_UNKNOWN`. */
  async balance(code: string): Promise<Balance> {
    const [balance] = await this.balances([code]);
    return balance!;
  }

  /**
   * Balances ordered by code: of the listed accounts, or of all whose code starts with a prefix.
   * Refuses `LEDGER_ACCOUNT_UNKNOWN` for a listed code; a prefix may match nothing.
   */
  async balances(which: readonly string[] | { readonly prefix: string }): Promise<Balance[]> {
    const rows =
      'prefix' in which
        ? await this.rows<BalanceRow>(`${currentBalances} where a.code ^@ ? order by a.code`, [which.prefix])
        : await this.rows<BalanceRow>(
            `${currentBalances} where a.code in (select jsonb_array_elements_text(?::jsonb)) order by a.code`,
            [JSON.stringify(which)],
          );
    if (!('prefix' in which)) requireAccounts(which, new Set(rows.map((row) => row.code)));
    return rows.map(toBalance);
  }

  /** What moved on an account, newest first. Refuses `LEDGER_ACCOUNT_UNKNOWN`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async entriesOf(code: string, page: PageArguments = {}): Promise<Connection<LedgerEntry>> {
    const size = pageSize(page);
    const before = page.after ? decodeCursor(page.after) : null;
    if (before !== null && !/^\d{1,18}$/.test(before))
      throw new Invalid('CURSOR_INVALID', 'The cursor was not made by this list');
    const [account] = await this.rows<{ id: string }>('select id from ledger_accounts where code = ?', [
      code,
    ]);
    if (!account) throw unknownAccounts([code]);
    const rows = await this.rows<{
      id: string;
      journal_id: string;
      kind: JournalKind;
      reason: string;
      cause: Record<string, unknown>;
      side: Side;
      amount: string;
      unit: string;
      effective_ms: string;
      created_ms: string;
    }>(
      `select e.id::text, e.journal_id, e.kind, j.reason, j.cause, e.side, e.amount::text, e.unit,
         extract(epoch from j.effective_at) * 1000 as effective_ms,
         extract(epoch from j.created_at) * 1000 as created_ms
       from ledger_entries e join ledger_journals j on j.id = e.journal_id
       where e.account_id = ? and (?::bigint is null or e.id < ?::bigint) order by e.id desc limit ?`,
      [account.id, before, before, size + 1],
    );
    const entries = rows.map((row) => ({
      id: BigInt(row.id),
      journalId: row.journal_id,
      kind: row.kind,
      reason: row.reason,
      cause: row.cause,
      side: row.side,
      amount: BigInt(row.amount),
      unit: row.unit,
      effectiveAt: new Date(Number(row.effective_ms)),
      createdAt: new Date(Number(row.created_ms)),
    }));
    return connection(entries, size, (entry) => String(entry.id));
  }

  /** One row per unit. Any `difference` but zero means that the books cannot be trusted. */
  async trialBalance(): Promise<TrialBalance[]> {
    const rows = await this.rows<{ unit: string; debits: string; credits: string }>(
      `select unit, coalesce(sum(posted::numeric) filter (where normal = 'debit'), 0)::text as debits,
         coalesce(sum(posted::numeric) filter (where normal = 'credit'), 0)::text as credits
       from (${currentBalances}) b group by unit order by unit`,
    );
    return rows.map(({ unit, debits, credits }) => ({
      unit,
      debits: BigInt(debits),
      credits: BigInt(credits),
      difference: BigInt(debits) - BigInt(credits),
    }));
  }

  /** Codes of accounts whose kept balance is not the sum of their entries: must be empty. */
  async drift(): Promise<string[]> {
    const rows = await this.rows<{ code: string }>(
      `select a.code from ledger_accounts a cross join lateral ledger_derived(a.id) d
       where a.floor is not null
         and (a.posted, a.pending_in, a.pending_out) is distinct from (d.posted, d.pending_in, d.pending_out)
       order by a.code`,
    );
    return rows.map((row) => row.code);
  }

  /**
   * Recomputes the hash chain and names the first row that does not fit. Call it outside transactions:
   * what the open transaction posted is sealed only by its commit. Keep `hash` elsewhere from time to time;
   * whoever rewrites the whole chain cannot rewrite that.
   */
  async verifyChain(): Promise<ChainReport> {
    let last = 0n;
    for (let size = CHAIN_BATCH; size === CHAIN_BATCH; ) {
      const links = await this.rows<{ seq: string; journal_id: string; fits: boolean | null }>(
        `select c.seq::text, c.journal_id, c.hash = ledger_hash(c.hash_version,
           case c.seq when 1 then decode(repeat('00', 32), 'hex') else p.hash end, c.seq, c.journal_id) as fits
         from ledger_chain c left join ledger_chain p on p.seq = c.seq - 1
         where c.seq > ? order by c.seq limit ?`,
        [String(last), CHAIN_BATCH],
      );
      for (const link of links) {
        const seq = BigInt(link.seq);
        if (seq !== last + 1n) return broken('MISSING', last + 1n, null);
        if (link.fits !== true) return broken('CHANGED', seq, link.journal_id);
        last = seq;
      }
      size = links.length;
    }
    const [unsealed] = await this.rows<{ id: string }>(
      `select id from ledger_journals j
       where not exists (select from ledger_chain c where c.journal_id = j.id) order by id limit 1`,
    );
    if (unsealed) return broken('UNSEALED', null, unsealed.id);
    const [head] = await this.rows<{ seq: string; hash: string; fits: boolean | null }>(
      `select h.seq::text, encode(h.hash, 'hex') as hash,
         case when l.seq is null then h.seq = 0 else l.seq = h.seq and l.hash = h.hash end as fits
       from ledger_head h left join (select * from ledger_chain order by seq desc limit 1) l on true`,
    );
    if (head?.fits !== true) return broken('HEAD_DIFFERS', head ? BigInt(head.seq) : null, null);
    return { intact: true, length: BigInt(head.seq), hash: head.hash };
  }

  protected rows<Row extends object>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return this.db.read((em) => em.execute(text, parameters as unknown[]) as unknown as Promise<Row[]>);
  }
}

/** Refuses `LEDGER_ACCOUNT_UNKNOWN` unless every code is among the known ones. */
export function requireAccounts(codes: readonly string[], known: { has(code: string): boolean }): void {
  const unknown = codes.filter((code) => !known.has(code));
  if (unknown.length > 0) throw unknownAccounts(unknown);
}

const unknownAccounts = (accounts: readonly string[]) =>
  new NotFound('LEDGER_ACCOUNT_UNKNOWN', `The ledger has no account ${accounts.join(', ')}`, { accounts });

const broken = (problem: ChainProblem, seq: bigint | null, journalId: string | null): ChainReport => ({
  intact: false,
  problem,
  seq,
  journalId,
});

function toBalance(row: BalanceRow): Balance {
  const [posted, pendingIn, pendingOut] = [
    BigInt(row.posted),
    BigInt(row.pending_in),
    BigInt(row.pending_out),
  ];
  const floor = row.floor === null ? null : BigInt(row.floor);
  const available = posted - pendingOut - (floor ?? 0n);
  return {
    code: row.code,
    unit: row.unit,
    normal: row.normal,
    floor,
    posted,
    pendingIn,
    pendingOut,
    available,
  };
}
