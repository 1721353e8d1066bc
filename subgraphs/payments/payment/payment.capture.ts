/**
 * Takes a payment's money, lets it go or gives it back. Promises that a captured payment is booked and held per
 * leg in the same commit that knows of the capture, and that no more is given back than is held. An outcome that
 * is not known is a transient error, never a refusal. Called by the contract (the booking saga) and by support.
 */
import { Conflict, Forbidden, NotFound, Refusal, Unavailable } from '#shared/kernel/errors.ts';
import { requireId } from '#shared/kernel/ids.ts';
import { addMoney, type Money, money } from '#shared/kernel/money.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { isTransient } from '#shared/runtime/transient.ts';
import type { AccountingService } from '../accounting/accounting.service.ts';
import { type EscrowService, shareOf } from '../escrow/escrow.service.ts';
import type { PaymentsConfig } from '../payments.config.ts';
import type { OperationJournal } from '../processor/operation-journal.ts';
import type { CardProcessor, ProcessorPayment, ProcessorRefund } from '../providers/card-processor.ts';
import { PaymentEntity, type PaymentRow } from './payment.entities.ts';
import type { PaymentProgress } from './payment.progress.ts';

interface OnPayment {
  readonly processorPaymentId: string;
}

interface Refunding extends OnPayment {
  readonly bookingIds: readonly string[];
  readonly amountMinor: string;
  readonly currency: string;
  readonly reason: string;
}

export class PaymentCapture {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #config: PaymentsConfig;
  readonly #processor: CardProcessor;
  readonly #operations: OperationJournal;
  readonly #progress: PaymentProgress;
  readonly #escrow: EscrowService;
  readonly #accounting: AccountingService;
  readonly #take: (paymentId: string, request: OnPayment) => Promise<void>;
  readonly #letGo: (paymentId: string, request: OnPayment) => Promise<void>;
  readonly #giveBack: (paymentId: string, request: Refunding) => Promise<void>;

  constructor(deps: {
    db: Database;
    clock: Clock;
    config: PaymentsConfig;
    processor: CardProcessor;
    operations: OperationJournal;
    progress: PaymentProgress;
    escrow: EscrowService;
    accounting: AccountingService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#config = deps.config;
    this.#processor = deps.processor;
    this.#operations = deps.operations;
    this.#progress = deps.progress;
    this.#escrow = deps.escrow;
    this.#accounting = deps.accounting;
    this.#take = this.#defineMove('capture', 'CAPTURED');
    this.#letGo = this.#defineMove('cancel', 'CANCELLED');
    this.#giveBack = this.#defineRefund();
  }

  /**
   * Takes the authorised money and holds each leg's share; on a captured payment nothing happens.
   * Refuses `PAYMENT_NOT_FOUND`, `PAYMENT_NOT_AUTHORISED` and `PAYMENT_REFUSED` {declineCode}.
   */
  async capture(itineraryId: string): Promise<PaymentRow> {
    const payment = await this.#settled(itineraryId);
    if (!payment) throw new NotFound('PAYMENT_NOT_FOUND', 'No payment was opened for this itinerary');
    if (payment.capturedAt !== null) return payment;
    this.#requireAuthorised(payment);
    try {
      await this.#take(payment.id, { processorPaymentId: payment.processorPaymentId! });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.#progress.sync(payment.id);
      const now = await this.#read(itineraryId);
      if (now!.capturedAt === null && now!.cancelledAt === null)
        throw new Conflict('PAYMENT_REFUSED', 'The money could not be taken', { declineCode: error.code });
    }
    const captured = (await this.#read(itineraryId))!;
    if (captured.capturedAt === null) this.#requireAuthorised(captured);
    return captured;
  }

  /**
   * Lets the reservation go, or gives back whole what was taken; where there is nothing to do, nothing happens.
   * Refuses `NOT_REFUNDABLE` where a carrier was already paid.
   */
  async cancel(itineraryId: string, reason: string): Promise<void> {
    const payment = await this.#settled(itineraryId);
    if (!payment || payment.cancelledAt !== null) return;
    const isThere = await this.#db.transaction(async (tx) => {
      const locked = await this.#progress.lock(tx, payment.id);
      locked.cancelReason ??= reason;
      if (locked.processorPaymentId !== null) return true;
      this.#progress.move(locked, 'void', 'system');
      await this.#progress.cancelled(tx, locked);
      return false;
    });
    if (!isThere) return;
    if (payment.capturedAt !== null) return this.#refund(itineraryId, null, reason);
    try {
      await this.#letGo(payment.id, { processorPaymentId: payment.processorPaymentId! });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'PAYMENT_STATE_CONFLICT') throw error;
      await this.#progress.sync(payment.id);
      if ((await this.#read(itineraryId))!.capturedAt !== null) await this.#refund(itineraryId, null, reason);
    }
  }

  /**
   * Support gives legs back that are held and will not be carried to their end, frozen ones too.
   * Refuses `ROLE_REQUIRED`, `PAYMENT_NOT_FOUND`, `NOT_REFUNDABLE` {bookingIds}, `PAYMENT_OUTCOME_UNKNOWN`.
   */
  async refundLegs(
    viewer: Viewer,
    {
      itineraryId,
      bookingIds,
      reason,
    }: { itineraryId: string; bookingIds: readonly string[]; reason: string },
  ): Promise<PaymentRow> {
    requireSupport(viewer);
    try {
      await this.#refund(requireId(itineraryId), [...new Set(bookingIds)], reason);
    } catch (error) {
      if (!isTransient(error)) throw error;
      throw new Unavailable('PAYMENT_OUTCOME_UNKNOWN', 'We are finding out how the refund ended; look again');
    }
    return (await this.#read(itineraryId))!;
  }

  /** Gives held legs back to the payer's card, with their fees: all legs, or the named ones. */
  async #refund(itineraryId: string, bookingIds: readonly string[] | null, reason: string): Promise<void> {
    const payment = await this.#settled(itineraryId);
    if (!payment) throw new NotFound('PAYMENT_NOT_FOUND', 'No payment was opened for this itinerary');
    const entries = await this.#escrow.refundable(payment.id, bookingIds);
    const amount = wholeOf(entries.map(shareOf));
    await this.#giveBack(payment.id, {
      processorPaymentId: payment.processorPaymentId!,
      bookingIds: entries.map((entry) => entry.bookingId),
      amountMinor: String(amount.amountMinor),
      currency: amount.currency,
      reason,
    });
  }

  /** A call that moves the payment to a state by which it can be recognised afterwards. */
  #defineMove(verb: 'capture' | 'cancel', end: ProcessorPayment['state']) {
    return this.#operations.define<OnPayment, ProcessorPayment>(`${verb} payment`, {
      send: ({ processorPaymentId: paymentId }, key) =>
        this.#processor[verb]({ operationKey: key, paymentId }),
      find: async ({ processorPaymentId }) => {
        const seen = await this.#processor.retrieve(processorPaymentId);
        return seen.state === end ? seen : null;
      },
      done: async (tx, { subjectId }, seen) =>
        this.#progress.learn(tx, await this.#progress.lock(tx, subjectId), seen),
      refused: (tx, { id, subjectId }) => this.#progress.lookAgain(tx, id, subjectId),
      lost: (tx, { subjectId }) => this.#progress.lost(tx, subjectId),
    });
  }

  #defineRefund() {
    return this.#operations.define<Refunding, ProcessorRefund>('refund payment', {
      prepared: async (tx, { id: operationId, subjectId, request }) => {
        const { shipmentId } = await this.#progress.lock(tx, subjectId);
        const shares = (await this.#escrow.refundable(subjectId, request.bookingIds)).map(shareOf);
        return this.#accounting.refundPrepared({ operationId, shipmentId, reason: request.reason, shares });
      },
      send: ({ processorPaymentId: paymentId, amountMinor, currency }, key) =>
        this.#processor.refund({ operationKey: key, paymentId, amount: money(amountMinor, currency) }),
      find: ({ processorPaymentId }, { key }) =>
        this.#processor.findRefundByOperation(key, processorPaymentId),
      done: async (tx, { id: operationId, subjectId, holdId, request }, refund) => {
        const payment = await this.#progress.lock(tx, subjectId);
        const amount = money(request.amountMinor, request.currency);
        const { shipmentId } = payment;
        await this.#accounting.refunded({
          operationId,
          holdId: holdId!,
          shipmentId,
          refundId: refund.id,
          amount,
        });
        await this.#escrow.refunded(subjectId, request.bookingIds);
        this.#progress.givenBack(tx, payment, amount);
      },
      refused: async (tx, { id, subjectId, holdId }, refusal) => {
        await this.#accounting.letGo(holdId!, refusal.code);
        await this.#progress.lookAgain(tx, id, subjectId);
      },
      lost: (tx, { subjectId }) => this.#progress.lost(tx, subjectId),
    });
  }

  /** The payment with nothing under way; null where none was opened. Throws while an outcome is unknown. */
  async #settled(itineraryId: string): Promise<PaymentRow | null> {
    const payment = await this.#read(itineraryId);
    if (!payment) return null;
    await this.#operations.settle(payment.id);
    const now = await this.#read(itineraryId);
    if (now?.state !== 'unknown') return now;
    await this.#progress.sync(now.id);
    return this.#read(itineraryId);
  }

  #requireAuthorised(payment: PaymentRow): void {
    const { state, captureBefore } = payment;
    const late =
      captureBefore != null &&
      after(this.#clock.now(), this.#config.CAPTURE_MARGIN).getTime() >= captureBefore.getTime();
    if (state !== 'requires_capture' || late)
      throw new Conflict('PAYMENT_NOT_AUTHORISED', 'There is no reservation that can be taken', {
        state,
        captureBefore: captureBefore?.toISOString() ?? null,
      });
  }

  #read(itineraryId: string): Promise<PaymentRow | null> {
    return this.#db.read((em) => em.findOne(PaymentEntity, { itineraryId }, { refresh: true }));
  }
}

function requireSupport(viewer: Viewer): void {
  if (viewer.kind === 'user' && viewer.roles.some((role) => role === 'support' || role === 'admin')) return;
  throw new Forbidden('ROLE_REQUIRED', 'Only support may do this');
}

const wholeOf = (shares: readonly { amount: Money; feeShare: Money }[]): Money =>
  shares.flatMap(({ amount, feeShare }) => [amount, feeShare]).reduce((sum, next) => addMoney(sum, next));
