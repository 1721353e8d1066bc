/**
 * Owns payments (`payment_intents`) as their payer meets them: opened for an itinerary, tried with cards, looked at.
 * Promises one payment per itinerary and that a card is tried only while nothing is unknown about the attempt
 * before. Called by resolvers (payers) and by the contract (the booking saga opens payments).
 */
import { Conflict, Invalid, NotFound, Refusal, Unavailable } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { addMoney, type Money, money } from '#shared/kernel/money.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import { isTransient } from '#shared/runtime/transient.ts';
import type { Share } from '../accounting/accounting.service.ts';
import { type EscrowService, shareOf } from '../escrow/escrow.service.ts';
import { answered, type OperationJournal } from '../processor/operation-journal.ts';
import type { PaymentAccounts } from '../processor/payment-accounts.ts';
import type { AuthorisationResult, CardProcessor, ProcessorPayment } from '../providers/card-processor.ts';
import { offeredTestCards } from '../providers/offered-test-cards.ts';
import type { OpenProcessor } from '../providers/open-processor.ts';
import { PaymentEntity, PaymentMethodEntity, type PaymentRow } from './payment.entities.ts';
import { keepMethodsJob } from './payment.jobs.ts';
import type { PaymentProgress } from './payment.progress.ts';
import { openStates, paymentStates } from './payment.states.ts';

export type PaymentView = PaymentRow;

export interface PaymentActionRequiredView {
  readonly payment: PaymentRow;
  readonly redirectUrl: string;
}

export interface PaymentMethodView {
  readonly id: string;
  readonly kind: 'SAVED' | 'TEST';
  readonly brand: string;
  readonly last4: string;
  readonly expiresMonth: number | null;
  readonly expiresYear: number | null;
  readonly note: string | null;
}

export interface PaymentOrder {
  readonly itineraryId: string;
  readonly shipmentId: string;
  readonly payerId: string;
  readonly total: Money;
  readonly legs: readonly (Share & { readonly payeeId: string })[];
}

/** An attempt on a card; kept in the journal, so that after a crash the same attempt is finished. */
interface Attempt {
  readonly processorPaymentId: string;
  readonly methodId: string;
  readonly returnUrl: string;
  readonly saveMethod: boolean;
}

export class PaymentService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #processor: CardProcessor;
  readonly #operations: OperationJournal;
  readonly #progress: PaymentProgress;
  readonly #accounts: PaymentAccounts;
  readonly #escrow: EscrowService;
  readonly #open: (paymentId: string, request: Opening) => Promise<void>;
  readonly #try: (paymentId: string, attempt: Attempt) => Promise<void>;
  readonly #offered: readonly PaymentMethodView[];
  /** What a browser makes payment methods with; null where none is configured. */
  readonly publishableKey: string | null;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    opened: OpenProcessor;
    operations: OperationJournal;
    progress: PaymentProgress;
    accounts: PaymentAccounts;
    escrow: EscrowService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#processor = deps.opened.processor;
    this.#operations = deps.operations;
    this.#progress = deps.progress;
    this.#accounts = deps.accounts;
    this.#escrow = deps.escrow;
    this.publishableKey = deps.opened.publishableKey;
    this.#offered = deps.opened.testMode
      ? offeredTestCards.map((card) => ({ ...card, kind: 'TEST', expiresMonth: null, expiresYear: null }))
      : [];
    this.#open = this.#defineOpening();
    this.#try = this.#defineAttempt();
  }

  /**
   * Opens the one payment of an itinerary; again, gives the one there is. Refuses `PAYMENT_LEGS_DIFFER` where the
   * legs are not the total, `PAYMENT_DIFFERS` where another was opened before, `AMOUNT_NOT_CHARGEABLE`.
   */
  async open(order: PaymentOrder): Promise<PaymentRow> {
    requireWhole(order);
    const payment = await this.#register(order);
    if (payment.processorPaymentId !== null || payment.cancelledAt !== null) return payment;
    const customerId = await this.#accounts.customerOf(order.payerId);
    await this.#operations.settle(payment.id);
    if ((await this.#reload(payment.id)).processorPaymentId === null)
      await this.#open(payment.id, {
        customerId,
        itineraryId: order.itineraryId,
        amountMinor: String(order.total.amountMinor),
        currency: order.total.currency,
      });
    return this.#reload(payment.id);
  }

  /**
   * Tries a card on the viewer's payment: it is authorised, or the cardholder has to authenticate first. On an
   * authorised payment nothing happens. Refuses `PAYMENT_NOT_FOUND`, `PAYMENT_REFUSED` {declineCode} (try another
   * card), `PAYMENT_METHOD_UNKNOWN`, `RETURN_URL_INVALID`, `INVALID_TRANSITION`, `PAYMENT_NOT_READY` (still being
   * opened: ask again), `PAYMENT_OUTCOME_UNKNOWN` (an attempt is being looked into: ask again).
   */
  async process(
    viewer: Viewer,
    request: { paymentId: string; methodId: string; returnUrl: string; saveMethod: boolean },
  ): Promise<PaymentRow | PaymentActionRequiredView> {
    const { userId } = requireUser(viewer);
    requireReturnUrl(request.returnUrl);
    const { id } = await this.#own(userId, request.paymentId);
    try {
      await this.#operations.settle(id);
      if ((await this.#reload(id)).state === 'unknown') await this.#progress.sync(id);
      const payment = await this.#reload(id);
      if (payment.cancelledAt !== null) nextState(paymentStates, payment.state, 'authorise', 'processor');
      if (!openStates.includes(payment.state)) return payment;
      if (payment.processorPaymentId === null)
        throw new Conflict('PAYMENT_NOT_READY', 'The payment is still being opened; ask again in a moment');
      await this.#attempt(payment, request);
      return await this.#outcome(id);
    } catch (error) {
      if (!isTransient(error)) throw error;
      throw new Unavailable('PAYMENT_OUTCOME_UNKNOWN', 'We are finding out how the attempt ended; ask again');
    }
  }

  /** The viewer's payment. */
  readonly byIds: Batch<string, PaymentView> = async (viewer, ids) =>
    inOrder(ids, await this.#visible(viewer, { id: { $in: ids.filter(isId) } }), ({ id }) => id);

  readonly byItinerary: Batch<string, PaymentView> = async (viewer, ids) => {
    const payments = await this.#visible(viewer, { itineraryId: { $in: ids.filter(isId) } });
    return inOrder(ids, payments, ({ itineraryId }) => itineraryId);
  };

  /** The payment of an itinerary, for the platform itself. */
  ofItinerary(itineraryId: string): Promise<PaymentRow | null> {
    return this.#db.read((em) => em.findOne(PaymentEntity, { itineraryId }));
  }

  /** Cards the viewer can pay with: those kept, and test cards where no real money moves. Refuses `SIGN_IN_REQUIRED`. */
  async methods(viewer: Viewer): Promise<PaymentMethodView[]> {
    const { userId } = requireUser(viewer);
    const saved = await this.#db.read((em) =>
      em.find(PaymentMethodEntity, { userId }, { orderBy: { id: 'desc' } }),
    );
    return [
      ...saved.map(({ processorMethodId, brand, last4, expiresMonth, expiresYear }) => ({
        id: processorMethodId,
        kind: 'SAVED' as const,
        brand,
        last4,
        expiresMonth,
        expiresYear,
        note: null,
      })),
      ...this.#offered,
    ];
  }

  /** Fetches the cards that a payer asked to keep. */
  async keepMethods(userId: string): Promise<void> {
    const account = await this.#accounts.payer(userId);
    if (account?.processorId == null) return;
    const { processorId } = account;
    const methods = await answered(() => this.#processor.listPaymentMethods(processorId));
    await this.#db.transaction(async (tx) => {
      for (const { id, brand, last4, expiresMonth, expiresYear } of methods)
        await tx.sql(
          `insert into payment_methods (id, user_id, processor_method_id, brand, last4, expires_month, expires_year)
           values (?, ?, ?, ?, ?, ?, ?) on conflict (processor_method_id) do nothing`,
          [newId(), userId, id, brand, last4, expiresMonth, expiresYear],
        );
    });
  }

  #defineOpening() {
    return this.#operations.define<Opening, ProcessorPayment>('open payment', {
      prepared: async (tx, { subjectId }) => {
        const { cancelledAt } = await this.#progress.lock(tx, subjectId);
        if (cancelledAt !== null) throw new Conflict('PAYMENT_CLOSED', 'The payment was let go already');
        return undefined;
      },
      send: async ({ customerId, itineraryId, amountMinor, currency }, key) => {
        const { payment } = await this.#processor.authorise({
          operationKey: key,
          amount: money(amountMinor, currency),
          capture: 'LATER',
          customerId,
          group: itineraryId,
          description: `Itinerary ${itineraryId}`,
        });
        return payment;
      },
      find: (_, { key, sentAt }) => this.#processor.findByOperation(key, sentAt),
      done: async (tx, { subjectId }, seen) =>
        this.#progress.learn(tx, await this.#progress.lock(tx, subjectId), seen),
      refused: async (tx, { subjectId }) => {
        const payment = await this.#progress.lock(tx, subjectId);
        payment.version += 1;
        this.#progress.move(payment, 'void', 'system');
        await this.#progress.cancelled(tx, payment);
      },
      lost: (tx, { subjectId }) => this.#progress.lost(tx, subjectId),
    });
  }

  #defineAttempt() {
    return this.#operations.define<Attempt, AuthorisationResult>('try card', {
      send: ({ processorPaymentId, methodId, returnUrl, saveMethod }, key) =>
        this.#processor.confirm({
          operationKey: key,
          paymentId: processorPaymentId,
          methodId,
          returnUrl,
          saveMethod,
        }),
      find: async ({ processorPaymentId }) => {
        // Only these tell that an attempt succeeded; of any other state the key itself has to be asked.
        const payment = await this.#processor.retrieve(processorPaymentId);
        return payment.state === 'AUTHORISED' || payment.state === 'CAPTURED'
          ? { kind: 'DONE', payment }
          : null;
      },
      done: async (tx, { id, subjectId, request }, result) => {
        const payment = await this.#progress.lock(tx, subjectId);
        payment.declineCode = null;
        const declined = result.kind === 'REFUSED' ? result.declined : undefined;
        await this.#progress.learn(tx, payment, result.payment, declined);
        if (!request.saveMethod || result.kind === 'REFUSED') return;
        const at = { id: `keep:${id}`, runAt: this.#clock.now() };
        await this.#durable.schedule(tx, keepMethodsJob, at, { userId: payment.payerId });
      },
      refused: (tx, { id, subjectId }) => this.#progress.lookAgain(tx, id, subjectId),
      lost: (tx, { subjectId }) => this.#progress.lost(tx, subjectId),
    });
  }

  async #attempt(
    { id, processorPaymentId }: PaymentRow,
    { methodId, returnUrl, saveMethod }: { methodId: string; returnUrl: string; saveMethod: boolean },
  ): Promise<void> {
    try {
      await this.#try(id, { processorPaymentId: processorPaymentId!, methodId, returnUrl, saveMethod });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.#progress.sync(id);
      // It was paid meanwhile, or ended: the state tells.
      if (error.code === 'PAYMENT_STATE_CONFLICT') return;
      if (error.code !== 'PROCESSOR_OBJECT_UNKNOWN' && error.code !== 'PROCESSOR_REFUSED_REQUEST')
        throw error;
      throw new Invalid('PAYMENT_METHOD_UNKNOWN', 'This payment method cannot be used here');
    }
  }

  async #outcome(paymentId: string): Promise<PaymentRow | PaymentActionRequiredView> {
    const payment = await this.#reload(paymentId);
    if (payment.state === 'requires_action') {
      const seen = await answered(() => this.#processor.retrieve(payment.processorPaymentId!));
      if (seen.redirectUrl !== null) return { payment, redirectUrl: seen.redirectUrl };
    }
    if (payment.declineCode !== null)
      throw new Conflict('PAYMENT_REFUSED', 'The card was refused; another one may be accepted', {
        declineCode: payment.declineCode,
      });
    if (payment.cancelledAt !== null) nextState(paymentStates, payment.state, 'authorise', 'processor');
    return payment;
  }

  /** The row of an order, made with its escrow entries where it is new. */
  async #register(order: PaymentOrder): Promise<PaymentRow> {
    const { itineraryId, shipmentId, payerId, total, legs } = order;
    return this.#db.transaction(async (tx) => {
      const id = newId();
      const [made] = await tx.sql(
        `insert into payment_intents (id, itinerary_id, shipment_id, payer_id, currency, total_minor,
           refunded_minor, state, states_version, version, created_at)
         values (?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?) on conflict (itinerary_id) do nothing returning id`,
        [
          id,
          itineraryId,
          shipmentId,
          payerId,
          total.currency,
          total.amountMinor,
          paymentStates.initial,
          paymentStates.version,
          this.#clock.now(),
        ],
      );
      const payment = await tx.em.findOneOrFail(PaymentEntity, { itineraryId });
      if (made) await this.#escrow.create({ id, itineraryId, shipmentId, payerId, legs });
      else if (!(await this.#isSame(payment, order)))
        throw new Conflict('PAYMENT_DIFFERS', 'Another payment was opened for this itinerary');
      return payment;
    });
  }

  async #isSame(payment: PaymentRow, { payerId, total, legs }: PaymentOrder): Promise<boolean> {
    const [entries] = await this.#escrow.byPayment({ kind: 'service', name: 'payments' }, [payment.id]);
    const known = entries instanceof Error || !entries ? [] : entries;
    const told = (leg: Share & { payeeId: string }) =>
      [leg.bookingId, leg.payeeId, leg.amount.amountMinor, leg.feeShare.amountMinor].join();
    return (
      payment.payerId === payerId &&
      payment.totalMinor === total.amountMinor &&
      payment.currency === total.currency &&
      known.map((entry) => told({ ...shareOf(entry), payeeId: entry.payeeId })).join(';') ===
        legs.map(told).join(';')
    );
  }

  async #own(userId: string, paymentId: string): Promise<PaymentRow> {
    const payment = isId(paymentId)
      ? await this.#db.read((em) => em.findOne(PaymentEntity, { id: paymentId, payerId: userId }))
      : null;
    if (!payment) throw new NotFound('PAYMENT_NOT_FOUND', 'There is no such payment of yours');
    return payment;
  }

  #reload(paymentId: string): Promise<PaymentRow> {
    return this.#db.read((em) => em.findOneOrFail(PaymentEntity, { id: paymentId }, { refresh: true }));
  }

  async #visible(viewer: Viewer, which: object): Promise<PaymentRow[]> {
    if (viewer.kind === 'service') return this.#db.read((em) => em.find(PaymentEntity, which));
    if (viewer.kind !== 'user') return [];
    // Until the processor knows it there is nothing that its payer could do with it.
    const known = { $or: [{ processorPaymentId: { $ne: null } }, { cancelledAt: { $ne: null } }] };
    return this.#db.read((em) => em.find(PaymentEntity, { ...which, ...known, payerId: viewer.userId }));
  }
}

/** What is asked of the processor when a payment is opened. */
interface Opening {
  readonly customerId: string;
  readonly itineraryId: string;
  readonly amountMinor: string;
  readonly currency: string;
}

function requireWhole({ total, legs }: PaymentOrder): void {
  const parts = legs.flatMap(({ amount, feeShare }) => [amount, feeShare]);
  const sum = parts.reduce((whole, part) => addMoney(whole, part), money(0, total.currency));
  if (sum.amountMinor !== total.amountMinor || parts.some(({ amountMinor }) => amountMinor < 0n))
    throw new Invalid('PAYMENT_LEGS_DIFFER', 'The legs and their fees are not the total');
}

function requireReturnUrl(returnUrl: string): void {
  const url = URL.parse(returnUrl);
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new Invalid('RETURN_URL_INVALID', 'Give the full web address to come back to after authenticating');
}
