/**
 * Owns what is free on every leg, on the two-phase ledger. Promises that a gram is sold once: the database
 * refuses the second buyer, whoever asks how many at once. Every change is told with the absolute figure.
 * Called by the trip service (offers) and through the contract (holds of bookings).
 */
import { LockMode } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import { LegCapacityChanged, type publishedLeg } from '#shared/events/trips.ts';
import { Conflict } from '#shared/kernel/errors.ts';
import { money } from '#shared/kernel/money.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { Batch } from '#shared/runtime/graph.ts';
import { Capacity, type CapacityHold } from '#shared/runtime/ledger/capacity.ts';
import { TripConstraintsEntity, TripEntity, TripLegEntity, type TripLegRow } from './trip.entities.ts';
import { holdExpiryJob } from './trip.jobs.ts';

export type PublishedLeg = z.output<typeof publishedLeg>;

export class TripCapacity {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #capacity: Capacity;

  constructor(deps: { db: Database; clock: Clock; durable: Durable }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#capacity = new Capacity(deps.db);
  }

  /** Sets what a leg offers in total. Refuses `CAPACITY_PROMISED` {legId, promisedGrams}. */
  async offer(leg: TripLegRow, grams: number): Promise<void> {
    await this.#db.transaction(async () => {
      await this.#capacity.offer(`${leg.id}:${leg.capacityVersion}:${grams}`, leg.id, grams);
      await this.#tellChanged([leg.id]);
    });
  }

  /** Refuses `CAPACITY_GONE` {legId, freeGrams}, `LEG_NOT_BOOKABLE` {legId}, `PACKAGE_NOT_ACCEPTED` {legId}. */
  async hold(hold: CapacityHold): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const legs = await this.legs(hold.items.map(({ legId }) => legId));
      for (const { legId, grams } of hold.items) {
        const leg = legs.find((each) => each.legId === legId);
        if (!leg?.bookable)
          throw new Conflict('LEG_NOT_BOOKABLE', 'This leg can no longer be booked', { legId });
        if (grams > leg.maxPackageGrams) {
          throw new Conflict('PACKAGE_NOT_ACCEPTED', 'The traveller does not take this weight', { legId });
        }
      }
      await this.#capacity.hold(hold);
      await this.#scheduleExpiry(hold.holdId, hold.expiresAt);
      await this.#tellChanged(hold.items.map(({ legId }) => legId));
      await tx.em.flush();
    });
  }

  /** Refuses `HOLD_UNKNOWN`, `HOLD_RESOLVED`. */
  async extend(holdId: string, expiresAt: Date): Promise<void> {
    await this.#db.transaction(async () => {
      await this.#capacity.extend(holdId, expiresAt);
      await this.#scheduleExpiry(holdId, expiresAt);
    });
  }

  /** Refuses `HOLD_UNKNOWN`, `HOLD_RESOLVED`. */
  confirm(holdId: string): Promise<void> {
    return this.#capacity.confirm(holdId);
  }

  async release(holdId: string): Promise<void> {
    await this.#db.transaction(async () => {
      await this.#capacity.release(holdId);
      await this.#tellChanged(await this.#capacity.legsOf(holdId));
    });
  }

  /** Gives back every hold whose time has passed. */
  expire(): Promise<void> {
    return this.#capacity.expire(this.#clock.now(), async (holdId) =>
      this.#tellChanged(await this.#capacity.legsOf(holdId)),
    );
  }

  readonly freeByLeg: Batch<string, number> = async (_viewer, legIds) => {
    const free = await this.#capacity.free(legIds);
    return legIds.map((legId) => free.get(legId) ?? 0);
  };

  /** Legs in the form in which they are told, with what is free now. */
  async published(legs: readonly TripLegRow[]): Promise<PublishedLeg[]> {
    const free = await this.#capacity.free(legs.map(({ id }) => id));
    return legs.map((leg) => ({
      legId: leg.id,
      sequence: leg.sequence,
      mode: leg.mode,
      fromLocationId: leg.fromLocationId,
      toLocationId: leg.toLocationId,
      departsAt: leg.departsAt,
      arrivesAt: leg.arrivesAt,
      base: money(leg.baseMinor, leg.currency),
      perKilogram: money(leg.perKilogramMinor, leg.currency),
      capacityGrams: leg.capacityGrams,
      freeGrams: free.get(leg.id) ?? 0,
      capacityVersion: leg.capacityVersion,
    }));
  }

  /** Legs as they stand now, for whoever wants to book them. */
  async legs(legIds: readonly string[]) {
    return this.#db.read(async (em) => {
      const legs = await em.find(TripLegEntity, { id: { $in: [...legIds] } });
      const tripIds = [...new Set(legs.map(({ tripId }) => tripId))];
      const trips = new Map(
        (await em.find(TripEntity, { id: { $in: tripIds } })).map((trip) => [trip.id, trip]),
      );
      const rules = new Map(
        (await em.find(TripConstraintsEntity, { tripId: { $in: tripIds } })).map((row) => [row.tripId, row]),
      );
      const published = await this.published(legs);
      return published.map((leg, index) => {
        const { tripId } = legs[index]!;
        const trip = trips.get(tripId)!;
        const constraints = rules.get(tripId);
        return {
          ...leg,
          tripId,
          travellerId: trip.travellerId,
          bookable:
            (trip.state === 'published' || trip.state === 'in_progress') && leg.departsAt > this.#clock.now(),
          allowedCategories: constraints?.allowedCategories ?? [],
          maxPackageGrams: constraints?.maxPackageGrams ?? 0,
          maxDeclaredValue:
            constraints?.maxDeclaredValueMinor == null
              ? null
              : money(constraints.maxDeclaredValueMinor, constraints.maxDeclaredValueCurrency!),
        };
      });
    });
  }

  async #scheduleExpiry(holdId: string, expiresAt: Date): Promise<void> {
    await this.#db.transaction((tx) =>
      this.#durable.schedule(
        tx,
        holdExpiryJob,
        { id: `hold:${holdId}:${expiresAt.getTime()}`, runAt: expiresAt },
        {},
      ),
    );
  }

  /** Locks the legs in the order of their ids, so that versions and figures are told in one order. */
  async #tellChanged(legIds: readonly string[]): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.em.flush();
      const legs = await tx.em.find(
        TripLegEntity,
        { id: { $in: [...new Set(legIds)] } },
        { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
      );
      const free = await this.#capacity.free(legs.map(({ id }) => id));
      for (const leg of legs) {
        leg.capacityVersion += 1;
        tx.tell(LegCapacityChanged, {
          tripId: leg.tripId,
          legId: leg.id,
          freeGrams: free.get(leg.id) ?? 0,
          capacityVersion: leg.capacityVersion,
        });
      }
    });
  }
}
