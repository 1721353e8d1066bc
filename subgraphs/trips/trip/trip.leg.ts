import { Invalid } from '#shared/kernel/errors.ts';
import { currencyExponent, type Money } from '#shared/kernel/money.ts';
import type { TripLegRow, TripRow } from './trip.entities.ts';

const maxLegs = 10;

export interface LegDraft {
  readonly tripId: string;
  readonly mode: 'flight' | 'car';
  readonly fromLocationId: string;
  readonly toLocationId: string;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  readonly carrierReference?: string | null;
  readonly basePrice: Money;
  readonly pricePerKilogram: Money;
  readonly capacityGrams: number;
}

/**
 * Whether a leg can follow the legs that a draft has. Refuses `LEG_LIMIT_REACHED`, `LEG_CAPACITY_INVALID`,
 * `LEG_PRICE_INVALID`, `LEG_NOT_CONTIGUOUS`, `LEG_TIMES_INVALID`, `CURRENCY_UNKNOWN`.
 */
export function checkLeg(draft: LegDraft, trip: TripRow, legs: readonly TripLegRow[]): void {
  const last = legs.at(-1);
  if (legs.length >= maxLegs) throw new Invalid('LEG_LIMIT_REACHED', `A trip has at most ${maxLegs} legs`);
  if (draft.capacityGrams < 1) throw new Invalid('LEG_CAPACITY_INVALID', 'A leg offers at least one gram');
  const { basePrice, pricePerKilogram } = draft;
  currencyExponent(basePrice.currency);
  if (
    basePrice.currency !== pricePerKilogram.currency ||
    basePrice.amountMinor < 0n ||
    pricePerKilogram.amountMinor < 0n
  ) {
    throw new Invalid('LEG_PRICE_INVALID', 'Prices are not negative and of one currency');
  }
  if (
    draft.fromLocationId !== (last?.toLocationId ?? trip.originLocationId) ||
    draft.fromLocationId === draft.toLocationId
  ) {
    throw new Invalid('LEG_NOT_CONTIGUOUS', 'A leg begins where the trip or the leg before it stands', {
      expectedFromLocationId: last?.toLocationId ?? trip.originLocationId,
    });
  }
  const earliest = last?.arrivesAt ?? trip.earliestDeparture;
  if (
    draft.departsAt < earliest ||
    draft.arrivesAt <= draft.departsAt ||
    draft.arrivesAt > trip.latestArrival
  ) {
    throw new Invalid(
      'LEG_TIMES_INVALID',
      'A leg leaves after what comes before it and arrives within the trip',
      {
        notBefore: earliest.toISOString(),
        notAfter: trip.latestArrival.toISOString(),
      },
    );
  }
}
