/** Which hand-overs an itinerary asks for: pure. A carrier of several legs in a row keeps the goods between them. */
import type { ItineraryConfirmed } from '#shared/events/bookings.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import { after } from '#shared/kernel/time.ts';
import type { Party } from '../tracking/parties.service.ts';

type Itinerary = PayloadOf<typeof ItineraryConfirmed>;
type Leg = Itinerary['legs'][number];

export interface PlanningSettings {
  readonly HANDOFF_WINDOW_BEFORE: number;
  readonly HANDOFF_WINDOW_AFTER: number;
  readonly HANDOFF_PHOTOS_AT_ENDS: number;
  readonly HANDOFF_PHOTOS_BETWEEN: number;
  readonly HANDOFF_HIGH_VALUE_MINOR: bigint;
}

export interface PlannedHandoff {
  readonly sequence: number;
  readonly from: Party;
  readonly to: Party;
  readonly locationId: string;
  readonly finishedBookingIds: string[];
  readonly startedBookingId: string | null;
  readonly leg: Pick<Leg, 'legId' | 'legKind'>;
  readonly startsLastLeg: boolean;
  readonly delivers: boolean;
  readonly plannedAt: Date;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly requiredPhotos: number;
}

const carrierOf = (leg: Leg): Party => ({ type: leg.carrierType, id: leg.carrierId });

export function planHandoffs(
  itinerary: Itinerary,
  declaredMinor: bigint,
  settings: PlanningSettings,
): PlannedHandoff[] {
  const legs = [...itinerary.legs].sort((one, other) => one.sequence - other.sequence);
  const carriages: Leg[][] = [];
  for (const leg of legs) {
    const current = carriages.at(-1);
    if (current?.[0]?.carrierId === leg.carrierId && current[0].carrierType === leg.carrierType)
      current.push(leg);
    else carriages.push([leg]);
  }
  return Array.from({ length: carriages.length + 1 }, (_, index): PlannedHandoff => {
    const ended = carriages[index - 1];
    const begun = carriages[index];
    const last = ended?.at(-1);
    const next = begun?.[0];
    const plannedAt = last?.arrivesAt ?? next!.departsAt;
    // A layover may be longer than the window: the next carrier can still take the goods until they leave.
    const latest = next && next.departsAt > plannedAt ? next.departsAt : plannedAt;
    const atEnds = !last || !next;
    const valuable = declaredMinor >= settings.HANDOFF_HIGH_VALUE_MINOR;
    return {
      sequence: index + 1,
      from: last ? carrierOf(last) : { type: 'sender', id: itinerary.senderId },
      to: next ? carrierOf(next) : { type: 'recipient', id: itinerary.recipient.recipientId },
      locationId: last?.toLocationId ?? next!.fromLocationId,
      finishedBookingIds: ended?.map(({ bookingId }) => bookingId) ?? [],
      startedBookingId: next?.bookingId ?? null,
      leg: next ?? last!,
      startsLastLeg: index === carriages.length - 1,
      delivers: !next,
      plannedAt,
      opensAt: after(plannedAt, -settings.HANDOFF_WINDOW_BEFORE),
      closesAt: after(latest, settings.HANDOFF_WINDOW_AFTER),
      requiredPhotos:
        (atEnds ? settings.HANDOFF_PHOTOS_AT_ENDS : settings.HANDOFF_PHOTOS_BETWEEN) + (valuable ? 1 : 0),
    };
  });
}
