/**
 * What the booking saga does at each of its steps, whole and repeatable: every method may run again after a
 * crash and then changes nothing. Nobody but the saga calls it.
 */

import type { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { BookingAnswered, ItineraryCancelled, ItineraryConfirmed } from '#shared/events/bookings.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock, HOUR } from '#shared/kernel/time.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { BookingsConfig } from '../bookings.config.ts';
import type { ItineraryLegView, ItineraryService, ItineraryView } from '../itinerary/itinerary.service.ts';
import { confirmedStates } from '../itinerary/itinerary.states.ts';
import type { PricingService } from '../pricing/pricing.service.ts';
import { bookedLegs } from './booked-leg.ts';
import type { BookingCapacity } from './booking.capacity.ts';
import { LegAssignmentEntity, LegBookingEntity, type LegBookingRow } from './booking.entities.ts';
import { bookingStates } from './booking.states.ts';

export interface BookingPlan {
  readonly itinerary: ItineraryView;
  readonly legs: readonly ItineraryLegView[];
  readonly bookings: readonly LegBookingRow[];
}

/** Instants as text, since a saga remembers plain JSON. */
export interface Deadlines {
  /** Until when carriers may answer. */
  readonly answerBy: string;
  /** Until when the sender may pay. */
  readonly payBy: string;
  /** Until when capacity is held, should nobody see to it. */
  readonly holdUntil: string;
}

/** What the asking has come to: every carrier's yes, or a code for what ends it without. */
export type Outcome = { outcome: 'accepted' | 'CARRIER_DECLINED' | 'CARRIER_SILENT' | 'SENDER_CANCELLED' };

export class BookingProcedure {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #itineraries: ItineraryService;
  readonly #pricing: PricingService;
  readonly #capacity: BookingCapacity;
  readonly #shipments: Caller<typeof ShipmentsContract>;
  readonly #config: BookingsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    itineraries: ItineraryService;
    pricing: PricingService;
    capacity: BookingCapacity;
    shipments: Caller<typeof ShipmentsContract>;
    config: BookingsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#itineraries = deps.itineraries;
    this.#pricing = deps.pricing;
    this.#capacity = deps.capacity;
    this.#shipments = deps.shipments;
    this.#config = deps.config;
  }

  planOf(itineraryId: string): Promise<BookingPlan> {
    return this.#db.transaction(async (tx) => {
      const itinerary = await this.#itineraries.lock(tx.em, itineraryId);
      const legs = await this.#itineraries.legsOf(tx.em, itinerary);
      const rows = await tx.em.find(LegBookingEntity, { itineraryLegId: { $in: legs.map(({ id }) => id) } });
      const bookings = legs.map((leg) => rows.find((row) => row.itineraryLegId === leg.id)!);
      return { itinerary, legs, bookings };
    });
  }

  /** Decided once per itinerary: settings may change while a saga waits. */
  async deadlinesOf(itineraryId: string): Promise<Deadlines> {
    const { itinerary, legs } = await this.planOf(itineraryId);
    const answerBy = itinerary.answerBy!;
    const payBy = earlier(after(answerBy, this.#config.PAYMENT_WINDOW), legs[0]!.departsAt);
    return {
      answerBy: answerBy.toISOString(),
      payBy: payBy.toISOString(),
      holdUntil: after(payBy, HOUR).toISOString(),
    };
  }

  /** Keeps what the request has held, or lets go of it. Refuses `HOLD_RESOLVED`. */
  async keepCapacity(itineraryId: string, until: Date): Promise<void> {
    const { itinerary, legs } = await this.planOf(itineraryId);
    await this.#capacity.extend(itinerary, legs, until);
  }

  async confirmCapacity(itineraryId: string): Promise<void> {
    const { itinerary, legs } = await this.planOf(itineraryId);
    await this.#capacity.confirm(itinerary, legs);
  }

  async releaseCapacity(itineraryId: string): Promise<void> {
    const { itinerary, legs } = await this.planOf(itineraryId);
    await this.#capacity.release(itinerary, legs);
  }

  /** What the asking has come to; `null` while it goes on. */
  async outcomeOf(itineraryId: string): Promise<Outcome | null> {
    const { itinerary, bookings } = await this.planOf(itineraryId);
    if (itinerary.cancelAskedAt) return { outcome: 'SENDER_CANCELLED' };
    if (bookings.some(({ state }) => state === 'declined')) return { outcome: 'CARRIER_DECLINED' };
    if (bookings.some(({ state }) => state === 'expired')) return { outcome: 'CARRIER_SILENT' };
    return bookings.every(({ state }) => state === 'accepted') ? { outcome: 'accepted' } : null;
  }

  /** The time to answer is over: whoever has not answered is not asked any more. A yes of the last moment counts. */
  closeAsking(itineraryId: string): Promise<Outcome> {
    return this.#db.transaction(async (tx) => {
      const { bookings } = await this.planOf(itineraryId);
      for (const booking of bookings.filter(({ state }) => state === 'requested')) {
        booking.state = nextState(bookingStates, booking.state, 'expire', 'system');
        const { id: bookingId, shipmentId, senderId, carrierId } = booking;
        tx.tell(BookingAnswered, {
          itineraryId,
          shipmentId,
          senderId,
          bookingId,
          carrierId,
          answer: 'expired',
          reason: null,
        });
      }
      await tx.em.flush();
      return (await this.outcomeOf(itineraryId))!;
    });
  }

  /**
   * Everything is paid and sold: the carriers will carry, and everybody may know. Refuses `SENDER_CANCELLED` and
   * `CARRIER_DECLINED` where that came in the meantime.
   */
  async confirm(itineraryId: string): Promise<void> {
    const { itinerary: seen } = await this.planOf(itineraryId);
    // Confirmed by a try that died before it was remembered; the parcel may be on its way by now.
    if (confirmedStates.includes(seen.state)) return;
    const shipment = await this.#shipments.shipment({ shipmentId: seen.shipmentId });
    await this.#db.transaction(async (tx) => {
      const { itinerary, legs, bookings } = await this.planOf(itineraryId);
      const now = await this.outcomeOf(itineraryId);
      if (now?.outcome !== 'accepted')
        throw new Conflict(now?.outcome ?? 'CARRIER_SILENT', 'Not everybody stands by it any more');
      this.#itineraries.move(itinerary, 'confirm', 'system');
      const confirmedAt = this.#clock.now();
      for (const booking of bookings) {
        booking.state = nextState(bookingStates, booking.state, 'confirm', 'system');
        tx.em.create(LegAssignmentEntity, {
          id: newId(),
          bookingId: booking.id,
          carrierId: booking.carrierId,
          assignedAt: confirmedAt,
        });
      }
      const { totalMinor, currency } = await this.#pricing.byId(itinerary.quoteId!);
      tx.tell(ItineraryConfirmed, {
        itineraryId,
        shipmentId: itinerary.shipmentId,
        senderId: itinerary.senderId,
        recipient: shipment.recipient!,
        packageIds: shipment.packages.map(({ packageId }) => packageId),
        legs: bookedLegs(legs, bookings),
        total: money(totalMinor, currency),
        confirmedAt,
      });
    });
  }

  /** Keeps the first reason for which it ends; it is told when everything was given back. */
  noteCancelReason(itineraryId: string, code: string): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const itinerary = await this.#itineraries.lock(tx.em, itineraryId);
      itinerary.cancelReason ??= code;
    });
  }

  /** Ends an itinerary whose holds and money were given back. */
  conclude(itineraryId: string): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const { itinerary, bookings } = await this.planOf(itineraryId);
      if (itinerary.state === 'cancelled') return;
      this.#itineraries.move(itinerary, 'cancel', 'system');
      withdraw(bookings);
      tellCancelled(tx, itinerary, bookings, this.#clock.now());
    });
  }
}

function withdraw(bookings: readonly LegBookingRow[]): void {
  for (const booking of bookings) {
    if (booking.state === 'requested' || booking.state === 'accepted') {
      booking.state = nextState(bookingStates, booking.state, 'withdraw', 'system');
    }
  }
}

function tellCancelled(
  tx: Transaction,
  itinerary: ItineraryView,
  bookings: readonly LegBookingRow[],
  cancelledAt: Date,
): void {
  tx.tell(ItineraryCancelled, {
    itineraryId: itinerary.id,
    shipmentId: itinerary.shipmentId,
    senderId: itinerary.senderId,
    carrierIds: [...new Set(bookings.map(({ carrierId }) => carrierId))],
    reason: itinerary.cancelReason ?? 'UNKNOWN',
    cancelledAt,
  });
}

const earlier = (one: Date, other: Date): Date => (one < other ? one : other);
