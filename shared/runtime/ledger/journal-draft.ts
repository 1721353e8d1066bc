/**
 * A journal before it is written: its shape, its identity under an idempotency key, and what it must satisfy.
 * The database checks the same again; here it is worded as a refusal and nothing has been touched yet.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { Conflict, Invalid } from '../../kernel/errors.ts';
import type { JournalKind, Side } from './ledger-books.ts';

export interface EntryDraft {
  /** Code of the account. */
  readonly account: string;
  readonly side: Side;
  /** In the account's unit, above zero. */
  readonly amount: bigint;
}

export interface JournalDraft {
  /** Idempotency key: the same request under the same key is written once. */
  readonly key: string;
  /** Why, for people: `J3 release leg`. */
  readonly reason: string;
  /** What justified it, for machines: the custody event, saga step or webhook. */
  readonly cause: Readonly<Record<string, unknown>>;
  readonly entries: readonly EntryDraft[];
  /** When it happened in the world; by default when it was written. Not part of the request's identity. */
  readonly effectiveAt?: Date;
}

export interface HoldDraft extends JournalDraft {
  /** From here on `expireHolds` voids it; until then it counts. Not part of the request's identity. */
  readonly expiresAt: Date;
}

export interface Draft extends JournalDraft {
  readonly kind: JournalKind;
  readonly resolves?: string;
  readonly expiresAt?: Date;
}

/** An account as its balance stands under our lock; without a floor, no balance is kept. */
export interface AccountRow {
  id: string;
  code: string;
  unit: string;
  normal: Side;
  floor: string | null;
  posted: string;
  pending_out: string;
}

export type Accounts = ReadonlyMap<string, AccountRow>;

const MAX_AMOUNT = 2n ** 63n - 1n;
/** Expiry and effective time stay out: a retry computes them anew from its own clock. */
export function requestHash(draft: Draft): Buffer {
  const { kind, reason, cause, resolves = null } = draft;
  const entries = draft.entries.map((entry) => [entry.account, entry.side, String(entry.amount)]);
  const canonical = canonicalize({ kind, reason, cause, resolves, entries });
  return createHash('sha256').update(String(canonical)).digest();
}

export function requireAmounts(entries: readonly EntryDraft[]): void {
  const wrong = entries.find(({ amount }) => amount <= 0n || amount > MAX_AMOUNT);
  if (wrong)
    throw new Invalid('LEDGER_AMOUNT_INVALID', 'An amount must be above zero and fit 63 bits', {
      account: wrong.account,
      amount: String(wrong.amount),
    });
}

export function requireBalanced(entries: readonly EntryDraft[], accounts: Accounts): void {
  const sums = new Map<string, bigint>();
  for (const { account, side, amount } of entries) {
    const { unit } = accounts.get(account)!;
    sums.set(unit, (sums.get(unit) ?? 0n) + (side === 'debit' ? amount : -amount));
  }
  if (entries.length < 2 || [...sums.values()].some((sum) => sum !== 0n))
    throw new Invalid('LEDGER_UNBALANCED', 'Debits and credits must be equal in every unit');
}

/** Looks at the locked balances, so the answer is still true at commit. */
export function requireFloors({ kind, entries }: Draft, accounts: Accounts): void {
  for (const { code, normal, floor, posted, pending_out } of accounts.values()) {
    if (floor === null) continue;
    const available = BigInt(posted) - BigInt(pending_out) - BigInt(floor);
    const after = entries
      .filter((entry) => entry.account === code && (kind === 'posted' || entry.side !== normal))
      .reduce((sum, { side, amount }) => sum + (side === normal ? amount : -amount), available);
    if (after < 0n)
      throw new Conflict('LEDGER_FLOOR', `Account ${code} has not enough left`, {
        account: code,
        available: String(available),
      });
  }
}

export function requireWithin(entries: readonly EntryDraft[], held: readonly EntryDraft[]): void {
  const total = (list: readonly EntryDraft[], { account, side }: EntryDraft) =>
    list
      .filter((entry) => entry.account === account && entry.side === side)
      .reduce((sum, { amount }) => sum + amount, 0n);
  const above = entries.find((entry) => total(entries, entry) > total(held, entry));
  if (above)
    throw new Invalid('LEDGER_AMOUNT_INVALID', 'No more than what is held can be posted', {
      account: above.account,
      held: String(total(held, above)),
    });
}
