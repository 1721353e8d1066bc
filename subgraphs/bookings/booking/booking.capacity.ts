/**
 * Holds what an itinerary needs with everybody who owns its legs: trips for trip legs, discovery for couriers.
 * One hold per attempt and owner of legs, so that asking twice is asking once. Owners are asked in one order by
 * everybody. Called by booking requests and by the booking saga.
 */
import { v5 } from 'uuid';
import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { TripsContract } from '#shared/contracts/trips.ts';
import { Refusal } from '#shared/kernel/errors.ts';
import type { Contracts } from '#shared/runtime/contracts.ts';
import type { ItineraryLegView, ItineraryView } from '../itinerary/itinerary.service.ts';

const namespace = '0b1cf0a2-6e0c-4a7d-9a53-0f5f3a3e1d77';
const owners = ['trip_leg', 'courier_segment'] as const;
type Owner = (typeof owners)[number];
type Booked = Pick<ItineraryView, 'holdId' | 'shipmentId' | 'grams'>;

export class BookingCapacity {
  readonly #contracts: Contracts;

  constructor({ contracts }: { contracts: Contracts }) {
    this.#contracts = contracts;
  }

  /**
   * Holds every leg; after a refusal the caller releases what others have held. Refuses `CAPACITY_GONE` {legId,
   * freeGrams}, `LEG_NOT_BOOKABLE` and `PACKAGE_NOT_ACCEPTED` {legId}.
   */
  async hold(itinerary: Booked, legs: readonly ItineraryLegView[], expiresAt: Date): Promise<void> {
    for (const [owner, holdId] of holdsOf(itinerary, legs)) {
      const items = legs
        .filter(({ legKind }) => legKind === owner)
        .map(({ legId, departsAt }) => ({ legId, grams: itinerary.grams, departsAt }));
      await this.#of(owner).holdCapacity(
        { holdId, shipmentId: itinerary.shipmentId, items, expiresAt },
        { key: holdId },
      );
    }
  }

  /** Keeps every leg until then, or lets all of them go. Refuses `HOLD_RESOLVED` where a hold has run out. */
  async extend(itinerary: Booked, legs: readonly ItineraryLegView[], expiresAt: Date): Promise<void> {
    try {
      for (const [owner, holdId] of holdsOf(itinerary, legs)) {
        const key = `${holdId}:extend:${expiresAt.getTime()}`;
        await this.#of(owner).extendHold({ holdId, expiresAt }, { key });
      }
    } catch (error) {
      if (error instanceof Refusal) await this.release(itinerary, legs);
      throw error;
    }
  }

  /** Sells what is held; `release` takes that back too. Refuses `HOLD_RESOLVED` where a hold has run out. */
  async confirm(itinerary: Booked, legs: readonly ItineraryLegView[]): Promise<void> {
    for (const [owner, holdId] of holdsOf(itinerary, legs)) {
      await this.#of(owner).confirmHold({ holdId }, { key: `${holdId}:confirm` });
    }
  }

  async release(itinerary: Booked, legs: readonly ItineraryLegView[]): Promise<void> {
    for (const [owner, holdId] of holdsOf(itinerary, legs)) {
      await this.#of(owner).releaseHold({ holdId }, { key: `${holdId}:release` });
    }
  }

  #of(owner: Owner) {
    return owner === 'trip_leg'
      ? this.#contracts.caller(TripsContract)
      : this.#contracts.caller(DiscoveryContract);
  }
}

const holdsOf = ({ holdId }: Booked, legs: readonly ItineraryLegView[]): [Owner, string][] =>
  owners
    .filter((owner) => legs.some(({ legKind }) => legKind === owner))
    .map((owner) => [owner, v5(`${holdId}:${owner}`, namespace)]);
