/**
 * Owns what carriers have earned and how it reaches them (`earnings`, `payouts`, `transfers`). Promises that an
 * earning is paid once, that nothing is asked of the processor for an account that cannot receive, and that what
 * is blocked goes on by itself when the payee has done their part. Called by escrow (a leg was released), by
 * resolvers (payees), by jobs and by the processor's events.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { PayoutBlocked, PayoutPaid } from '#shared/events/payments.ts';
import { Invalid, NotFound, Refusal, Unavailable } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { currencyExponent, type Money, money } from '#shared/kernel/money.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock, MINUTE } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import { isTransient } from '#shared/runtime/transient.ts';
import type { AccountingService } from '../accounting/accounting.service.ts';
import type { PaymentsConfig } from '../payments.config.ts';
import { answered, type OperationJournal } from '../processor/operation-journal.ts';
import { isReady, type PaymentAccountRow, type PaymentAccounts } from '../processor/payment-accounts.ts';
import type { CardProcessor, ProcessorTransfer } from '../providers/card-processor.ts';
import {
  EarningEntity,
  type EarningRow,
  PayoutEntity,
  type PayoutRow,
  TransferEntity,
} from './payout.entities.ts';
import { drainJob, payoutJob } from './payout.jobs.ts';
import { type PayoutEvent, payoutStates } from './payout.states.ts';

export type PayoutView = PayoutRow;
export type PayoutAccountView = PaymentAccountRow;

export interface Earned {
  readonly bookingId: string;
  readonly itineraryId: string;
  readonly payeeId: string;
  readonly amount: Money;
  readonly chargeId: string;
  readonly releasedAt: Date;
}

interface Transferring {
  readonly accountId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly chargeId: string;
  readonly group: string;
}

const mostFailures = 3;
/** What a payee without an account has to do. */
const openAccountFirst = ['payout_account'];

export class PayoutService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #config: PaymentsConfig;
  readonly #publicUrl: string;
  readonly #processor: CardProcessor;
  readonly #operations: OperationJournal;
  readonly #accounting: AccountingService;
  readonly #accounts: PaymentAccounts;
  readonly #transfer: (payoutId: string, request: Transferring) => Promise<void>;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    config: PaymentsConfig;
    publicUrl: string;
    processor: CardProcessor;
    operations: OperationJournal;
    accounting: AccountingService;
    accounts: PaymentAccounts;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#config = deps.config;
    this.#publicUrl = deps.publicUrl;
    this.#processor = deps.processor;
    this.#operations = deps.operations;
    this.#accounting = deps.accounting;
    this.#accounts = deps.accounts;
    this.#transfer = this.#defineTransfer();
  }

  /** Notes what a released leg has earned, within the commit that releases it; it is paid out soon. */
  async accrue({ bookingId, itineraryId, payeeId, amount, chargeId, releasedAt }: Earned): Promise<void> {
    const { amountMinor, currency } = amount;
    if (amountMinor === 0n) return;
    await this.#db.transaction(async (tx) => {
      tx.em.create(EarningEntity, {
        bookingId,
        payeeId,
        amountMinor,
        currency,
        processorChargeId: chargeId,
        itineraryId,
        releasedAt,
      });
      const at = { id: `drain:${bookingId}`, runAt: after(releasedAt, this.#config.PAYOUT_DELAY) };
      await this.#durable.schedule(tx, drainJob, at, { payeeId, currency });
    });
  }

  /** Makes payouts of what a payee has earned, one per charge that funds them; too little waits for more. */
  async drain(payeeId: string, currency: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`drain:${payeeId}`]);
      const earnings = await tx.em.find(
        EarningEntity,
        { payeeId, currency, payoutId: null },
        { orderBy: { releasedAt: 'asc', bookingId: 'asc' } },
      );
      const total = earnings.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
      if (total < this.#config.PAYOUT_MINIMUM) return;
      for (const group of Map.groupBy(earnings, ({ processorChargeId }) => processorChargeId).values())
        await this.#makePayout(tx, group);
    });
  }

  /** Makes a payout, or blocks it where its payee cannot receive. Throws while its outcome is unknown. */
  async payOut(payoutId: string): Promise<void> {
    await this.#operations.settle(payoutId);
    const { payeeId } = await this.#db.read((em) => em.findOneOrFail(PayoutEntity, { id: payoutId }));
    const request = await this.#db.transaction(async (tx) => {
      const account = await this.#accounts.lockPayee(tx, payeeId);
      const payout = await this.#lock(tx, payoutId);
      if (payout.state !== 'eligible') return null;
      if (isReady(account)) return transferringOf(payout, account.processorId);
      this.#block(tx, payout, account?.processorId == null ? openAccountFirst : account.requirements);
      return null;
    });
    if (!request) return;
    try {
      await this.#transfer(payoutId, request);
    } catch (error) {
      // What a refusal means was settled in the commit that failed the operation.
      if (!(error instanceof Refusal)) throw error;
    }
  }

  /**
   * Opens the account that the viewer is paid out to, or looks how it stands; what waited for it goes on.
   * Refuses `SIGN_IN_REQUIRED`, `COUNTRY_INVALID`, `CURRENCY_UNKNOWN`, `PROCESSOR_UNAVAILABLE`.
   */
  async openAccount(
    viewer: Viewer,
    request: { country: string; currency: string },
  ): Promise<PaymentAccountRow> {
    const { userId } = requireUser(viewer);
    if (!/^[A-Z]{2}$/.test(request.country))
      throw new Invalid('COUNTRY_INVALID', 'Give the country as two capitals, for example FR');
    currencyExponent(request.currency);
    try {
      const { processorId } = await this.#accounts.openPayee(userId, request);
      await this.learnAccount(processorId!);
    } catch (error) {
      if (!isTransient(error)) throw error;
      throw new Unavailable('PROCESSOR_UNAVAILABLE', 'The payout account cannot be reached; try again');
    }
    return (await this.#accounts.payee(userId))!;
  }

  /** Asks how a payout account stands, and lets go on what it had blocked; false where it is none of ours. */
  async learnAccount(processorId: string): Promise<boolean> {
    const status = await answered(() => this.#processor.payoutAccountStatus(processorId));
    return this.#db.transaction(async (tx) => {
      const account = await this.#accounts.record(tx, status);
      if (isReady(account)) await this.#clear(tx, account.userId);
      return account !== null;
    });
  }

  /** A page, good for one visit, on which the viewer hands in what is due; null where nothing is. */
  async onboardingUrl(viewer: Viewer, account: PaymentAccountRow): Promise<string | null> {
    if (requireUser(viewer).userId !== account.userId || isReady(account) || !account.processorId)
      return null;
    const home = `${this.#publicUrl}/`;
    const link = { payoutAccountId: account.processorId, returnUrl: home, refreshUrl: home };
    return (await this.#processor.onboardingLink(link)).url;
  }

  /** One of the viewer's payouts. Refuses `SIGN_IN_REQUIRED`, `PAYOUT_NOT_FOUND`. */
  async one(viewer: Viewer, payoutId: string): Promise<PayoutRow> {
    requireUser(viewer);
    const [payout] = await this.byIds(viewer, [payoutId]);
    if (!payout || payout instanceof Error)
      throw new NotFound('PAYOUT_NOT_FOUND', 'There is no such payout of yours');
    return payout;
  }

  /** The viewer's payouts, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async mine(viewer: Viewer, page: PageArguments): Promise<Connection<PayoutView>> {
    const { userId } = requireUser(viewer);
    const size = pageSize(page);
    const before = page.after ? decodeCursor(page.after) : null;
    if (before !== null && !isId(before))
      throw new Invalid('CURSOR_INVALID', 'The cursor was not made by this list');
    const where = { payeeId: userId, ...(before ? { id: { $lt: before } } : {}) };
    const rows = await this.#db.read((em) =>
      em.find(PayoutEntity, where, { orderBy: { id: 'desc' }, limit: size + 1 }),
    );
    return connection(rows, size, ({ id }) => id);
  }

  readonly byIds: Batch<string, PayoutView> = async (viewer, ids) => {
    const payouts = await this.#db.read((em) => em.find(PayoutEntity, { id: { $in: ids.filter(isId) } }));
    const own = payouts.filter(
      ({ payeeId }) => viewer.kind === 'service' || (viewer.kind === 'user' && viewer.userId === payeeId),
    );
    return inOrder(ids, own, ({ id }) => id);
  };

  /** Legs that payouts pay for; only asked for payouts that the viewer was shown. */
  readonly bookingsByPayout: Batch<string, string[]> = async (_viewer, ids) => {
    const earnings = await this.#db.read((em) =>
      em.find(EarningEntity, { payoutId: { $in: [...ids] } }, { orderBy: { bookingId: 'asc' } }),
    );
    return groupedBy(ids, earnings, ({ payoutId }) => payoutId!).map((group) =>
      group.map(({ bookingId }) => bookingId),
    );
  };

  /** Payout accounts; everybody sees their own. */
  readonly accountByUser: Batch<string, PayoutAccountView> = async (viewer, userIds) => {
    const own = userIds.filter((userId) => viewer.kind === 'user' && viewer.userId === userId);
    const accounts = own.length > 0 ? await this.#accounts.payees(own) : [];
    return inOrder(userIds, accounts, ({ userId }) => userId);
  };

  #defineTransfer() {
    return this.#operations.define<Transferring, ProcessorTransfer>('transfer', {
      prepared: async (tx, { id: operationId, subjectId: payoutId }) => {
        const payout = await this.#lock(tx, payoutId);
        move(payout, 'submit');
        const { payeeId } = payout;
        return this.#accounting.payoutPrepared({ operationId, payoutId, payeeId, amount: amountOf(payout) });
      },
      send: ({ accountId, amountMinor, currency, chargeId, group }, key) =>
        this.#processor.transfer({
          operationKey: key,
          payoutAccountId: accountId,
          amount: money(amountMinor, currency),
          chargeId,
          group,
        }),
      find: ({ accountId }, { key, sentAt }) =>
        this.#processor.findTransferByOperation(key, { payoutAccountId: accountId, sentAt }),
      done: async (tx, { subjectId: payoutId, holdId, request }, made) => {
        const payout = await this.#lock(tx, payoutId);
        move(payout, 'pay');
        const [amount, paidAt] = [amountOf(payout), this.#clock.now()];
        payout.paidAt = paidAt;
        tx.em.create(TransferEntity, {
          id: newId(),
          payoutId,
          processorTransferId: made.id,
          processorAccountId: request.accountId,
          amountMinor: payout.amountMinor,
          currency: payout.currency,
          madeAt: paidAt,
        });
        await this.#accounting.paidOut({ holdId: holdId!, payoutId, transferId: made.id, amount });
        tx.tell(PayoutPaid, { payoutId, payeeId: payout.payeeId, amount, paidAt });
      },
      refused: async (tx, { subjectId, holdId }, refusal) => {
        const payout = await this.#lock(tx, subjectId);
        await this.#accounting.letGo(holdId!, refusal.code);
        move(payout, 'fail');
        payout.failures += 1;
        if (refusal.code === 'PAYOUT_ACCOUNT_NOT_ENABLED' || payout.failures > mostFailures)
          return this.#block(tx, payout, [refusal.code.toLowerCase()]);
        await this.#schedule(tx, payout, after(this.#clock.now(), payout.failures * 5 * MINUTE));
      },
      lost: async (tx, { subjectId }) => {
        const payout = await this.#lock(tx, subjectId);
        if (payout.state === 'submitted') move(payout, 'lose_sight');
      },
    });
  }

  async #makePayout(tx: Transaction, earnings: readonly EarningRow[]): Promise<void> {
    const { payeeId, currency, processorChargeId, itineraryId } = earnings[0]!;
    const now = this.#clock.now();
    const payout = tx.em.create(PayoutEntity, {
      id: newId(),
      payeeId,
      amountMinor: earnings.reduce((sum, { amountMinor }) => sum + amountMinor, 0n),
      currency,
      processorChargeId,
      itineraryId,
      state: payoutStates.initial,
      statesVersion: payoutStates.version,
      version: 0,
      requirements: [],
      failures: 0,
      createdAt: now,
    });
    for (const earning of earnings) earning.payoutId = payout.id;
    await this.#schedule(tx, payout, now);
  }

  #schedule(tx: Transaction, payout: PayoutRow, runAt: Date): Promise<void> {
    const at = { id: `${payout.id}:${payout.version}`, runAt };
    return this.#durable.schedule(tx, payoutJob, at, { payoutId: payout.id });
  }

  #block(tx: Transaction, payout: PayoutRow, requirements: readonly string[]): void {
    move(payout, 'block');
    payout.requirements = [...requirements];
    const { payeeId } = payout;
    tx.tell(PayoutBlocked, { payeeId, amount: amountOf(payout), requirements: payout.requirements });
  }

  async #clear(tx: Transaction, payeeId: string): Promise<void> {
    const blocked = await tx.em.find(
      PayoutEntity,
      { payeeId, state: 'blocked' },
      { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE },
    );
    for (const payout of blocked) {
      move(payout, 'clear');
      payout.requirements = [];
      payout.failures = 0;
      await this.#schedule(tx, payout, this.#clock.now());
    }
  }

  #lock(tx: Transaction, payoutId: string): Promise<PayoutRow> {
    return tx.em.findOneOrFail(
      PayoutEntity,
      { id: payoutId },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }
}

const amountOf = ({ amountMinor, currency }: PayoutRow): Money => money(amountMinor, currency);

const transferringOf = (payout: PayoutRow, accountId: string): Transferring => ({
  accountId,
  amountMinor: String(payout.amountMinor),
  currency: payout.currency,
  chargeId: payout.processorChargeId,
  group: payout.itineraryId,
});

const move = (payout: PayoutRow, event: PayoutEvent): void => {
  payout.state = nextState(payoutStates, payout.state, event, 'system');
  payout.version += 1;
};
