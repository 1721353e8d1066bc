/** What the ledger must do, in memory and without any cleverness: the reference for random requests. */
import type { AccountOpening, EntryDraft } from './ledger.ts';

/** `WRITTEN`, `REPLAYED` or the code of a refusal. */
type Answer = string;

interface Hold {
  readonly entries: readonly EntryDraft[];
  expiresAt: number;
  open: boolean;
}

export class LedgerModel {
  readonly accounts: ReadonlyMap<string, AccountOpening>;
  /** Everything that was posted, in order. */
  readonly posted: EntryDraft[] = [];
  readonly holds = new Map<string, Hold>();
  readonly requests = new Map<string, string>();
  journals = 0n;

  constructor(accounts: readonly AccountOpening[]) {
    this.accounts = new Map(accounts.map((account) => [account.code, account]));
  }

  post(key: string, entries: readonly EntryDraft[]): Answer {
    const answer = this.#mayWrite(key, 'posted', entries, (entry) => this.#signed(entry));
    if (answer === 'WRITTEN') this.posted.push(...entries);
    return answer;
  }

  /** The hold is named by its key. */
  hold(key: string, entries: readonly EntryDraft[], expiresAt: number): Answer {
    const takes = (entry: EntryDraft) => (this.#signed(entry) < 0n ? this.#signed(entry) : 0n);
    const answer = this.#mayWrite(key, 'pending', entries, takes);
    if (answer === 'WRITTEN') this.holds.set(key, { entries, expiresAt, open: true });
    return answer;
  }

  postHold(key: string, holdKey: string, part?: readonly EntryDraft[]): Answer {
    const hold = this.holds.get(holdKey)!;
    const entries = part ?? hold.entries;
    if (entries.some(({ amount }) => amount <= 0n)) return 'LEDGER_AMOUNT_INVALID';
    const known = this.#known(key, `post ${holdKey}`, entries);
    if (known) return known;
    if (!hold.open) return 'LEDGER_HOLD_RESOLVED';
    const sum = (list: readonly EntryDraft[], like: EntryDraft) =>
      list.reduce(
        (all, each) => all + (each.account === like.account && each.side === like.side ? each.amount : 0n),
        0n,
      );
    if (entries.some((entry) => sum(entries, entry) > sum(hold.entries, entry)))
      return 'LEDGER_AMOUNT_INVALID';
    if (!this.#balanced(entries)) return 'LEDGER_UNBALANCED';
    this.posted.push(...entries);
    return this.#resolve(key, `post ${holdKey}`, hold, entries);
  }

  voidHold(key: string, holdKey: string): Answer {
    const hold = this.holds.get(holdKey)!;
    const known = this.#known(key, `void ${holdKey}`, hold.entries);
    if (known) return known;
    return hold.open ? this.#resolve(key, `void ${holdKey}`, hold, hold.entries) : 'LEDGER_HOLD_RESOLVED';
  }

  extendHold(holdKey: string, expiresAt: number): Answer {
    const hold = this.holds.get(holdKey)!;
    if (!hold.open) return 'LEDGER_HOLD_RESOLVED';
    hold.expiresAt = expiresAt;
    return 'WRITTEN';
  }

  expireHolds(now: number): number {
    const due = [...this.holds].filter(([, hold]) => hold.open && hold.expiresAt <= now);
    for (const [holdKey] of due) this.voidHold(`expire ${holdKey}`, holdKey);
    return due.length;
  }

  balance(code: string): { posted: bigint; pendingIn: bigint; pendingOut: bigint } {
    const of = (entries: readonly EntryDraft[]) => entries.filter(({ account }) => account === code);
    const held = of([...this.holds.values()].flatMap((hold) => (hold.open ? hold.entries : [])));
    const sum = (amounts: readonly bigint[]) => amounts.reduce((all, each) => all + each, 0n);
    const signed = held.map((entry) => this.#signed(entry));
    return {
      posted: sum(of(this.posted).map((entry) => this.#signed(entry))),
      pendingIn: sum(signed.filter((amount) => amount > 0n)),
      pendingOut: -sum(signed.filter((amount) => amount < 0n)),
    };
  }

  #signed({ account, side, amount }: EntryDraft): bigint {
    return side === this.accounts.get(account)!.normal ? amount : -amount;
  }

  #mayWrite(
    key: string,
    kind: string,
    entries: readonly EntryDraft[],
    effect: (entry: EntryDraft) => bigint,
  ): Answer {
    if (entries.some(({ amount }) => amount <= 0n)) return 'LEDGER_AMOUNT_INVALID';
    const known = this.#known(key, kind, entries);
    if (known) return known;
    if (entries.some(({ account }) => !this.accounts.has(account))) return 'LEDGER_ACCOUNT_UNKNOWN';
    if (!this.#balanced(entries)) return 'LEDGER_UNBALANCED';
    for (const { code, floor } of this.accounts.values()) {
      const mine = entries.filter(({ account }) => account === code);
      const { posted, pendingOut } = this.balance(code);
      const after = mine.reduce((left, entry) => left + effect(entry), posted - pendingOut);
      if (floor != null && after < floor) return 'LEDGER_FLOOR';
    }
    return this.#written(key, kind, entries);
  }

  #balanced(entries: readonly EntryDraft[]): boolean {
    const units = Map.groupBy(entries, ({ account }) => this.accounts.get(account)!.unit);
    const debits = (list: readonly EntryDraft[]) =>
      list.reduce((all, { side, amount }) => all + (side === 'debit' ? amount : -amount), 0n);
    return entries.length >= 2 && [...units.values()].every((list) => debits(list) === 0n);
  }

  #resolve(key: string, request: string, hold: Hold, entries: readonly EntryDraft[]): Answer {
    hold.open = false;
    return this.#written(key, request, entries);
  }

  #known(key: string, request: string, entries: readonly EntryDraft[]): Answer | null {
    const known = this.requests.get(key);
    if (known === undefined) return null;
    return known === fingerprint(request, entries) ? 'REPLAYED' : 'LEDGER_KEY_REUSED';
  }

  #written(key: string, request: string, entries: readonly EntryDraft[]): Answer {
    this.requests.set(key, fingerprint(request, entries));
    this.journals += 1n;
    return 'WRITTEN';
  }
}

const fingerprint = (request: string, entries: readonly EntryDraft[]): string =>
  [request, ...entries.map(({ account, side, amount }) => `${account} ${side} ${amount}`)].join('; ');
