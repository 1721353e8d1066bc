/** What the tracking page has to tell, worked out of what the API answers: pure, in no language yet. */
import type { TrackingPageQuery } from '../../../schema/operations/operations.generated.ts';

export type Shipment = NonNullable<TrackingPageQuery['shipment']>;
export type TrackedEvent = TrackingPageQuery['trackingHistory']['edges'][number]['node'];
export type Place = Shipment['origin'];
type Step = NonNullable<Shipment['handoffs']>[number];
type ItineraryLeg = NonNullable<Shipment['itinerary']>['legs'][number];

export type Phase = 'searching' | 'asking' | 'booked' | 'under_way' | 'last_leg' | 'delivered' | 'cancelled';

export interface Person {
  readonly role: 'sender' | 'traveller' | 'courier' | 'recipient';
  readonly name: string;
}

export interface Leg {
  readonly from: Place;
  readonly to: Place;
  readonly by: 'flight' | 'car' | 'courier';
  readonly carrier: string;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  readonly progress: 'done' | 'under_way' | 'ahead';
}

export interface Handover {
  readonly id: string;
  readonly giver: Person;
  readonly receiver: Person;
  readonly place: Place;
  readonly progress: 'done' | 'happening' | 'refused' | 'open' | 'ahead';
  readonly plannedAt: Date;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly doneAt: Date | null;
  readonly photos: number;
}

/** `null` bounds are unknown; `overdue`: the last moment that was expected has passed. */
export interface Arrival {
  readonly earliest: Date;
  readonly latest: Date;
  readonly overdue: boolean;
}

export interface Journey {
  readonly phase: Phase;
  readonly origin: Place;
  readonly destination: Place;
  /** Places in their order, each once: where it begins, changes hands and ends. */
  readonly stops: readonly Place[];
  readonly legs: readonly Leg[];
  readonly handovers: readonly Handover[];
  readonly holder: Person;
  /** Where it was last known to be, and since when. */
  readonly seen: { readonly place: Place; readonly at: Date | null };
  readonly next: Handover | null;
  /** Null while nobody can know. */
  readonly arrival: Arrival | null;
  readonly deliveredAt: Date | null;
  readonly packageIds: readonly string[];
  /** Somebody noted something wrong at a hand-over. */
  readonly discrepancy: boolean;
}

/** Events that say where the parcel itself is. */
const placing: ReadonlySet<TrackedEvent['type']> = new Set([
  'PICKED_UP',
  'TRANSFERRED',
  'DEPARTED',
  'ARRIVED',
  'LOCATION_NOTED',
  'DELIVERED',
]);

export function journeyOf(shipment: Shipment, events: readonly TrackedEvent[], now: Date): Journey {
  const itinerary = shipment.itinerary;
  const steps = (shipment.handoffs ?? [])
    .filter((step) => step.itinerary.id === itinerary?.id && step.state !== 'CANCELLED')
    .toSorted((one, other) => one.sequence - other.sequence);
  const done = steps.filter(({ state }) => state === 'TRANSFERRED').length;
  const handovers = steps.map((step, index) => handoverOf(step, shipment, index === done));
  const legs = legsOf(
    (itinerary?.legs ?? []).toSorted((one, other) => one.sequence - other.sequence),
    done,
  );
  const stops = legs.length > 0 ? [legs[0]!.from, ...legs.map(({ to }) => to)] : [];
  const phase = phaseOf(shipment, handovers, done);
  const next = phase === 'cancelled' ? null : (handovers[done] ?? null);
  const last = handovers.at(-1);
  const lastDone = handovers[done - 1];
  return {
    phase,
    origin: shipment.origin,
    destination: shipment.destination,
    stops: stops.length > 0 ? stops : [shipment.origin, shipment.destination],
    legs,
    handovers,
    holder: lastDone?.receiver ?? { role: 'sender', name: shipment.sender.displayName },
    seen: lastSeen(events, stops[0] ?? shipment.origin),
    next,
    arrival: next && last ? arrivalOf(last, now) : null,
    deliveredAt: phase === 'delivered' ? (last?.doneAt ?? null) : null,
    packageIds: (shipment.custody ?? []).map(({ packageId }) => packageId),
    discrepancy: (shipment.custody ?? []).some(({ condition }) => condition === 'DISCREPANCY'),
  };
}

function phaseOf({ state }: Shipment, handovers: readonly Handover[], done: number): Phase {
  if (state === 'CANCELLED') return 'cancelled';
  if (handovers.length === 0)
    return state === 'SEARCHING' ? 'searching' : state === 'AWAITING_ACCEPTANCE' ? 'asking' : 'booked';
  if (done === 0) return 'booked';
  if (done === handovers.length) return 'delivered';
  return done === handovers.length - 1 ? 'last_leg' : 'under_way';
}

/** The window closes later than the parcel is planned to arrive: what lies between is all that can be promised. */
function arrivalOf({ plannedAt, closesAt }: Handover, now: Date): Arrival {
  return { earliest: plannedAt > now ? plannedAt : now, latest: closesAt, overdue: now > closesAt };
}

function lastSeen(events: readonly TrackedEvent[], start: Place): Journey['seen'] {
  const event = events.findLast(({ type, place }) => place && placing.has(type));
  return event?.place ? { place: event.place, at: new Date(event.at) } : { place: start, at: null };
}

/** A carrier of several legs in a row hands over once: legs between two hand-overs progress together. */
function legsOf(legs: readonly ItineraryLeg[], done: number): Leg[] {
  let carriage = 0;
  return legs.map((leg, index) => {
    const before = legs[index - 1];
    if (before?.carrier.id !== leg.carrier.id || before.carrierType !== leg.carrierType) carriage += 1;
    return {
      from: leg.from,
      to: leg.to,
      by: !leg.tripLeg ? 'courier' : leg.tripLeg.mode === 'FLIGHT' ? 'flight' : 'car',
      carrier: leg.carrier.displayName,
      departsAt: new Date(leg.departsAt),
      arrivesAt: new Date(leg.arrivesAt),
      progress: done > carriage ? 'done' : done === carriage ? 'under_way' : 'ahead',
    };
  });
}

const progressOf: Record<Exclude<Step['state'], 'CANCELLED'>, Handover['progress']> = {
  PLANNED: 'ahead',
  READY: 'open',
  HALF_CONFIRMED: 'happening',
  TRANSFERRED: 'done',
  REFUSED: 'refused',
};

/** Windows of later hand-overs may be open already; they are not due before the ones that come first. */
function handoverOf(step: Step, shipment: Shipment, isNext: boolean): Handover {
  const progress = progressOf[step.state as keyof typeof progressOf];
  return {
    id: step.id,
    giver: personOf(step.from, shipment),
    receiver: personOf(step.to, shipment),
    place: step.place,
    progress: progress === 'open' && !isNext ? 'ahead' : progress,
    plannedAt: new Date(step.plannedAt),
    opensAt: new Date(step.opensAt),
    closesAt: new Date(step.closesAt),
    doneAt: step.transferredAt ? new Date(step.transferredAt) : null,
    photos: step.photos.length,
  };
}

function personOf({ type, user }: Step['from'], { sender, recipient }: Shipment): Person {
  if (type === 'RECIPIENT') return { role: 'recipient', name: recipient?.name ?? user?.displayName ?? '' };
  if (type === 'SENDER') return { role: 'sender', name: user?.displayName ?? sender.displayName };
  return { role: type === 'TRAVELLER' ? 'traveller' : 'courier', name: user?.displayName ?? '' };
}

/** Short for lists and maps: an airport by its city and code, everything else by its name. */
export const shortName = ({ name, iata, city }: Place): string =>
  iata ? `${city?.name ?? name} (${iata})` : name;
