/**
 * Owns the chart of accounts and the words in which money moves: captured, fee, released, paid out, refunded.
 * Promises that every journal balances, names what caused it and is written once however often it is told; the
 * ledger's own constraints keep that. Escrow, payments and payouts call it inside their transactions.
 */
import { addMoney, type Money } from '#shared/kernel/money.ts';
import { after, type Clock, DAY } from '#shared/kernel/time.ts';
import type { HoldDraft, JournalDraft, Ledger } from '#shared/runtime/ledger/ledger.ts';
import { type Booked, chart, credit, debit } from './accounting.chart.ts';

export interface Share {
  readonly bookingId: string;
  readonly amount: Money;
  readonly feeShare: Money;
}

/** A hold stands until its vendor call has an outcome; this only bounds what nobody ever asked about. */
const HOLD_STANDS_MS = 400 * DAY;

export class AccountingService {
  readonly #ledger: Ledger;
  readonly #clock: Clock;

  constructor(deps: { ledger: Ledger; clock: Clock }) {
    this.#ledger = deps.ledger;
    this.#clock = deps.clock;
  }

  /** J1: what was captured belongs to the legs and, until they are done, to nobody's income. */
  async captured(capture: {
    paymentId: string;
    chargeId: string;
    shipmentId: string;
    shares: readonly Share[];
  }): Promise<void> {
    const { paymentId, chargeId, shipmentId, shares } = capture;
    const { currency } = shares[0]!.amount;
    const fees = sum(shares.map(({ feeShare }) => feeShare));
    const total = addMoney(sum(shares.map(({ amount }) => amount)), fees);
    await this.#post(`captured:${paymentId}`, 'J1 captured', { paymentId, chargeId }, [
      debit(chart.pspClearing(currency), total),
      ...shares.map(({ bookingId, amount }) => credit(chart.held(shipmentId, bookingId, currency), amount)),
      credit(chart.deferredFee(shipmentId, currency), fees),
    ]);
  }

  /** J2: what the card processor kept for itself. */
  async processorFee({ chargeId, fee }: { chargeId: string; fee: Money }): Promise<void> {
    await this.#post(`processor-fee:${chargeId}`, 'J2 processor fee', { chargeId }, [
      debit(chart.pspFees(fee.currency), fee),
      credit(chart.pspClearing(fee.currency), fee),
    ]);
  }

  /** J3: a leg is proven: its share is the carrier's, its fee is ours. The custody event is the cause and the key. */
  async released(
    leg: Share & { shipmentId: string; payeeId: string; custodyEventId: string },
  ): Promise<void> {
    const { shipmentId, bookingId, payeeId, amount, feeShare, custodyEventId } = leg;
    const { currency } = amount;
    await this.#post(`released:${custodyEventId}`, 'J3 released', { custodyEventId, bookingId }, [
      debit(chart.held(shipmentId, bookingId, currency), amount),
      credit(chart.payable(payeeId, currency), amount),
      debit(chart.deferredFee(shipmentId, currency), feeShare),
      credit(chart.platformFee(currency), feeShare),
    ]);
  }

  /** J4, first phase: sets aside what is about to be transferred. Returns the hold. Refuses `LEDGER_FLOOR`. */
  payoutPrepared(payout: {
    operationId: string;
    payoutId: string;
    payeeId: string;
    amount: Money;
  }): Promise<string> {
    const { operationId, payoutId, payeeId, amount } = payout;
    return this.#hold(`payout:${operationId}`, 'J4 payout', { operationId, payoutId }, [
      debit(chart.payable(payeeId, amount.currency), amount),
      credit(chart.payoutInTransit(amount.currency), amount),
    ]);
  }

  /** J4, second phase: the transfer was made. */
  async paidOut(payout: { holdId: string; payoutId: string; transferId: string; amount: Money }) {
    const { holdId, payoutId, transferId, amount } = payout;
    await this.#ledger.postHold(`paid-out:${payoutId}`, holdId);
    await this.#post(`transferred:${payoutId}`, 'J4 transferred', { payoutId, transferId }, [
      debit(chart.payoutInTransit(amount.currency), amount),
      credit(chart.pspClearing(amount.currency), amount),
    ]);
  }

  /** J5, first phase: sets aside what is about to be given back. Returns the hold. Refuses `LEDGER_FLOOR`. */
  refundPrepared(refund: {
    operationId: string;
    shipmentId: string;
    reason: string;
    shares: readonly Share[];
  }): Promise<string> {
    const { operationId, shipmentId, reason, shares } = refund;
    const { currency } = shares[0]!.amount;
    const fees = sum(shares.map(({ feeShare }) => feeShare));
    const total = addMoney(sum(shares.map(({ amount }) => amount)), fees);
    return this.#hold(`refund:${operationId}`, 'J5 refund', { operationId, reason }, [
      ...shares.map(({ bookingId, amount }) => debit(chart.held(shipmentId, bookingId, currency), amount)),
      debit(chart.deferredFee(shipmentId, currency), fees),
      credit(chart.refundPayable(shipmentId, currency), total),
    ]);
  }

  /** J5, second phase: the processor gave it back. */
  async refunded(refund: {
    operationId: string;
    holdId: string;
    shipmentId: string;
    refundId: string;
    amount: Money;
  }): Promise<void> {
    const { operationId, holdId, shipmentId, refundId, amount } = refund;
    await this.#ledger.postHold(`refunded:${operationId}`, holdId);
    await this.#post(`returned:${operationId}`, 'J5 returned to the card', { operationId, refundId }, [
      debit(chart.refundPayable(shipmentId, amount.currency), amount),
      credit(chart.pspClearing(amount.currency), amount),
    ]);
  }

  /** Nothing moved: what was set aside is free again. */
  async letGo(holdId: string, reason: string): Promise<void> {
    await this.#ledger.voidHold(`let-go:${holdId}`, holdId, { reason });
  }

  async #post(
    key: string,
    reason: string,
    cause: JournalDraft['cause'],
    booked: readonly Booked[],
  ): Promise<void> {
    const journal = await this.#drafted(key, reason, cause, booked);
    if (journal.entries.length > 0) await this.#ledger.post(journal);
  }

  async #hold(
    key: string,
    reason: string,
    cause: HoldDraft['cause'],
    booked: readonly Booked[],
  ): Promise<string> {
    const journal = await this.#drafted(key, reason, cause, booked);
    const { id } = await this.#ledger.hold({
      ...journal,
      expiresAt: after(this.#clock.now(), HOLD_STANDS_MS),
    });
    return id;
  }

  /** Entries of nothing are left out: a leg may be carried for free. */
  async #drafted(
    key: string,
    reason: string,
    cause: JournalDraft['cause'],
    booked: readonly Booked[],
  ): Promise<JournalDraft> {
    const moving = booked.filter(({ amount }) => amount !== 0n);
    await this.#ledger.openAccounts(moving.map(({ account }) => account));
    const entries = moving.map(({ account, side, amount }) => ({ account: account.code, side, amount }));
    return { key, reason, cause, entries, effectiveAt: this.#clock.now() };
  }
}

const sum = ([first, ...rest]: readonly Money[]): Money => addMoney(first!, ...rest);
