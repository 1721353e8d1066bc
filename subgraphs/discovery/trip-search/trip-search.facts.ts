/**
 * Asks what is true of suggested legs now: trips of theirs, our couriers of theirs. A projection may lag behind
 * and is not believed here. Called when a suggestion is redeemed.
 */
import type { TripsContract } from '#shared/contracts/trips.ts';
import type { PackageCategory } from '#shared/events/vocabulary.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import type { Money } from '#shared/kernel/money.ts';
import { priceOf } from '#shared/kernel/tariff.ts';
import type { CourierOffer, LocalCourierService } from '../local-courier/local-courier.service.ts';
import { Timetable } from '../local-courier/opening-hours.ts';
import type { SuggestedLeg } from './trip-search.token.ts';

export interface Parcel {
  readonly grams: number;
  readonly categories: readonly PackageCategory[];
  readonly declaredValue: Money | null;
}

type Trips = Caller<typeof TripsContract>;
type TripLegFacts = Awaited<ReturnType<Trips['legs']>>[number];

export class LegFacts {
  readonly #trips: Trips;
  readonly #couriers: LocalCourierService;

  constructor({ trips, couriers }: { trips: Trips; couriers: LocalCourierService }) {
    this.#trips = trips;
    this.#couriers = couriers;
  }

  /** The legs at today's price for the parcel, and the ids of those that cannot take it as shown. */
  async check(
    legs: readonly SuggestedLeg[],
    parcel: Parcel,
  ): Promise<{ legs: SuggestedLeg[]; gone: string[] }> {
    const idsOf = (kind: SuggestedLeg['legKind']): string[] =>
      legs.filter(({ legKind }) => legKind === kind).map(({ legId }) => legId);
    const tripIds = idsOf('trip_leg');
    const facts = tripIds.length > 0 ? await this.#trips.legs({ legIds: tripIds }) : [];
    const courierIds = idsOf('courier_segment');
    const offers = courierIds.length > 0 ? await this.#couriers.offers({ ids: courierIds }) : [];
    const checked: SuggestedLeg[] = [];
    const gone: string[] = [];
    for (const leg of legs) {
      const now =
        leg.legKind === 'trip_leg'
          ? tripLegNow(
              leg,
              facts.find(({ legId }) => legId === leg.legId),
              parcel,
            )
          : courierLegNow(
              leg,
              offers.find(({ id }) => id === leg.legId),
              parcel,
            );
      if (now) checked.push(now);
      else gone.push(leg.legId);
    }
    return { legs: checked, gone };
  }
}

function tripLegNow(leg: SuggestedLeg, now: TripLegFacts | undefined, parcel: Parcel): SuggestedLeg | null {
  const same =
    now?.bookable &&
    now.fromLocationId === leg.fromLocationId &&
    now.toLocationId === leg.toLocationId &&
    now.departsAt.getTime() === leg.departsAt.getTime() &&
    now.arrivesAt.getTime() === leg.arrivesAt.getTime() &&
    now.base.currency === leg.price.currency;
  if (!same || now.freeGrams < parcel.grams || now.maxPackageGrams < parcel.grams) return null;
  if (!parcel.categories.every((category) => now.allowedCategories.includes(category))) return null;
  const limit = now.maxDeclaredValue;
  const value = parcel.declaredValue;
  if (limit && value && (limit.currency !== value.currency || limit.amountMinor < value.amountMinor))
    return null;
  return { ...leg, price: priceOf(now, parcel.grams), capacityVersion: now.capacityVersion };
}

function courierLegNow(
  leg: SuggestedLeg,
  now: CourierOffer | undefined,
  parcel: Parcel,
): SuggestedLeg | null {
  const run = now && new Timetable(now, now.durationMinutes).runAt(leg.departsAt);
  if (!run || now.currency !== leg.price.currency) return null;
  if ((now.freeByDay.get(run.day) ?? now.maxGramsPerRun) < parcel.grams) return null;
  if (!parcel.categories.every((category) => now.allowedCategories.includes(category))) return null;
  return { ...leg, price: priceOf(now.tariff, parcel.grams) };
}
