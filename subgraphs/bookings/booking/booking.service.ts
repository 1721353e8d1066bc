/**
 * Owns the bookings of an itinerary's legs: who was asked, who answered what, who carries. Promises that nobody
 * is asked without capacity being held on every leg, and that an answer counts once and in time.
 * Called by resolvers (senders ask, carriers answer), by the booking saga, and by handlers.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { BookingAnswered } from '#shared/events/bookings.ts';
import { Conflict, Invalid, NotFound, Refusal } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import type { Money } from '#shared/kernel/money.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import type { BookingsConfig } from '../bookings.config.ts';
import type { ItineraryService, ItineraryView } from '../itinerary/itinerary.service.ts';
import type { PricingService } from '../pricing/pricing.service.ts';
import type { BookingCapacity } from './booking.capacity.ts';
import {
  LegAssignmentEntity,
  type LegAssignmentRow,
  LegBookingEntity,
  type LegBookingRow,
} from './booking.entities.ts';
import { bookingSaga } from './booking.saga.ts';
import { type BookingEvent, type BookingState, bookingStates } from './booking.states.ts';

export type BookingView = LegBookingRow;
export type LegAssignmentView = LegAssignmentRow;

export interface BookingRequest {
  readonly itineraryId: string;
  readonly quoteId: string;
  readonly quoteSignature: string;
  readonly expectedTotal: Money;
}

export class BookingService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #itineraries: ItineraryService;
  readonly #pricing: PricingService;
  readonly #capacity: BookingCapacity;
  readonly #config: BookingsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    itineraries: ItineraryService;
    pricing: PricingService;
    capacity: BookingCapacity;
    config: BookingsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#itineraries = deps.itineraries;
    this.#pricing = deps.pricing;
    this.#capacity = deps.capacity;
    this.#config = deps.config;
  }

  /**
   * Holds capacity on every leg, then asks every carrier and starts the saga. Refuses `ITINERARY_NOT_FOUND`,
   * `CAPACITY_GONE` {legId, freeGrams, alternatives}, `LEG_NOT_BOOKABLE` {legId, alternatives}, what a quote
   * refuses, `SHIPMENT_ALREADY_BOOKED`, `TOO_MANY_UNPAID`, `DEPARTURE_TOO_SOON`, `INVALID_TRANSITION`.
   */
  async request(viewer: Viewer, request: BookingRequest): Promise<ItineraryView> {
    const { userId } = requireUser(viewer);
    const [seen] = await this.#itineraries.byIds(viewer, [requireId(request.itineraryId, 'itineraryId')]);
    if (!seen || seen instanceof Error || seen.senderId !== userId) {
      throw new NotFound('ITINERARY_NOT_FOUND', 'There is no such itinerary of yours');
    }
    if (seen.state === 'planned') await this.#pricing.requireBinding(seen, request);
    else if (seen.quoteId === request.quoteId) return seen;
    const legs = await this.#db.read((em) => this.#itineraries.legsOf(em, seen));
    const answerBy = this.#answerBy(legs[0]!.departsAt);
    // Held outside the transaction: if we die before the saga takes it over, it runs out by itself.
    const held = { ...seen, holdId: newId() };
    await this.#capacity.hold(held, legs, after(this.#clock.now(), this.#config.HOLD_GRACE));
    try {
      return await this.#db.transaction((tx) =>
        this.#ask(tx, viewer, request, { answerBy, holdId: held.holdId }),
      );
    } catch (error) {
      if (error instanceof Refusal) await this.#capacity.release(held, legs);
      throw error;
    }
  }

  /** The carrier will carry. Refuses `BOOKING_NOT_FOUND`, `ANSWER_TOO_LATE`, `INVALID_TRANSITION`. */
  accept(viewer: Viewer, bookingId: string): Promise<BookingView> {
    return this.#answer(viewer, bookingId, 'accept', null);
  }

  /** The carrier will not carry. Refuses what `accept` refuses, and `REASON_TOO_LONG`. */
  decline(viewer: Viewer, bookingId: string, reason: string | null): Promise<BookingView> {
    if ((reason?.length ?? 0) > 500)
      throw new Invalid('REASON_TOO_LONG', 'A reason has at most 500 characters');
    return this.#answer(viewer, bookingId, 'decline', reason);
  }

  /** The sender wants out; the saga gives everything back. Refuses `ITINERARY_NOT_FOUND`, `INVALID_TRANSITION` once it is being paid. */
  cancel(viewer: Viewer, itineraryId: string): Promise<ItineraryView> {
    return this.#db.transaction(async (tx) => {
      const itinerary = await this.#itineraries.lockOwn(tx.em, viewer, itineraryId);
      if (itinerary.state === 'planned') {
        this.#itineraries.move(itinerary, 'cancel', 'sender');
        itinerary.cancelReason = 'SENDER_CANCELLED';
        return itinerary;
      }
      if (!['requested', 'partially_accepted', 'accepted'].includes(itinerary.state)) {
        this.#itineraries.move(itinerary, 'cancel', 'sender');
      }
      itinerary.cancelAskedAt ??= this.#clock.now();
      tx.afterCommit(() => this.#durable.wake(itinerary.id));
      return itinerary;
    });
  }

  /** Custody moved: one carrier took over, another handed on. */
  async recordHandoff(started: string | null, finished: string | null): Promise<void> {
    if (started) await this.#moveOne(started, 'take_over');
    if (finished) await this.#moveOne(finished, 'hand_on');
  }

  /** A leg's share was released to its carrier. */
  settle(bookingId: string): Promise<void> {
    return this.#moveOne(bookingId, 'settle');
  }

  readonly byIds: Batch<string, BookingView> = async (viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(LegBookingEntity, { id: { $in: [...ids] } }));
    return inOrder(
      ids,
      rows.filter((row) => concerns(viewer, row)),
      (row) => row.id,
    );
  };

  /** The booking of an itinerary's leg, for its carrier and its sender. */
  readonly byItineraryLeg: Batch<string, BookingView> = async (viewer, ids) => {
    const rows = await this.#db.read((em) =>
      em.find(LegBookingEntity, { itineraryLegId: { $in: [...ids] } }),
    );
    return inOrder(
      ids,
      rows.filter((row) => concerns(viewer, row)),
      (row) => row.itineraryLegId,
    );
  };

  /** Bookings of a trip's leg, for its traveller alone. */
  readonly byTripLeg: Batch<string, BookingView[]> = async (viewer, legIds) => {
    if (viewer.kind !== 'user') return legIds.map(() => null);
    const rows = await this.#db.read((em) =>
      em.find(
        LegBookingEntity,
        { legId: { $in: [...legIds] }, carrierId: viewer.userId },
        { orderBy: { id: 'asc' } },
      ),
    );
    return groupedBy(legIds, rows, (row) => row.legId).map((own) => (own.length > 0 ? own : null));
  };

  readonly assignmentByBooking: Batch<string, LegAssignmentView> = async (_viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(LegAssignmentEntity, { bookingId: { $in: [...ids] } }));
    return inOrder(ids, rows, (row) => row.bookingId);
  };

  /** What the viewer was asked to carry, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async requestsOf(
    viewer: Viewer,
    page: PageArguments,
    state?: BookingState | null,
  ): Promise<Connection<BookingView>> {
    const { userId } = requireUser(viewer);
    const size = pageSize(page);
    const before = page.after ? requireId(decodeCursor(page.after), 'after') : null;
    const rows = await this.#db.read((em) =>
      em.find(
        LegBookingEntity,
        { carrierId: userId, ...(state ? { state } : {}), ...(before ? { id: { $lt: before } } : {}) },
        { orderBy: { id: 'desc' }, limit: size + 1 },
      ),
    );
    return connection(rows, size, (row) => row.id);
  }

  /** Time to answer: a quarter of the time to departure, between the shortest and the longest window. */
  #answerBy(departsAt: Date): Date {
    const now = this.#clock.now();
    const { ANSWER_WINDOW, ANSWER_WINDOW_MIN } = this.#config;
    const quarter = (departsAt.getTime() - now.getTime()) / 4;
    const answerBy = after(now, Math.max(ANSWER_WINDOW_MIN, Math.min(ANSWER_WINDOW, quarter)));
    if (answerBy >= departsAt)
      throw new Conflict('DEPARTURE_TOO_SOON', 'The first leg leaves before its carrier could answer');
    return answerBy;
  }

  async #ask(
    tx: Transaction,
    viewer: Viewer,
    request: BookingRequest,
    { answerBy, holdId }: { answerBy: Date; holdId: string },
  ): Promise<ItineraryView> {
    const itinerary = await this.#itineraries.lockOwn(tx.em, viewer, request.itineraryId);
    const quote = await this.#pricing.requireBinding(itinerary, request);
    if (
      (await this.#itineraries.countUnpaid(tx.em, itinerary.senderId)) >= this.#config.UNPAID_ITINERARIES_MAX
    ) {
      throw new Conflict('TOO_MANY_UNPAID', 'Pay or cancel what you have asked for first', {
        max: this.#config.UNPAID_ITINERARIES_MAX,
      });
    }
    this.#itineraries.move(itinerary, 'request', 'sender');
    itinerary.quoteId = quote.id;
    itinerary.answerBy = answerBy;
    itinerary.holdId = holdId;
    const legs = await this.#itineraries.legsOf(tx.em, itinerary);
    for (const leg of legs) {
      const line = quote.lines.find(({ itineraryLegId }) => itineraryLegId === leg.id)!;
      tx.em.create(LegBookingEntity, {
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
      });
    }
    await tx.em.flush().catch((error) => {
      if (!/one_live_itinerary_per_shipment/.test(String(error))) throw error;
      throw new Conflict('SHIPMENT_ALREADY_BOOKED', 'Another itinerary of this shipment is under way');
    });
    await this.#durable.startSaga(tx, bookingSaga, itinerary.id, { itineraryId: itinerary.id });
    return itinerary;
  }

  #answer(
    viewer: Viewer,
    bookingId: string,
    event: 'accept' | 'decline',
    reason: string | null,
  ): Promise<BookingView> {
    const { userId } = requireUser(viewer);
    return this.#db.transaction(async (tx) => {
      const known = await tx.em.findOne(LegBookingEntity, { id: requireId(bookingId, 'bookingId') });
      if (known?.carrierId !== userId)
        throw new NotFound('BOOKING_NOT_FOUND', 'There is no such booking for you');
      // The itinerary first, as everywhere: answers of two carriers at once must see each other.
      const itinerary = await this.#itineraries.lock(tx.em, known.itineraryId);
      const booking = await this.#lock(tx, bookingId);
      const state = nextState(bookingStates, booking.state, event, 'carrier');
      if (booking.answerBy <= this.#clock.now())
        throw new Conflict('ANSWER_TOO_LATE', 'The time to answer is over');
      booking.state = state;
      booking.reason = reason;
      booking.answeredAt = this.#clock.now();
      await tx.em.flush();
      if (event === 'accept') {
        const open = await tx.em.count(LegBookingEntity, {
          itineraryId: itinerary.id,
          state: { $ne: 'accepted' },
        });
        this.#itineraries.move(itinerary, open === 0 ? 'accept_all' : 'accept_some', 'system');
      }
      const { id, shipmentId, senderId, carrierId, itineraryId } = booking;
      const answer = event === 'accept' ? 'accepted' : 'declined';
      tx.tell(BookingAnswered, {
        itineraryId,
        shipmentId,
        senderId,
        bookingId: id,
        carrierId,
        answer,
        reason,
      });
      tx.afterCommit(() => this.#durable.wake(itineraryId));
      return booking;
    });
  }

  #moveOne(bookingId: string, event: BookingEvent): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const booking = await this.#lock(tx, bookingId);
      booking.state = nextState(bookingStates, booking.state, event, 'system');
    });
  }

  #lock(tx: Transaction, bookingId: string): Promise<LegBookingRow> {
    return tx.em.findOneOrFail(
      LegBookingEntity,
      { id: bookingId },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }
}

const concerns = (viewer: Viewer, booking: LegBookingRow): boolean =>
  viewer.kind === 'service' ||
  (viewer.kind === 'user' && (viewer.userId === booking.carrierId || viewer.userId === booking.senderId));
