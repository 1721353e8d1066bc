/**
 * Turns what the card processor says of a payment into what we know of it, whoever learned it: the answer to a
 * call, a webhook or a recovery. Promises that any order and any number of such news ends in one state, with the
 * money booked, the legs held and each fact told once. Vendors are asked outside transactions.
 */
import { LockMode } from '@mikro-orm/postgresql';
import type { PaymentState } from '#shared/contracts/payments.ts';
import {
  PaymentAuthorised,
  PaymentCancelled,
  PaymentCaptured,
  PaymentRefused,
} from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { allowedEvents, nextState } from '#shared/kernel/states.ts';
import { after, type Clock, HOUR } from '#shared/kernel/time.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { AccountingService } from '../accounting/accounting.service.ts';
import type { EscrowService } from '../escrow/escrow.service.ts';
import { answered } from '../processor/operation-journal.ts';
import type { CardProcessor, Decline, ProcessorPayment } from '../providers/card-processor.ts';
import { ChargeEntity, PaymentEntity, type PaymentRow } from './payment.entities.ts';
import { syncPaymentJob } from './payment.jobs.ts';
import { type PaymentEvent, paymentStates } from './payment.states.ts';

const eventOf: Record<ProcessorPayment['state'], PaymentEvent> = {
  REQUIRES_METHOD: 'ask_for_method',
  REQUIRES_CONFIRMATION: 'ask_for_confirmation',
  REQUIRES_ACTION: 'ask_cardholder',
  PROCESSING: 'wait_for_issuer',
  AUTHORISED: 'authorise',
  CAPTURED: 'capture',
  CANCELLED: 'void',
};

/** An attempt is under way in these: back to "requires a method" means that it failed. */
const attempting: readonly PaymentState[] = ['requires_action', 'processing'];

/** Once authorised, whatever is said to be before these was true before. */
const settled: readonly ProcessorPayment['state'][] = ['AUTHORISED', 'CAPTURED', 'CANCELLED'];

export class PaymentProgress {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #processor: CardProcessor;
  readonly #escrow: EscrowService;
  readonly #accounting: AccountingService;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    processor: CardProcessor;
    escrow: EscrowService;
    accounting: AccountingService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#processor = deps.processor;
    this.#escrow = deps.escrow;
    this.#accounting = deps.accounting;
  }

  lock(tx: Transaction, paymentId: string): Promise<PaymentRow> {
    return tx.em.findOneOrFail(
      PaymentEntity,
      { id: paymentId },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }

  /** Asks the processor and learns the answer; false where no payment of ours has this id there. */
  async syncByProcessorId(processorPaymentId: string): Promise<boolean> {
    const known = await this.#db.read((em) => em.findOne(PaymentEntity, { processorPaymentId }));
    if (known) await this.sync(known.id);
    return known !== null;
  }

  /** As `syncByProcessorId`. What was learned while we asked is not overwritten: then we ask again. */
  async sync(paymentId: string): Promise<void> {
    for (let fresh = false; !fresh; ) {
      const before = await this.#db.read((em) => em.findOneOrFail(PaymentEntity, { id: paymentId }));
      const { processorPaymentId } = before;
      if (processorPaymentId == null) return;
      const seen = await answered(() => this.#processor.retrieve(processorPaymentId));
      fresh = await this.#db.transaction(async (tx) => {
        const payment = await this.lock(tx, paymentId);
        if (payment.version !== before.version) return false;
        await this.learn(tx, payment, seen);
        return true;
      });
    }
  }

  /**
   * Moves a locked payment to what was seen, with everything that follows from it.
   * @param refusal set where an attempt was just refused; elsewhere it shows in the payment falling back
   */
  async learn(
    tx: Transaction,
    payment: PaymentRow,
    seen: ProcessorPayment,
    refusal?: Decline,
  ): Promise<void> {
    payment.processorPaymentId ??= seen.id;
    payment.version += 1;
    if (seen.state === 'CAPTURED' && payment.capturedAt !== null) {
      await this.#learnFee(tx, payment, seen);
      if (payment.state === 'unknown') this.#restore(payment);
      return;
    }
    const isOld = payment.authorisedAt !== null && !settled.includes(seen.state);
    if (isOld || payment.capturedAt !== null || payment.cancelledAt !== null) return;
    const wasAttempting = attempting.includes(payment.state);
    this.move(payment, eventOf[seen.state], 'processor');
    if (seen.state === 'AUTHORISED') await this.#authorised(tx, payment, seen);
    if (seen.state === 'CAPTURED') await this.#captured(tx, payment, seen);
    if (seen.state === 'CANCELLED') await this.cancelled(tx, payment);
    const declined = refusal ?? (wasAttempting ? seen.declined : null);
    if (seen.state === 'REQUIRES_METHOD' && declined) {
      payment.declineCode = declined.declineCode ?? declined.code;
      tx.tell(PaymentRefused, { ...factsOf(payment), code: payment.declineCode });
    }
  }

  /** Moves by the table; where it already is, nothing moves. */
  move(payment: PaymentRow, event: PaymentEvent, by: 'processor' | 'system'): void {
    const row = paymentStates.transitions.find((each) => each.event === event);
    if (row?.to !== payment.state) payment.state = nextState(paymentStates, payment.state, event, by);
  }

  /** Nobody knows how a call ended; it is being looked into. */
  async lost(tx: Transaction, paymentId: string): Promise<void> {
    const payment = await this.lock(tx, paymentId);
    if (!allowedEvents(paymentStates, payment.state).includes('lose_sight')) return;
    payment.version += 1;
    this.move(payment, 'lose_sight', 'system');
  }

  /** Has the processor asked after a refusal: what we believed of the payment was wrong. */
  async lookAgain(tx: Transaction, operationId: string, paymentId: string): Promise<void> {
    const at = { id: `refused:${operationId}`, runAt: this.#clock.now() };
    await this.#durable.schedule(tx, syncPaymentJob, at, { paymentId });
  }

  /** Ends a payment that took no money. */
  async cancelled(tx: Transaction, payment: PaymentRow): Promise<void> {
    payment.cancelledAt = this.#clock.now();
    await this.#escrow.voided(payment.id);
    tx.tell(PaymentCancelled, { ...factsOf(payment), refunded: money(0, payment.currency) });
  }

  /** Counts what was given back; tells the end of a payment that was given back whole. */
  givenBack(tx: Transaction, payment: PaymentRow, amount: Money): void {
    payment.version += 1;
    payment.refundedMinor += amount.amountMinor;
    this.#restore(payment);
    if (payment.state !== 'refunded') return;
    payment.cancelledAt = this.#clock.now();
    tx.tell(PaymentCancelled, {
      ...factsOf(payment),
      refunded: money(payment.refundedMinor, payment.currency),
    });
  }

  async #authorised(tx: Transaction, payment: PaymentRow, seen: ProcessorPayment): Promise<void> {
    payment.captureBefore = seen.captureBefore;
    if (payment.authorisedAt !== null) return;
    payment.authorisedAt = this.#clock.now();
    payment.declineCode = null;
    await this.#escrow.authorised(payment.id);
    const captureBefore = seen.captureBefore ?? payment.authorisedAt;
    tx.tell(PaymentAuthorised, { ...factsOf(payment), captureBefore });
  }

  async #captured(tx: Transaction, payment: PaymentRow, seen: ProcessorPayment): Promise<void> {
    const capturedAt = this.#clock.now();
    const chargeId = seen.chargeId!;
    payment.capturedAt = capturedAt;
    tx.em.create(ChargeEntity, {
      id: newId(),
      paymentId: payment.id,
      processorChargeId: chargeId,
      amountMinor: payment.totalMinor,
      currency: payment.currency,
      feeMinor: null,
      feeCurrency: null,
      capturedAt,
    });
    await tx.em.flush();
    await this.#escrow.held(payment, chargeId);
    await this.#learnFee(tx, payment, seen);
    tx.tell(PaymentCaptured, { ...factsOf(payment), capturedAt });
  }

  async #learnFee(tx: Transaction, payment: PaymentRow, { fee }: ProcessorPayment): Promise<void> {
    const charge = await tx.em.findOneOrFail(ChargeEntity, { paymentId: payment.id });
    if (charge.feeMinor !== null) return;
    if (fee === null) {
      const at = { id: `fee:${payment.id}:${payment.version}`, runAt: after(this.#clock.now(), HOUR) };
      return this.#durable.schedule(tx, syncPaymentJob, at, { paymentId: payment.id });
    }
    charge.feeMinor = fee.amountMinor;
    charge.feeCurrency = fee.currency;
    await this.#accounting.processorFee({ chargeId: charge.processorChargeId, fee });
  }

  #restore(payment: PaymentRow): void {
    if (payment.refundedMinor === payment.totalMinor) this.move(payment, 'refund_whole', 'system');
    else if (payment.refundedMinor > 0n) this.move(payment, 'refund_part', 'system');
    else this.move(payment, 'capture', 'processor');
  }
}

/** What every fact of a payment says. */
export const factsOf = ({ id, itineraryId, shipmentId, payerId, totalMinor, currency }: PaymentRow) => ({
  paymentId: id,
  itineraryId,
  shipmentId,
  payerId,
  amount: money(totalMinor, currency),
});
