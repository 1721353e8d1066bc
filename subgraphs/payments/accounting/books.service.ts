/**
 * Shows the books: the proof that anybody may see, a payee's own balance and entries, and the comparison with
 * the card processor. Reads only. The proof holds no personal data and costs one walk over the chain at most
 * once a minute, however often it is asked for.
 */
import { Forbidden } from '#shared/kernel/errors.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { type Connection, connection, type PageArguments, pageSize } from '#shared/kernel/pages.ts';
import { type Clock, MINUTE } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Ledger, LedgerEntry } from '#shared/runtime/ledger/ledger.ts';
import type { CardProcessor } from '../providers/card-processor.ts';
import { chart } from './accounting.chart.ts';

export interface LedgerProofView {
  readonly currencies: readonly {
    readonly currency: string;
    readonly trialBalance: bigint;
    readonly held: bigint;
    readonly deferredFees: bigint;
    readonly payable: bigint;
  }[];
  readonly chainIntact: boolean;
  readonly journals: bigint;
}

export type LedgerEntryView = LedgerEntry;

export interface PayeeBalanceView {
  readonly available: Money;
  readonly onItsWay: Money;
}

export interface ReconciliationView {
  readonly currency: string;
  readonly ledger: bigint;
  readonly processor: bigint;
  readonly difference: bigint;
}

const beginning = new Date(0);

export class BooksService {
  readonly #db: Database;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #processor: CardProcessor;
  #proof: { seq: string; at: number; result: Promise<LedgerProofView> } | undefined;

  constructor(deps: { db: Database; ledger: Ledger; clock: Clock; processor: CardProcessor }) {
    this.#db = deps.db;
    this.#ledger = deps.ledger;
    this.#clock = deps.clock;
    this.#processor = deps.processor;
  }

  /** Whether the books balance and nobody has rewritten them. For everybody. */
  async proof(): Promise<LedgerProofView> {
    const [head] = await this.#rows<{ seq: string }>('select seq::text from ledger_head');
    const seq = head?.seq ?? '0';
    const now = this.#clock.now().getTime();
    if (!this.#proof || this.#proof.seq !== seq || now - this.#proof.at >= MINUTE) {
      const result = this.#prove();
      this.#proof = { seq, at: now, result };
      result.catch(() => (this.#proof = undefined));
    }
    return this.#proof.result;
  }

  /** What the viewer has earned and not been paid yet, per currency. Refuses `SIGN_IN_REQUIRED`. */
  async myBalance(viewer: Viewer): Promise<PayeeBalanceView[]> {
    const { userId } = requireUser(viewer);
    const balances = await this.#ledger.balances({ prefix: chart.payable(userId, '').code });
    return balances.map(({ unit, available, pendingOut }) => ({
      available: money(available, unit),
      onItsWay: money(pendingOut, unit),
    }));
  }

  /** What moved on the viewer's own account, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async myEntries(
    viewer: Viewer,
    currency: string,
    page: PageArguments,
  ): Promise<Connection<LedgerEntryView>> {
    const { userId } = requireUser(viewer);
    const { code } = chart.payable(userId, currency);
    const [open] = await this.#rows('select 1 from ledger_accounts where code = ?', [code]);
    if (!open) return connection<LedgerEntryView>([], pageSize(page), () => '');
    return this.#ledger.entriesOf(code, page);
  }

  /** Our books beside the processor's, per currency: every difference is a fault. Refuses `ROLE_REQUIRED`. */
  async reconciliation(viewer: Viewer): Promise<ReconciliationView[]> {
    if (viewer.kind !== 'service' && !(viewer.kind === 'user' && viewer.roles.includes('admin')))
      throw new Forbidden('ROLE_REQUIRED', 'Only administrators may see this');
    const processor = new Map<string, bigint>();
    for await (const { net } of this.#processor.balanceMovements({ from: beginning, to: this.#clock.now() }))
      processor.set(net.currency, (processor.get(net.currency) ?? 0n) + net.amountMinor);
    const clearing = await this.#ledger.balances({ prefix: chart.pspClearing('').code });
    const ledger = new Map(clearing.map(({ unit, posted }) => [unit, posted]));
    return [...new Set([...ledger.keys(), ...processor.keys()])].sort().map((currency) => {
      const [ours, theirs] = [ledger.get(currency) ?? 0n, processor.get(currency) ?? 0n];
      return { currency, ledger: ours, processor: theirs, difference: ours - theirs };
    });
  }

  async #prove(): Promise<LedgerProofView> {
    const [trial, sums, drift, chain] = await Promise.all([
      this.#ledger.trialBalance(),
      this.#rows<{ unit: string; held: string; deferred_fees: string; payable: string }>(
        `select unit,
           coalesce(sum(posted) filter (where code like 'held:%'), 0)::text as held,
           coalesce(sum(posted) filter (where code like 'deferred_fee:%'), 0)::text as deferred_fees,
           coalesce(sum(posted) filter (where code like 'payable:%'), 0)::text as payable
         from ledger_accounts where floor is not null group by unit`,
      ),
      this.#ledger.drift(),
      this.#ledger.verifyChain(),
    ]);
    const byUnit = new Map(sums.map((row) => [row.unit, row]));
    return {
      currencies: trial.map(({ unit, difference }) => ({
        currency: unit,
        trialBalance: difference,
        held: BigInt(byUnit.get(unit)?.held ?? 0),
        deferredFees: BigInt(byUnit.get(unit)?.deferred_fees ?? 0),
        payable: BigInt(byUnit.get(unit)?.payable ?? 0),
      })),
      chainIntact: chain.intact && drift.length === 0,
      journals: chain.intact ? chain.length : (chain.seq ?? 0n),
    };
  }

  #rows<Row extends object>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return this.#db.read((em) => em.execute(text, parameters as unknown[]) as unknown as Promise<Row[]>);
  }
}
