/**
 * The first engine behind the route planner's interface: labels set round by round, one leg per round. A label
 * is dropped only where another can do everything it can at no worse price, arrival and risk, so the answer is
 * exact; the tests hold it against trying every path.
 */
import {
  BUFFER_MINUTES,
  connectionRisk,
  continues,
  HANDOVER_RISK,
  type PlannedLeg,
  type PlanRequest,
  type RouteOption,
  type RoutePlanner,
  TRANSFER_MINUTES,
  TRANSFER_RISK,
  type TripCandidate,
  town,
} from './route-planner.ts';

const MINUTE = 60_000;

/** A way to have the parcel somewhere. */
interface Label {
  readonly leg: PlannedLeg;
  /** Within its trip; null for a courier. */
  readonly sequence: number | null;
  /** The same traveller goes on from here, so the parcel could stay with them. */
  readonly goesOn: boolean;
  readonly before: Label | null;
  readonly count: number;
  readonly priceMinor: bigint;
  readonly risk: number;
  readonly arrives: number;
}

export class LabelPlanner implements RoutePlanner {
  plan(request: PlanRequest): RouteOption[] {
    return new Search(request).run();
  }
}

class Search {
  readonly #request: PlanRequest;
  readonly #latest: number;
  /** Legs by the town they leave, in the order of departure. */
  readonly #departures = new Map<string, TripCandidate[]>();
  readonly #couriers: Map<string, PlanRequest['couriers'][number][]>;
  readonly #steps = new Set<string>();
  readonly #bags = new Map<string, Label[]>();
  readonly #ends: ReadonlyMap<string, number>;
  #arrived: Label[] = [];

  constructor(request: PlanRequest) {
    this.#request = request;
    this.#latest = request.latestArrival.getTime();
    const byTime = [...request.legs].sort(
      (a, b) => a.departsAt.getTime() - b.departsAt.getTime() || (a.legId < b.legId ? -1 : 1),
    );
    for (const leg of byTime) {
      const from = this.#town(leg.fromLocationId);
      const list = this.#departures.get(from);
      if (list) list.push(leg);
      else this.#departures.set(from, [leg]);
      this.#steps.add(`${leg.tripId}:${leg.sequence}`);
    }
    const couriers = [...request.couriers].sort((a, b) => (a.legId < b.legId ? -1 : 1));
    this.#couriers = Map.groupBy(couriers, ({ fromLocationId }) => this.#town(fromLocationId));
    this.#ends = risks(request.destinations);
  }

  run(): RouteOption[] {
    let round = this.#begin();
    for (let count = 1; round.length > 0; count += 1) {
      const kept = round.filter((label) => this.#keep(label));
      if (count === this.#request.maxLegs) break;
      // A later label of the round may have dropped an earlier one.
      round = kept.filter((label) => this.#bag(label).includes(label)).flatMap((label) => this.#next(label));
    }
    return this.#arrived.map((label) => this.#option(label)).sort(byPrice);
  }

  #begin(): Label[] {
    const { origins, earliestDeparture, couriers } = this.#request;
    const starts = risks(origins);
    const towns = new Set(origins.map(({ locationId }) => this.#town(locationId)));
    const first = [...towns]
      .flatMap((from) => this.#leaving(from, earliestDeparture.getTime()))
      .flatMap((leg) => {
        const risk = starts.get(leg.fromLocationId);
        return risk === undefined ? [] : [this.#label(leg, leg.sequence, null, risk)];
      });
    for (const courier of couriers) {
      const risk = starts.get(courier.fromLocationId);
      const run = risk === undefined ? null : courier.firstRun(earliestDeparture);
      if (run) first.push(this.#label(courierLeg(courier, run), null, null, risk!));
    }
    return first.filter(({ arrives }) => arrives <= this.#latest);
  }

  #next(label: Label): Label[] {
    const from = this.#town(label.leg.toLocationId);
    const found: Label[] = [];
    for (const leg of this.#leaving(from, label.arrives)) {
      const risk = connectionRisk(label, { leg, sequence: leg.sequence }, this.#request.townOf);
      if (risk !== null) found.push(this.#label(leg, leg.sequence, label, risk));
    }
    for (const courier of this.#couriers.get(from) ?? []) {
      const samePlace = courier.fromLocationId === label.leg.toLocationId;
      const buffer = BUFFER_MINUTES[label.leg.mode] + (samePlace ? 0 : TRANSFER_MINUTES);
      const run = courier.firstRun(new Date(label.arrives + buffer * MINUTE));
      if (!run) continue;
      const risk = HANDOVER_RISK + (samePlace ? 0 : TRANSFER_RISK);
      found.push(this.#label(courierLeg(courier, run), null, label, risk));
    }
    return found.filter(({ arrives }) => arrives <= this.#latest);
  }

  /** Legs that leave a town at an instant or later. */
  #leaving(from: string, since: number): TripCandidate[] {
    const list = this.#departures.get(from) ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle]!.departsAt.getTime() < since) low = middle + 1;
      else high = middle;
    }
    return list.slice(low);
  }

  #label(leg: PlannedLeg, sequence: number | null, before: Label | null, risk: number): Label {
    return {
      leg,
      sequence,
      goesOn: sequence !== null && this.#steps.has(`${leg.tripId}:${sequence + 1}`),
      before,
      count: (before?.count ?? 0) + 1,
      priceMinor: (before?.priceMinor ?? 0n) + leg.priceMinor,
      risk: (before?.risk ?? 0) + risk,
      arrives: leg.arrivesAt.getTime(),
    };
  }

  /** Puts a label into the bag of its place, and among the arrived, unless another makes it needless. */
  #keep(label: Label): boolean {
    if (this.#arrived.some((other) => noWorse(other, this.#endRisk(other), label, label.risk))) return false;
    const bag = this.#bag(label);
    if (bag.some((other) => replaces(other, label))) return false;
    this.#bags.set(label.leg.toLocationId, [...bag.filter((other) => !replaces(label, other)), label]);
    const end = this.#ends.get(label.leg.toLocationId);
    if (end === undefined) return true;
    const risk = label.risk + end;
    if (!this.#arrived.some((other) => noWorse(other, this.#endRisk(other), label, risk)))
      this.#arrived = [
        ...this.#arrived.filter((other) => !noWorse(label, risk, other, this.#endRisk(other))),
        label,
      ];
    return true;
  }

  #bag(label: Label): Label[] {
    return this.#bags.get(label.leg.toLocationId) ?? [];
  }

  #endRisk(label: Label): number {
    return label.risk + (this.#ends.get(label.leg.toLocationId) ?? 0);
  }

  #town(locationId: string): string {
    return town(locationId, this.#request.townOf);
  }

  #option(last: Label): RouteOption {
    const labels: Label[] = [];
    for (let label: Label | null = last; label; label = label.before) labels.unshift(label);
    const risk = this.#endRisk(last);
    const handovers = labels.filter((label) => label.before && !continues(label.before, label)).length;
    return {
      legs: labels.map(({ leg }) => leg),
      priceMinor: last.priceMinor,
      departsAt: labels[0]!.leg.departsAt,
      arrivesAt: last.leg.arrivesAt,
      risk,
      handovers,
      transfers: (risk - handovers * HANDOVER_RISK) / TRANSFER_RISK,
    };
  }
}

/** Risk of beginning or ending at each of the places. */
function risks(ends: PlanRequest['origins']): Map<string, number> {
  const byPlace = new Map<string, number>();
  for (const { locationId, byTransfer } of ends) {
    const risk = byTransfer ? TRANSFER_RISK : 0;
    byPlace.set(locationId, Math.min(risk, byPlace.get(locationId) ?? risk));
  }
  return byPlace;
}

const noWorse = (a: Label, aRisk: number, b: Label, bRisk: number): boolean =>
  a.priceMinor <= b.priceMinor && a.arrives <= b.arrives && aRisk <= bRisk;

const readyAt = ({ leg, arrives }: Label): number => arrives + BUFFER_MINUTES[leg.mode] * MINUTE;

/**
 * True where `a` can be put in the place of `b` before any further leg. `b`'s traveller may go on without a
 * hand-over; then `a` must be ready before `b` even arrives, and have the hand-over's risk to spare. Legs need
 * no comparing: in rounds, whoever came first has no more of them.
 */
function replaces(a: Label, b: Label): boolean {
  if (a.priceMinor > b.priceMinor || a.arrives > b.arrives || a.risk > b.risk) return false;
  if (a.leg.legId === b.leg.legId && a.leg.kind === 'trip_leg') return true;
  if (readyAt(a) > readyAt(b)) return false;
  return !b.goesOn || (readyAt(a) <= b.arrives && a.risk + HANDOVER_RISK <= b.risk);
}

function courierLeg(
  courier: PlanRequest['couriers'][number],
  run: { departsAt: Date; arrivesAt: Date },
): PlannedLeg {
  return {
    kind: 'courier_segment',
    legId: courier.legId,
    tripId: null,
    carrierId: courier.carrierId,
    mode: 'courier',
    fromLocationId: courier.fromLocationId,
    toLocationId: courier.toLocationId,
    departsAt: run.departsAt,
    arrivesAt: run.arrivesAt,
    priceMinor: courier.priceMinor,
    capacityVersion: courier.capacityVersion,
  };
}

const byPrice = (a: RouteOption, b: RouteOption): number =>
  Number(a.priceMinor - b.priceMinor) || a.arrivesAt.getTime() - b.arrivesAt.getTime() || a.risk - b.risk;
