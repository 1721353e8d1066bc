import { ItineraryConfirmed } from '#shared/events/bookings.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { TripService } from './trip.service.ts';

/** What trips do when bookings are confirmed and parcels change hands. */
export const tripHandlers = (trips: TripService): readonly Handler[] => [
  on(ItineraryConfirmed, ({ legs }) =>
    trips.expectCarriage(
      legs.flatMap(({ bookingId, legId, tripId }) => (tripId ? [{ bookingId, legId, tripId }] : [])),
    ),
  ),
  on(HandoffTransferred, ({ startedBookingId, finishedBookingId }) =>
    trips.recordCarriage(startedBookingId, finishedBookingId),
  ),
];
