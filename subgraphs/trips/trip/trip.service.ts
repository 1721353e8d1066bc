/**
 * Owns trips, their legs, rules and papers, from draft to the last leg. Promises that what is published can be
 * carried as written: legs join in place and time, papers are there, and what was sold is never taken back.
 * Called by resolvers (travellers), by handlers (custody moved) and by jobs (a departure came).
 */
import { type EntityManager, LockMode } from '@mikro-orm/postgresql';
import type { IdentityContract } from '#shared/contracts/identity.ts';
import { TripPublished, TripWithdrawn } from '#shared/events/trips.ts';
import type { PackageCategory } from '#shared/events/vocabulary.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { TripsConfig } from '../trips.config.ts';
import type { TripCapacity } from './trip.capacity.ts';
import {
  CarriedLegEntity,
  TripConstraintsEntity,
  TripDocumentEntity,
  TripEntity,
  TripLegEntity,
  type TripLegRow,
  type TripRow,
} from './trip.entities.ts';
import { departureJob } from './trip.jobs.ts';
import { checkLeg, type LegDraft } from './trip.leg.ts';
import { publicStates, type TripEvent, tripStates } from './trip.states.ts';
import type { TripLegView, TripView } from './trip.views.ts';

export interface ConstraintsDraft {
  readonly tripId: string;
  readonly maxPackageGrams: number;
  readonly allowedCategories: readonly PackageCategory[];
  readonly maxDeclaredValue?: Money | null;
  readonly notes?: string | null;
}

export class TripService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #identity: Caller<typeof IdentityContract>;
  readonly #capacity: TripCapacity;
  readonly #config: TripsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    identity: Caller<typeof IdentityContract>;
    capacity: TripCapacity;
    config: TripsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#identity = deps.identity;
    this.#capacity = deps.capacity;
    this.#config = deps.config;
  }

  /** Begins a draft. Refuses `SIGN_IN_REQUIRED`, `ID_MALFORMED`, `TRIP_TIMES_INVALID`. */
  async create(
    viewer: Viewer,
    draft: {
      originLocationId: string;
      destinationLocationId: string;
      transportMode: 'flight' | 'car';
      earliestDeparture: Date;
      latestArrival: Date;
    },
  ): Promise<TripView> {
    const { userId } = requireUser(viewer);
    requireId(draft.originLocationId, 'originLocationId');
    requireId(draft.destinationLocationId, 'destinationLocationId');
    if (draft.latestArrival <= draft.earliestDeparture) {
      throw new Invalid('TRIP_TIMES_INVALID', 'A trip ends after it begins');
    }
    return this.#db.transaction(async ({ em }) => {
      const trip = em.create(TripEntity, {
        ...draft,
        id: newId(),
        travellerId: userId,
        state: tripStates.initial,
        statesVersion: tripStates.version,
        version: 0,
        createdAt: this.#clock.now(),
      });
      await em.persist(trip).flush();
      return trip;
    });
  }

  /**
   * Appends a leg. Refuses `TRIP_NOT_DRAFT`, `LEG_NOT_CONTIGUOUS`, `LEG_TIMES_INVALID`, `LEG_PRICE_INVALID`,
   * `LEG_CAPACITY_INVALID`, `LEG_LIMIT_REACHED`, `CURRENCY_UNKNOWN`.
   */
  async addLeg(viewer: Viewer, draft: LegDraft): Promise<TripView> {
    requireId(draft.fromLocationId, 'fromLocationId');
    requireId(draft.toLocationId, 'toLocationId');
    return this.#changeDraft(viewer, draft.tripId, async (em, trip) => {
      const legs = await em.find(TripLegEntity, { tripId: trip.id }, { orderBy: { sequence: 'asc' } });
      checkLeg(draft, trip, legs);
      const { tripId, mode, fromLocationId, toLocationId, departsAt, arrivesAt, capacityGrams } = draft;
      em.create(TripLegEntity, {
        id: newId(),
        tripId,
        sequence: legs.length + 1,
        mode,
        fromLocationId,
        toLocationId,
        departsAt,
        arrivesAt,
        carrierReference: draft.carrierReference ?? null,
        currency: draft.basePrice.currency,
        baseMinor: draft.basePrice.amountMinor,
        perKilogramMinor: draft.pricePerKilogram.amountMinor,
        capacityGrams,
      });
    });
  }

  /** Sets the traveller's rules. Refuses `TRIP_NOT_DRAFT`, `CONSTRAINTS_INVALID`. */
  async setConstraints(viewer: Viewer, draft: ConstraintsDraft): Promise<TripView> {
    if (
      draft.maxPackageGrams < 1 ||
      draft.allowedCategories.length === 0 ||
      (draft.maxDeclaredValue?.amountMinor ?? 0n) < 0n
    ) {
      throw new Invalid('CONSTRAINTS_INVALID', 'Give a weight above zero and at least one kind of goods');
    }
    return this.#changeDraft(viewer, draft.tripId, async (em, trip) => {
      await em.upsert(TripConstraintsEntity, {
        tripId: trip.id,
        maxPackageGrams: draft.maxPackageGrams,
        allowedCategories: [...new Set(draft.allowedCategories)],
        maxDeclaredValueMinor: draft.maxDeclaredValue?.amountMinor ?? null,
        maxDeclaredValueCurrency: draft.maxDeclaredValue?.currency ?? null,
        notes: draft.notes ?? null,
      });
    });
  }

  /** Attaches a stored file of the traveller's. Refuses `FILE_NOT_FOUND`, `TRIP_NOT_FOUND`, `TRIP_OVER`. */
  async addDocument(
    viewer: Viewer,
    draft: { tripId: string; kind: 'flight_ticket' | 'boarding_pass' | 'other'; fileId: string },
  ): Promise<TripView> {
    const { userId } = requireUser(viewer);
    const [file] = await this.#identity.files({ fileIds: [requireId(draft.fileId, 'fileId')] });
    if (file?.ownerId !== userId) throw new NotFound('FILE_NOT_FOUND', 'There is no such file of yours');
    return this.#db.transaction(async ({ em }) => {
      const trip = await this.#lockOwn(em, viewer, draft.tripId);
      if (tripStates.terminal.includes(trip.state)) throw new Conflict('TRIP_OVER', 'The trip is over');
      const known = await em.count(TripDocumentEntity, { tripId: trip.id, fileId: file.fileId });
      if (known === 0) {
        em.create(TripDocumentEntity, {
          id: newId(),
          ...draft,
          sha256: file.sha256,
          addedAt: this.#clock.now(),
        });
      }
      return trip;
    });
  }

  /**
   * Makes a draft bookable and tells it. Refuses `TRIP_WITHOUT_LEGS`, `TRIP_WITHOUT_CONSTRAINTS`,
   * `TRIP_WITHOUT_DOCUMENT`, `DEPARTURE_TOO_SOON`, `INVALID_TRANSITION`.
   */
  publish(viewer: Viewer, tripId: string): Promise<TripView> {
    return this.#db.transaction(async (tx) => {
      const trip = await this.#lockOwn(tx.em, viewer, tripId);
      const legs = await tx.em.find(TripLegEntity, { tripId }, { orderBy: { sequence: 'asc' } });
      await this.#move(trip, 'publish');
      await this.#requirePublishable(tx.em, trip, legs);
      for (const leg of legs) await this.#capacity.offer(leg, leg.capacityGrams);
      await this.#durable.schedule(
        tx,
        departureJob,
        { id: `departure:${tripId}`, runAt: legs[0]!.departsAt },
        { tripId },
      );
      await this.#tellPublished(trip);
      return trip;
    });
  }

  /** Takes a trip out of the search. Refuses `INVALID_TRANSITION`. */
  pause(viewer: Viewer, tripId: string): Promise<TripView> {
    return this.#db.transaction(async (tx) => {
      const trip = await this.#lockOwn(tx.em, viewer, tripId);
      await this.#move(trip, 'pause');
      tx.tell(TripWithdrawn, { tripId, travellerId: trip.travellerId, reason: 'paused' });
      return trip;
    });
  }

  /** Puts a paused trip back. Refuses what `publish` refuses. */
  resume(viewer: Viewer, tripId: string): Promise<TripView> {
    return this.#db.transaction(async ({ em }) => {
      const trip = await this.#lockOwn(em, viewer, tripId);
      await this.#move(trip, 'resume');
      const legs = await em.find(TripLegEntity, { tripId }, { orderBy: { sequence: 'asc' } });
      await this.#requirePublishable(em, trip, legs);
      await this.#tellPublished(trip);
      return trip;
    });
  }

  /** Calls a trip off. Refuses `CUSTODY_OUTSTANDING` while the traveller holds parcels, `INVALID_TRANSITION`. */
  cancel(viewer: Viewer, tripId: string): Promise<TripView> {
    return this.#db.transaction(async (tx) => {
      const trip = await this.#lockOwn(tx.em, viewer, tripId);
      const carrying = await tx.em.count(CarriedLegEntity, { tripId, state: 'carrying' });
      if (carrying > 0) throw new Conflict('CUSTODY_OUTSTANDING', 'Hand over the parcels you hold first');
      await this.#move(trip, 'cancel');
      tx.tell(TripWithdrawn, { tripId, travellerId: trip.travellerId, reason: 'cancelled' });
      return trip;
    });
  }

  /** Changes what a leg offers. Refuses `CAPACITY_PROMISED` {legId, promisedGrams}, `LEG_CAPACITY_INVALID`, `LEG_NOT_FOUND`. */
  changeCapacity(viewer: Viewer, legId: string, grams: number): Promise<TripLegView> {
    if (grams < 1) throw new Invalid('LEG_CAPACITY_INVALID', 'A leg offers at least one gram');
    return this.#db.transaction(async ({ em }) => {
      const leg = await em.findOne(
        TripLegEntity,
        { id: requireId(legId) },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (!leg) throw new NotFound('LEG_NOT_FOUND', 'There is no such leg of yours');
      const trip = await this.#lockOwn(em, viewer, leg.tripId);
      leg.capacityGrams = grams;
      if (trip.state !== 'draft') await this.#capacity.offer(leg, grams);
      return leg;
    });
  }

  /** The departure of the first leg has come: what is booked goes, what is not can no longer be. */
  depart(tripId: string): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const trip = await tx.em.findOne(TripEntity, { id: tripId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (trip?.state !== 'published' && trip?.state !== 'paused') return;
      await this.#move(trip, 'depart', 'system');
      tx.tell(TripWithdrawn, { tripId, travellerId: trip.travellerId, reason: 'departed' });
      await this.#completeWhereDone(tx.em, trip);
    });
  }

  /** An itinerary was confirmed: its legs on trips will be carried. */
  async expectCarriage(legs: readonly { bookingId: string; legId: string; tripId: string }[]): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      for (const leg of legs) await em.upsert(CarriedLegEntity, { ...leg, state: 'confirmed' });
    });
  }

  /** Custody moved: one booking's carriage began, another's ended. */
  async recordCarriage(started: string | null, finished: string | null): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      if (started) await em.nativeUpdate(CarriedLegEntity, { bookingId: started }, { state: 'carrying' });
      if (!finished) return;
      const carried = await em.findOne(CarriedLegEntity, { bookingId: finished });
      if (!carried) return;
      carried.state = 'done';
      await em.flush();
      const trip = await em.findOneOrFail(
        TripEntity,
        { id: carried.tripId },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      await this.#completeWhereDone(em, trip);
    });
  }

  async #changeDraft(
    viewer: Viewer,
    tripId: string,
    change: (em: EntityManager, trip: TripRow) => Promise<void>,
  ): Promise<TripView> {
    return this.#db.transaction(async ({ em }) => {
      const trip = await this.#lockOwn(em, viewer, tripId);
      if (trip.state !== 'draft') throw new Conflict('TRIP_NOT_DRAFT', 'Only a draft can be written');
      await change(em, trip);
      return trip;
    });
  }

  /** Locks the viewer's own trip; for everybody else there is none. Refuses `TRIP_NOT_FOUND`. */
  async #lockOwn(em: EntityManager, viewer: Viewer, tripId: string): Promise<TripRow> {
    const { userId } = requireUser(viewer);
    const trip = await em.findOne(
      TripEntity,
      { id: requireId(tripId, 'tripId') },
      { lockMode: LockMode.PESSIMISTIC_WRITE },
    );
    if (!trip) throw new NotFound('TRIP_NOT_FOUND', 'There is no such trip of yours');
    if (trip.travellerId === userId) return trip;
    if (publicStates.includes(trip.state))
      throw new Forbidden('NOT_YOUR_TRIP', 'Only its traveller may do that');
    throw new NotFound('TRIP_NOT_FOUND', 'There is no such trip of yours');
  }

  async #move(trip: TripRow, event: TripEvent, by: 'traveller' | 'system' = 'traveller'): Promise<void> {
    trip.state = nextState(tripStates, trip.state, event, by);
    trip.version += 1;
  }

  async #requirePublishable(em: EntityManager, trip: TripRow, legs: readonly TripLegRow[]): Promise<void> {
    const [first] = legs;
    if (!first) throw new Conflict('TRIP_WITHOUT_LEGS', 'Add at least one leg first');
    if ((await em.count(TripConstraintsEntity, { tripId: trip.id })) === 0) {
      throw new Conflict('TRIP_WITHOUT_CONSTRAINTS', 'Say what you are willing to carry first');
    }
    const flies = legs.some((leg) => leg.mode === 'flight');
    if (flies && (await em.count(TripDocumentEntity, { tripId: trip.id })) === 0) {
      throw new Conflict('TRIP_WITHOUT_DOCUMENT', 'Attach a ticket or boarding pass of the flight first');
    }
    if (first.departsAt < after(this.#clock.now(), this.#config.TRIP_PUBLISH_LEAD)) {
      throw new Conflict('DEPARTURE_TOO_SOON', 'The first leg leaves too soon for anybody to book it');
    }
  }

  async #completeWhereDone(em: EntityManager, trip: TripRow): Promise<void> {
    if (trip.state !== 'in_progress') return;
    const open = await em.count(CarriedLegEntity, { tripId: trip.id, state: { $ne: 'done' } });
    const [last] = await em.find(
      TripLegEntity,
      { tripId: trip.id },
      { orderBy: { sequence: 'desc' }, limit: 1 },
    );
    if (open === 0 && last && last.arrivesAt <= this.#clock.now())
      await this.#move(trip, 'complete', 'system');
  }

  async #tellPublished(trip: TripRow): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.em.flush();
      const constraints = await tx.em.findOneOrFail(TripConstraintsEntity, { tripId: trip.id });
      const legs = await tx.em.find(TripLegEntity, { tripId: trip.id }, { orderBy: { sequence: 'asc' } });
      tx.tell(TripPublished, {
        tripId: trip.id,
        travellerId: trip.travellerId,
        version: trip.version,
        legs: await this.#capacity.published(legs),
        allowedCategories: constraints.allowedCategories,
        maxPackageGrams: constraints.maxPackageGrams,
        maxDeclaredValue:
          constraints.maxDeclaredValueMinor == null
            ? null
            : money(constraints.maxDeclaredValueMinor, constraints.maxDeclaredValueCurrency!),
      });
    });
  }
}
