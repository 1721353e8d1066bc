/**
 * Owns the asking for an itinerary: from a quote to carriers who were asked, and the sender's way back. Promises
 * that nobody is asked without capacity being held on every leg, and that a request sent twice, even at once,
 * is one request. Called by resolvers, and by handlers when a shipment is called off.
 */
import type { DiscoveryContract } from '#shared/contracts/discovery.ts';
import type { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { ItineraryRequested } from '#shared/events/bookings.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Refusal } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { BookingsConfig } from '../bookings.config.ts';
import type { ItineraryLegView, ItineraryService, ItineraryView } from '../itinerary/itinerary.service.ts';
import type { PriceQuoteView, PricingService } from '../pricing/pricing.service.ts';
import { bookedLegs } from './booked-leg.ts';
import type { BookingCapacity } from './booking.capacity.ts';
import { LegBookingEntity, type LegBookingRow } from './booking.entities.ts';
import { bookingSaga } from './booking.saga.ts';
import { bookingStates } from './booking.states.ts';

export interface BookingRequest {
  readonly itineraryId: string;
  readonly quoteId: string;
  readonly quoteSignature: string;
  readonly expectedTotal: Money;
}

/** An attempt to ask: the itinerary with the name of its hold, and until when that stands by itself. */
interface Attempt {
  readonly itinerary: ItineraryView;
  readonly legs: readonly ItineraryLegView[];
  readonly holdUntil: Date;
  readonly answerBy: Date;
}

export class BookingRequests {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #itineraries: ItineraryService;
  readonly #pricing: PricingService;
  readonly #capacity: BookingCapacity;
  readonly #shipments: Caller<typeof ShipmentsContract>;
  readonly #discovery: Caller<typeof DiscoveryContract>;
  readonly #config: BookingsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    itineraries: ItineraryService;
    pricing: PricingService;
    capacity: BookingCapacity;
    shipments: Caller<typeof ShipmentsContract>;
    discovery: Caller<typeof DiscoveryContract>;
    config: BookingsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#itineraries = deps.itineraries;
    this.#pricing = deps.pricing;
    this.#capacity = deps.capacity;
    this.#shipments = deps.shipments;
    this.#discovery = deps.discovery;
    this.#config = deps.config;
  }

  /**
   * Holds capacity on every leg, then asks every carrier and starts the saga; under the same quote again, gives
   * what was asked. Refuses `ITINERARY_NOT_FOUND`, `NOT_YOUR_ITINERARY`, what a quote refuses, `CAPACITY_GONE`
   * {legId, freeGrams, alternatives}, `LEG_NOT_BOOKABLE` and `PACKAGE_NOT_ACCEPTED` {legId, alternatives},
   * `SHIPMENT_ALREADY_BOOKED`, `SHIPMENT_NOT_BOOKABLE` {state}, `TOO_MANY_UNPAID` {max}, `DEPARTURE_TOO_SOON`,
   * `REQUEST_OVERTAKEN`, `INVALID_TRANSITION`.
   */
  async request(viewer: Viewer, request: BookingRequest): Promise<ItineraryView> {
    const attempt = await this.#begin(viewer, request);
    if ('asked' in attempt) return attempt.asked;
    const { itinerary, legs, holdUntil } = attempt;
    try {
      await this.#requireBookable(itinerary.shipmentId);
      // Held outside the transaction: if we die before the saga takes it over, it runs out by itself.
      await this.#capacity.hold(itinerary, legs, holdUntil);
      return await this.#db.transaction((tx) => this.#ask(tx, viewer, request, attempt));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.#giveUp(attempt);
      if (!legRefusals.has(error.code)) throw error;
      const alternatives = await this.#alternatives(itinerary);
      throw new Conflict(error.code, error.message, { ...error.details, alternatives });
    }
  }

  /**
   * The sender wants out before the confirmation; the saga gives everything back. Refuses `ITINERARY_NOT_FOUND`,
   * `NOT_YOUR_ITINERARY`, `INVALID_TRANSITION` once it is confirmed or over.
   */
  cancel(viewer: Viewer, itineraryId: string): Promise<ItineraryView> {
    return this.#db.transaction(async (tx) => {
      const itinerary = await this.#itineraries.lockOwn(tx.em, viewer, itineraryId);
      this.#takeBack(tx, itinerary);
      return itinerary;
    });
  }

  /** Its sender called a shipment off: nobody is asked for it any more. */
  async forgetShipment(shipmentId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      for (const itinerary of await this.#itineraries.lockUnconfirmed(tx.em, shipmentId))
        this.#takeBack(tx, itinerary);
    });
  }

  #takeBack(tx: Transaction, itinerary: ItineraryView): void {
    if (!this.#itineraries.isAsked(itinerary)) {
      this.#itineraries.move(itinerary, 'drop', 'sender');
      itinerary.cancelReason = 'SENDER_CANCELLED';
      return;
    }
    itinerary.cancelAskedAt ??= this.#clock.now();
    tx.afterCommit(() => this.#durable.wake(itinerary.id));
  }

  /** Names the hold before it is made, so that a second request at the same time asks for the same hold. */
  #begin(viewer: Viewer, request: BookingRequest): Promise<Attempt | { asked: ItineraryView }> {
    return this.#db.transaction(async ({ em }) => {
      const itinerary = await this.#itineraries.lockOwn(em, viewer, request.itineraryId);
      if (isReplay(itinerary, request)) return { asked: itinerary };
      this.#itineraries.requireMove(itinerary, 'request', 'sender');
      await this.#pricing.requireBinding(itinerary, request);
      await this.#requireRoom(itinerary.senderId);
      const legs = await this.#itineraries.legsOf(em, itinerary);
      const now = this.#clock.now();
      const answerBy = this.#answerBy(now, legs[0]!.departsAt);
      const { HOLD_GRACE } = this.#config;
      if (!itinerary.holdId || !itinerary.holdUntil || itinerary.holdUntil <= after(now, HOLD_GRACE / 2)) {
        itinerary.holdId = newId();
        itinerary.holdUntil = after(now, HOLD_GRACE);
      }
      return { itinerary, legs, holdUntil: itinerary.holdUntil, answerBy };
    });
  }

  async #ask(
    tx: Transaction,
    viewer: Viewer,
    request: BookingRequest,
    { legs, answerBy, itinerary: begun }: Attempt,
  ): Promise<ItineraryView> {
    const itinerary = await this.#itineraries.lockOwn(tx.em, viewer, request.itineraryId);
    if (isReplay(itinerary, request)) return itinerary;
    this.#itineraries.move(itinerary, 'request', 'sender');
    if (itinerary.holdId !== begun.holdId)
      throw new Conflict('REQUEST_OVERTAKEN', 'The same request was refused a moment ago: ask again');
    const quote = await this.#pricing.requireBinding(itinerary, request);
    // One sender's requests in turn, or two at once would both see room for one more.
    await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`asks:${itinerary.senderId}`]);
    await this.#requireRoom(itinerary.senderId);
    itinerary.quoteId = quote.id;
    itinerary.answerBy = answerBy;
    const bookings = legs.map((leg) =>
      tx.em.create(LegBookingEntity, this.#bookingOf(itinerary, leg, quote, answerBy)),
    );
    await tx.em.flush().catch((error) => {
      if (!/one_live_itinerary_per_shipment/.test(String(error))) throw error;
      throw new Conflict('SHIPMENT_ALREADY_BOOKED', 'Another itinerary of this shipment is under way');
    });
    tx.tell(ItineraryRequested, {
      itineraryId: itinerary.id,
      shipmentId: itinerary.shipmentId,
      senderId: itinerary.senderId,
      legs: bookedLegs(legs, bookings),
      total: money(quote.totalMinor, quote.currency),
      answerBy,
    });
    await this.#durable.startSaga(tx, bookingSaga, itinerary.id, { itineraryId: itinerary.id });
    return itinerary;
  }

  #bookingOf(
    itinerary: ItineraryView,
    leg: ItineraryLegView,
    quote: PriceQuoteView,
    answerBy: Date,
  ): Omit<LegBookingRow, 'reason' | 'answeredAt'> {
    const line = quote.lines.find(({ itineraryLegId }) => itineraryLegId === leg.id)!;
    return {
      id: newId(),
      itineraryId: itinerary.id,
      itineraryLegId: leg.id,
      legId: leg.legId,
      shipmentId: itinerary.shipmentId,
      senderId: itinerary.senderId,
      carrierId: leg.carrierId,
      state: bookingStates.initial,
      statesVersion: bookingStates.version,
      grams: itinerary.grams,
      currency: leg.currency,
      priceMinor: leg.priceMinor,
      feeShareMinor: BigInt(line.feeShareMinor),
      answerBy,
      requestedAt: this.#clock.now(),
    };
  }

  /** Forgets the hold before it is released: a crash in between leaves a hold that runs out, never one believed in. */
  async #giveUp({ itinerary: { id, holdId }, legs, itinerary }: Attempt): Promise<void> {
    const ours = await this.#db.transaction(async ({ em }) => {
      const now = await this.#itineraries.lock(em, id);
      if (this.#itineraries.isAsked(now) || now.holdId !== holdId) return false;
      now.holdId = null;
      return true;
    });
    if (ours) await this.#capacity.release(itinerary, legs);
  }

  /** Refuses `SHIPMENT_NOT_BOOKABLE` {state}; that another itinerary is under way is for our own table to say. */
  async #requireBookable(shipmentId: string): Promise<void> {
    const { state } = await this.#shipments.shipment({ shipmentId });
    if (state !== 'searching' && state !== 'awaiting_acceptance')
      throw new Conflict('SHIPMENT_NOT_BOOKABLE', `The shipment is ${state}`, { state });
  }

  async #requireRoom(senderId: string): Promise<void> {
    const max = this.#config.UNPAID_ITINERARIES_MAX;
    if ((await this.#itineraries.countUnpaid(senderId)) >= max)
      throw new Conflict('TOO_MANY_UNPAID', 'Pay or cancel what you have asked for first', { max });
  }

  /** Time to answer: a quarter of the time to departure, between the shortest and the longest window. */
  #answerBy(now: Date, departsAt: Date): Date {
    const { ANSWER_WINDOW, ANSWER_WINDOW_MIN } = this.#config;
    const quarter = (departsAt.getTime() - now.getTime()) / 4;
    const answerBy = after(now, Math.max(ANSWER_WINDOW_MIN, Math.min(ANSWER_WINDOW, quarter)));
    if (answerBy >= departsAt)
      throw new Conflict('DEPARTURE_TOO_SOON', 'The first leg leaves before its carrier could answer');
    return answerBy;
  }

  /** What the search offers now instead; empty where the same route can be had again. */
  async #alternatives({ suggestionToken, grams, categories }: ItineraryView): Promise<unknown> {
    try {
      await this.#discovery.suggestion({ token: suggestionToken, grams, categories });
      return [];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.details.alternatives ?? [];
    }
  }
}

/** How owners of legs refuse a hold: something else may be had instead. */
const legRefusals = new Set(['CAPACITY_GONE', 'LEG_NOT_BOOKABLE', 'PACKAGE_NOT_ACCEPTED']);

const isReplay = ({ state, quoteId }: ItineraryView, request: BookingRequest): boolean =>
  state !== 'planned' && quoteId === request.quoteId;
