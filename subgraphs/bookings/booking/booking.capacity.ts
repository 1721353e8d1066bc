/**
 * Holds what an itinerary needs with everybody who owns its legs: trips for trip legs, discovery for couriers.
 * One hold per attempt and owner of legs, so that asking twice is asking once.
 */
import { v5 } from 'uuid';
import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { TripsContract } from '#shared/contracts/trips.ts';
import { Conflict, Refusal } from '#shared/kernel/errors.ts';
import type { Contracts } from '#shared/runtime/contracts.ts';
import type { ItineraryLegView, ItineraryView } from '../itinerary/itinerary.service.ts';

const namespace = '0b1cf0a2-6e0c-4a7d-9a53-0f5f3a3e1d77';
const owners = ['trip_leg', 'courier_segment'] as const;
type Owner = (typeof owners)[number];
type Booked = Pick<ItineraryView, 'holdId' | 'shipmentId' | 'grams' | 'suggestionToken'>;

export class BookingCapacity {
  readonly #contracts: Contracts;

  constructor({ contracts }: { contracts: Contracts }) {
    this.#contracts = contracts;
  }

  /**
   * Holds every leg, or none. Refuses `CAPACITY_GONE` {legId, freeGrams, alternatives}, `LEG_NOT_BOOKABLE` and
   * `PACKAGE_NOT_ACCEPTED` {legId, alternatives}.
   */
  async hold(itinerary: Booked, legs: readonly ItineraryLegView[], expiresAt: Date): Promise<void> {
    for (const owner of owners) {
      const own = legs.filter(({ legKind }) => legKind === owner);
      if (own.length === 0) continue;
      const holdId = this.#holdId(itinerary, owner);
      const items = own.map(({ legId, departsAt }) => ({ legId, grams: itinerary.grams, departsAt }));
      try {
        await this.#of(owner).holdCapacity(
          { holdId, shipmentId: itinerary.shipmentId, items, expiresAt },
          { key: holdId },
        );
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await this.release(itinerary, legs);
        throw new Conflict(error.code, error.message, {
          ...error.details,
          alternatives: await this.#alternatives(itinerary),
        });
      }
    }
  }

  async extend(itinerary: Booked, legs: readonly ItineraryLegView[], expiresAt: Date): Promise<void> {
    for (const [owner, holdId] of this.#holds(itinerary, legs)) {
      await this.#of(owner).extendHold({ holdId, expiresAt }, { key: `${holdId}:extend` });
    }
  }

  /** Sells what is held. Refuses `HOLD_RESOLVED` where a hold has run out. */
  async confirm(itinerary: Booked, legs: readonly ItineraryLegView[]): Promise<void> {
    for (const [owner, holdId] of this.#holds(itinerary, legs)) {
      await this.#of(owner).confirmHold({ holdId }, { key: `${holdId}:confirm` });
    }
  }

  async release(itinerary: Booked, legs: readonly ItineraryLegView[]): Promise<void> {
    for (const [owner, holdId] of this.#holds(itinerary, legs)) {
      await this.#of(owner).releaseHold({ holdId }, { key: `${holdId}:release` });
    }
  }

  #holds(itinerary: Booked, legs: readonly ItineraryLegView[]): [Owner, string][] {
    return owners
      .filter((owner) => legs.some(({ legKind }) => legKind === owner))
      .map((owner) => [owner, this.#holdId(itinerary, owner)]);
  }

  #holdId({ holdId }: Booked, owner: Owner): string {
    return v5(`${holdId}:${owner}`, namespace);
  }

  #of(owner: Owner) {
    return owner === 'trip_leg'
      ? this.#contracts.caller(TripsContract)
      : this.#contracts.caller(DiscoveryContract);
  }

  /** What the search offers now instead; empty where it cannot say. */
  async #alternatives({ suggestionToken, grams }: Booked): Promise<unknown> {
    try {
      await this.#contracts
        .caller(DiscoveryContract)
        .suggestion({ token: suggestionToken, grams, categories: [] });
      return [];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.details.alternatives ?? [];
    }
  }
}
