/**
 * Finds every sensible way to send a parcel: the exact Pareto set on price, arrival and risk over dated legs
 * and couriers, with at most so many legs. Pure: the same request gives the same answer, whoever asks.
 *
 * The rules, which every other engine behind this interface must keep:
 * - A leg may be boarded when its carrier leaves at or after the moment the parcel is ready. After a flight a
 *   parcel is ready for another carrier 90 minutes after landing, after a drive 30, after a courier 10. The
 *   same traveller's next leg from the same place needs nothing: the parcel stays with them.
 * - Two places of one town (a city and its airports) are joined by a courier, or by a transfer for which the
 *   people involved travel: it costs nothing, takes 60 minutes more and counts as risk. A transfer may also
 *   begin or end a route where the sender or the recipient is ready to come; its time is then theirs.
 * - Risk is a sum, 4 per hand-over between carriers and 6 per transfer: worse than a courier would be.
 * - A courier starts at the first moment within opening hours on a day with enough capacity.
 */

export interface PlannedLeg {
  readonly kind: 'trip_leg' | 'courier_segment';
  readonly legId: string;
  readonly tripId: string | null;
  readonly carrierId: string;
  readonly mode: 'flight' | 'car' | 'courier';
  readonly fromLocationId: string;
  readonly toLocationId: string;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  /** Minor units of the request's currency. */
  readonly priceMinor: bigint;
  readonly capacityVersion: number;
}

/** A leg of a trip that may be used. */
export interface TripCandidate extends PlannedLeg {
  readonly kind: 'trip_leg';
  readonly mode: 'flight' | 'car';
  readonly tripId: string;
  /** Position within the trip: the next one may be boarded without a hand-over. */
  readonly sequence: number;
}

/** A courier that may be used. */
export interface CourierCandidate {
  readonly legId: string;
  readonly carrierId: string;
  readonly fromLocationId: string;
  readonly toLocationId: string;
  readonly priceMinor: bigint;
  readonly capacityVersion: number;
  /** The first run at or after an instant. A later request must never give an earlier run. */
  firstRun(ready: Date): { readonly departsAt: Date; readonly arrivesAt: Date } | null;
}

export interface PlanRequest {
  /** Where the parcel may be handed over, and whether the sender has to travel there. */
  readonly origins: readonly RouteEnd[];
  readonly destinations: readonly RouteEnd[];
  readonly earliestDeparture: Date;
  readonly latestArrival: Date;
  readonly maxLegs: number;
  readonly legs: readonly TripCandidate[];
  readonly couriers: readonly CourierCandidate[];
  /** Town of every place; a place that is missing is its own town. */
  readonly townOf: ReadonlyMap<string, string>;
}

export interface RouteEnd {
  readonly locationId: string;
  readonly byTransfer: boolean;
}

export interface RouteOption {
  readonly legs: readonly PlannedLeg[];
  readonly priceMinor: bigint;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  readonly risk: number;
  /** Between carriers. */
  readonly handovers: number;
  readonly transfers: number;
}

export interface RoutePlanner {
  plan(request: PlanRequest): RouteOption[];
}

const MINUTE = 60_000;
export const BUFFER_MINUTES = { flight: 90, car: 30, courier: 10 } as const;
export const TRANSFER_MINUTES = 60;
export const HANDOVER_RISK = 4;
export const TRANSFER_RISK = 6;
export const MAX_LEGS = 4;

/** What boarding one leg after another costs in risk; null where it is too early or elsewhere. */
export function connectionRisk(
  before: { leg: PlannedLeg; sequence: number | null },
  next: { leg: PlannedLeg; sequence: number | null },
  townOf: ReadonlyMap<string, string>,
): number | null {
  const wait = next.leg.departsAt.getTime() - before.leg.arrivesAt.getTime();
  const samePlace = before.leg.toLocationId === next.leg.fromLocationId;
  if (samePlace && continues(before, next)) return wait >= 0 ? 0 : null;
  const sameTown = town(before.leg.toLocationId, townOf) === town(next.leg.fromLocationId, townOf);
  if (!samePlace && !sameTown) return null;
  const buffer = BUFFER_MINUTES[before.leg.mode] + (samePlace ? 0 : TRANSFER_MINUTES);
  if (wait < buffer * MINUTE) return null;
  return HANDOVER_RISK + (samePlace ? 0 : TRANSFER_RISK);
}

export const continues = (
  before: { leg: PlannedLeg; sequence: number | null },
  next: { leg: PlannedLeg; sequence: number | null },
): boolean =>
  before.leg.tripId !== null &&
  before.leg.tripId === next.leg.tripId &&
  before.sequence !== null &&
  next.sequence === before.sequence + 1;

export const town = (locationId: string, townOf: ReadonlyMap<string, string>): string =>
  townOf.get(locationId) ?? locationId;
