/**
 * Owns the bookings of an itinerary's legs: who was asked, who answered what, who carries. Promises that an
 * answer counts once and in time, and that nobody but a leg's sender and its carrier knows of its booking.
 * Called by resolvers (carriers answer, both look) and by handlers when custody and money have moved.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { BookingAnswered } from '#shared/events/bookings.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { isId, requireId } from '#shared/kernel/ids.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import type { ItineraryService } from '../itinerary/itinerary.service.ts';
import {
  LegAssignmentEntity,
  type LegAssignmentRow,
  LegBookingEntity,
  type LegBookingRow,
} from './booking.entities.ts';
import { type BookingEvent, type BookingState, bookingStates } from './booking.states.ts';

export type BookingView = LegBookingRow;
export type LegAssignmentView = LegAssignmentRow;

export class BookingService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #itineraries: ItineraryService;

  constructor(deps: { db: Database; clock: Clock; durable: Durable; itineraries: ItineraryService }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#itineraries = deps.itineraries;
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

  /** A traveller called the trip off: whatever is not confirmed yet on it will not be carried. */
  async callOffTrip(tripId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      for (const { id, itineraryId } of await this.#itineraries.legsOnTrip(tx.em, tripId)) {
        await this.#itineraries.lock(tx.em, itineraryId);
        const booking = await tx.em.findOne(LegBookingEntity, { itineraryLegId: id }, { refresh: true });
        if (booking?.state !== 'requested' && booking?.state !== 'accepted') continue;
        booking.state = nextState(bookingStates, booking.state, 'call_off', 'system');
        booking.reason = 'TRIP_CANCELLED';
        this.#tellAnswer(tx, booking, 'declined');
      }
    });
  }

  /** Custody moved: one carrier took over, another handed on. */
  async recordHandoff(started: string | null, finished: string | null): Promise<void> {
    if (started) await this.#reach(started, 'in_custody');
    if (finished) await this.#reach(finished, 'fulfilled');
  }

  /** A leg's share was released to its carrier. */
  settle(bookingId: string): Promise<void> {
    return this.#reach(bookingId, 'settled');
  }

  readonly byIds: Batch<string, BookingView> = async (viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(LegBookingEntity, { id: { $in: ids.filter(isId) } }));
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
        { legId: { $in: legIds.filter(isId) }, carrierId: viewer.userId },
        { orderBy: { id: 'asc' } },
      ),
    );
    return groupedBy(legIds, rows, (row) => row.legId).map((own) => (own.length > 0 ? own : null));
  };

  /** Bookings of all legs of a trip, for its traveller alone. */
  readonly byTrip: Batch<string, BookingView[]> = async (viewer, tripIds) => {
    if (viewer.kind !== 'user') return tripIds.map(() => null);
    const legs = await this.#itineraries.legsOfTrips(viewer.userId, tripIds);
    const tripOf = new Map(legs.map(({ id, tripId }) => [id, tripId]));
    const rows = await this.#db.read((em) =>
      em.find(LegBookingEntity, { itineraryLegId: { $in: [...tripOf.keys()] } }, { orderBy: { id: 'asc' } }),
    );
    return groupedBy(tripIds, rows, (row) => tripOf.get(row.itineraryLegId)!).map((own) =>
      own.length > 0 ? own : null,
    );
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
      if (isOver(booking, this.#clock.now()))
        throw new Conflict('ANSWER_TOO_LATE', 'The time to answer is over');
      booking.state = nextState(bookingStates, booking.state, event, 'carrier');
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
      this.#tellAnswer(tx, booking, event === 'accept' ? 'accepted' : 'declined');
      return booking;
    });
  }

  #tellAnswer(tx: Transaction, booking: LegBookingRow, answer: 'accepted' | 'declined'): void {
    const { id: bookingId, itineraryId, shipmentId, senderId, carrierId, reason } = booking;
    tx.tell(BookingAnswered, {
      itineraryId,
      shipmentId,
      senderId,
      bookingId,
      carrierId,
      answer,
      reason: reason ?? null,
    });
    tx.afterCommit(() => this.#durable.wake(itineraryId));
  }

  /** Facts of different subgraphs may overtake each other: what a fact implies is caught up with step by step. */
  #reach(bookingId: string, target: CarriedState): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const booking = await this.#lock(tx, bookingId);
      const order = Object.keys(carriage) as BookingState[];
      while (order.indexOf(booking.state) < order.indexOf(target)) {
        const event = carriage[booking.state as keyof typeof carriage] ?? 'take_over';
        booking.state = nextState(bookingStates, booking.state, event, 'system');
      }
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

type CarriedState = 'in_custody' | 'fulfilled' | 'settled';

/** The states of a booking that is carried, in their order, and what leads on from each. */
const carriage: Record<'confirmed' | CarriedState, BookingEvent | null> = {
  confirmed: 'take_over',
  in_custody: 'hand_on',
  fulfilled: 'settle',
  settled: null,
};

/** True where no answer counts any more, be it that the saga has said so already or is about to. */
const isOver = ({ state, answerBy }: LegBookingRow, now: Date): boolean =>
  state === 'expired' || (state === 'requested' && answerBy <= now);

const concerns = (viewer: Viewer, booking: LegBookingRow): boolean =>
  viewer.kind === 'service' ||
  (viewer.kind === 'user' && (viewer.userId === booking.carrierId || viewer.userId === booking.senderId));
