/**
 * Owns what is held for each leg (`escrow_entries`), from the opened payment until the leg is paid or given back.
 * Promises that money leaves only with the custody event that proves the leg, once, and never while frozen; what
 * the database can keep of this it keeps. Called by payments, by handlers (custody moved) and by jobs (a window ended).
 */
import { type EntityManager, LockMode } from '@mikro-orm/postgresql';
import { EscrowClosed, EscrowReleased } from '#shared/events/payments.ts';
import { Conflict, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import type { AccountingService, Share } from '../accounting/accounting.service.ts';
import type { PaymentsConfig } from '../payments.config.ts';
import type { PayoutService } from '../payout/payout.service.ts';
import { EscrowEntryEntity, type EscrowEntryRow } from './escrow.entities.ts';
import { releaseJob } from './escrow.jobs.ts';
import { type EscrowEvent, escrowStates } from './escrow.states.ts';

export type EscrowEntryView = EscrowEntryRow;

export interface Evidence {
  readonly bookingId: string;
  readonly custodyEventIds: readonly string[];
  readonly discrepancy: boolean;
  readonly delivered: boolean;
  readonly transferredAt: Date;
}

export class EscrowService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #accounting: AccountingService;
  readonly #payouts: PayoutService;
  readonly #config: PaymentsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    accounting: AccountingService;
    payouts: PayoutService;
    config: PaymentsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#accounting = deps.accounting;
    this.#payouts = deps.payouts;
    this.#config = deps.config;
  }

  /** Begins one entry per leg, within the commit that opens the payment. */
  async create(payment: {
    id: string;
    itineraryId: string;
    shipmentId: string;
    payerId: string;
    legs: readonly (Share & { payeeId: string })[];
  }): Promise<void> {
    const { id: paymentId, itineraryId, shipmentId, payerId } = payment;
    await this.#db.transaction(async ({ em }) => {
      for (const [index, { bookingId, payeeId, amount, feeShare }] of payment.legs.entries()) {
        em.create(EscrowEntryEntity, {
          id: newId(),
          paymentId,
          itineraryId,
          shipmentId,
          bookingId,
          sequence: index + 1,
          payerId,
          payeeId,
          currency: amount.currency,
          amountMinor: amount.amountMinor,
          feeShareMinor: feeShare.amountMinor,
          state: escrowStates.initial,
          statesVersion: escrowStates.version,
          frozen: false,
        });
      }
    });
  }

  /** The card's issuer has reserved the legs' money. */
  async authorised(paymentId: string): Promise<void> {
    await this.#moveAll(paymentId, 'authorise');
  }

  /** The reservation is gone; nothing was held. */
  async voided(paymentId: string): Promise<void> {
    await this.#moveAll(paymentId, 'void');
  }

  /** Holds each leg's share of captured money: one journal, one commit. */
  async held({ id: paymentId, shipmentId }: { id: string; shipmentId: string }, chargeId: string) {
    const entries = await this.#moveAll(paymentId, 'hold');
    for (const entry of entries) entry.processorChargeId = chargeId;
    await this.#accounting.captured({ paymentId, chargeId, shipmentId, shares: entries.map(shareOf) });
  }

  /**
   * Notes what proves a leg. Where the next carrier took the parcel without complaint, its money is released at
   * once; at the recipient, after the inspection window; where something was wrong, it is frozen.
   * Refuses `ESCROW_NOT_FOUND`, and `ESCROW_NOT_HELD` where evidence comes before the money.
   */
  async recordEvidence(evidence: Evidence): Promise<void> {
    const { bookingId, discrepancy, delivered, transferredAt } = evidence;
    await this.#db.transaction(async (tx) => {
      const entry = await this.#lockWithSiblings(tx.em, { bookingId });
      if (entry.custodyEventId !== null || ['released', 'refunded'].includes(entry.state)) return;
      if (entry.state !== 'held')
        throw new Conflict('ESCROW_NOT_HELD', 'The leg was carried before its money was held', { bookingId });
      entry.custodyEventId = [...evidence.custodyEventIds].sort()[0]!;
      entry.frozen = discrepancy;
      if (discrepancy) return;
      if (!delivered) return this.#release(tx, entry);
      const runAt = after(transferredAt, this.#config.INSPECTION_WINDOW);
      entry.releaseAt = runAt;
      await this.#durable.schedule(tx, releaseJob, { id: entry.id, runAt }, { escrowId: entry.id });
    });
  }

  /** Releases a leg whose window is over; nothing where it is frozen, given back or released already. */
  async releaseDue(escrowId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const entry = await this.#lockWithSiblings(tx.em, { id: escrowId });
      const due = entry.releaseAt != null && entry.releaseAt <= this.#clock.now();
      if (entry.state === 'held' && !entry.frozen && due) await this.#release(tx, entry);
    });
  }

  /**
   * What of a payment can be given back: held legs with their fees; all legs, or the named ones.
   * Refuses `NOT_REFUNDABLE` {bookingIds} where one of them is held no more.
   */
  async refundable(paymentId: string, bookingIds: readonly string[] | null): Promise<EscrowEntryRow[]> {
    return this.#db.transaction(async ({ em }) => {
      const entries = await this.#lockAll(em, { paymentId });
      const wanted = entries.filter((entry) => !bookingIds || bookingIds.includes(entry.bookingId));
      const gone = wanted.filter(({ state }) => state !== 'held');
      if (gone.length > 0 || wanted.length === 0 || wanted.length !== (bookingIds ?? entries).length)
        throw new Conflict('NOT_REFUNDABLE', 'Only what is still held can be given back', {
          bookingIds: gone.map(({ bookingId }) => bookingId),
        });
      return wanted;
    });
  }

  /** The legs' money went back to the payer. */
  async refunded(paymentId: string, bookingIds: readonly string[]): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const entries = await this.#lockAll(tx.em, { paymentId });
      for (const entry of entries.filter(({ bookingId }) => bookingIds.includes(bookingId))) {
        move(entry, 'refund');
        entry.frozen = false;
      }
      this.#closeIfDone(tx, entries);
    });
  }

  readonly byIds: Batch<string, EscrowEntryView> = async (viewer, ids) =>
    inOrder(ids, await this.#visible(viewer, { id: { $in: ids.filter(isId) } }), ({ id }) => id);

  readonly byBooking: Batch<string, EscrowEntryView> = async (viewer, ids) => {
    const entries = await this.#visible(viewer, { bookingId: { $in: ids.filter(isId) } });
    return inOrder(ids, entries, ({ bookingId }) => bookingId);
  };

  /** All legs for who pays; null for everybody else. */
  readonly byShipment: Batch<string, EscrowEntryView[]> = async (viewer, ids) => {
    const entries = await this.#visible(viewer, { shipmentId: { $in: ids.filter(isId) } });
    return groupedBy(
      ids,
      entries.filter((entry) => paysFor(viewer, entry)),
      ({ shipmentId }) => shipmentId,
    ).map((group) => (group.length > 0 ? group : null));
  };

  readonly byPayment: Batch<string, EscrowEntryView[]> = async (viewer, ids) => {
    const entries = await this.#visible(viewer, { paymentId: { $in: ids.filter(isId) } });
    return groupedBy(ids, entries, ({ paymentId }) => paymentId);
  };

  /** Proof of funds: whether the money of the viewer's legs was taken and is held or paid; null for strangers. */
  readonly fundsHeldByItinerary: Batch<string, boolean> = async (viewer, ids) => {
    const entries = await this.#visible(viewer, { itineraryId: { $in: ids.filter(isId) } });
    return groupedBy(ids, entries, ({ itineraryId }) => itineraryId).map((group) =>
      group.length > 0 ? group.every(({ state }) => state === 'held' || state === 'released') : null,
    );
  };

  async #release(tx: Transaction, entry: EscrowEntryRow): Promise<void> {
    move(entry, 'release');
    const releasedAt = this.#clock.now();
    entry.releasedAt = releasedAt;
    const { itineraryId, shipmentId, bookingId, payeeId, processorChargeId } = entry;
    const custodyEventId = entry.custodyEventId!;
    const { amount } = shareOf(entry);
    await tx.em.flush();
    await this.#accounting.released({ ...shareOf(entry), shipmentId, payeeId, custodyEventId });
    const earned = { bookingId, itineraryId, payeeId, amount, chargeId: processorChargeId!, releasedAt };
    await this.#payouts.accrue(earned);
    tx.tell(EscrowReleased, {
      itineraryId,
      shipmentId,
      bookingId,
      payeeId,
      amount,
      custodyEventId,
      releasedAt,
    });
    this.#closeIfDone(tx, await tx.em.find(EscrowEntryEntity, { paymentId: entry.paymentId }));
  }

  #closeIfDone(tx: Transaction, entries: readonly EscrowEntryRow[]): void {
    if (!entries.every(({ state }) => state === 'released' || state === 'refunded')) return;
    const { itineraryId, shipmentId } = entries[0]!;
    tx.tell(EscrowClosed, { itineraryId, shipmentId, closedAt: this.#clock.now() });
  }

  async #moveAll(paymentId: string, event: EscrowEvent): Promise<EscrowEntryRow[]> {
    return this.#db.transaction(async ({ em }) => {
      const entries = await this.#lockAll(em, { paymentId });
      for (const entry of entries) move(entry, event);
      await em.flush();
      return entries;
    });
  }

  /** All entries of the payment are locked, so that of two last legs one sees that it is the last. */
  async #lockWithSiblings(em: EntityManager, which: { id: string } | { bookingId: string }) {
    const known = await em.findOne(EscrowEntryEntity, which);
    if (!known) throw new NotFound('ESCROW_NOT_FOUND', 'No money is held for this leg', which);
    const entries = await this.#lockAll(em, { paymentId: known.paymentId });
    return entries.find(({ id }) => id === known.id)!;
  }

  #lockAll(em: EntityManager, which: { paymentId: string }): Promise<EscrowEntryRow[]> {
    return em.find(EscrowEntryEntity, which, {
      orderBy: { sequence: 'asc' },
      lockMode: LockMode.PESSIMISTIC_WRITE,
      refresh: true,
    });
  }

  async #visible(viewer: Viewer, which: object): Promise<EscrowEntryRow[]> {
    const entries = await this.#db.read((em) =>
      em.find(EscrowEntryEntity, which, { orderBy: { paymentId: 'asc', sequence: 'asc' } }),
    );
    return entries.filter((entry) => paysFor(viewer, entry) || earns(viewer, entry));
  }
}

const paysFor = (viewer: Viewer, { payerId }: EscrowEntryRow): boolean =>
  viewer.kind === 'service' || (viewer.kind === 'user' && viewer.userId === payerId);

const earns = (viewer: Viewer, { payeeId }: EscrowEntryRow): boolean =>
  viewer.kind === 'user' && viewer.userId === payeeId;

const move = (entry: EscrowEntryRow, event: EscrowEvent): void => {
  entry.state = nextState(escrowStates, entry.state, event, 'system');
};

export const shareOf = (entry: EscrowEntryRow): Share & { amount: Money } => ({
  bookingId: entry.bookingId,
  amount: money(entry.amountMinor, entry.currency),
  feeShare: money(entry.feeShareMinor, entry.currency),
});
