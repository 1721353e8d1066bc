/** One leg as the facts of bookings tell it: what was planned, and who was asked for it. */
import type { z } from 'zod';
import type { bookedLeg } from '#shared/events/bookings.ts';
import { money } from '#shared/kernel/money.ts';
import type { ItineraryLegView } from '../itinerary/itinerary.service.ts';
import type { LegBookingRow } from './booking.entities.ts';

export type BookedLeg = z.output<typeof bookedLeg>;

/** Legs in their order; every one of them has a booking. */
export const bookedLegs = (
  legs: readonly ItineraryLegView[],
  bookings: readonly LegBookingRow[],
): BookedLeg[] =>
  legs.map((leg) => ({
    bookingId: bookings.find(({ itineraryLegId }) => itineraryLegId === leg.id)!.id,
    sequence: leg.sequence,
    legKind: leg.legKind,
    legId: leg.legId,
    tripId: leg.tripId ?? null,
    carrierType: leg.carrierType,
    carrierId: leg.carrierId,
    fromLocationId: leg.fromLocationId,
    toLocationId: leg.toLocationId,
    departsAt: leg.departsAt,
    arrivesAt: leg.arrivesAt,
    price: money(leg.priceMinor, leg.currency),
  }));
