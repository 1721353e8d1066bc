import { HandoffTransferred } from '#shared/events/custody.ts';
import { EscrowReleased, PaymentAuthorised, PaymentCancelled } from '#shared/events/payments.ts';
import { RecipientLinked, ShipmentStateChanged } from '#shared/events/shipments.ts';
import { TripWithdrawn } from '#shared/events/trips.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { ItineraryService } from '../itinerary/itinerary.service.ts';
import type { BookingRequests } from './booking.request.ts';
import type { BookingService } from './booking.service.ts';

/** What bookings do when money, custody and accounts move, and when shipments and trips are called off. */
export const bookingHandlers = (
  bookings: BookingService,
  requests: BookingRequests,
  itineraries: ItineraryService,
  durable: Durable,
): readonly Handler[] => [
  on(PaymentAuthorised, async ({ itineraryId }) => durable.wake(itineraryId)),
  on(PaymentCancelled, async ({ itineraryId }) => durable.wake(itineraryId)),
  on(RecipientLinked, ({ recipientId, userId }) => itineraries.linkRecipient(recipientId, userId)),
  on(ShipmentStateChanged, async ({ shipmentId, to }) => {
    if (to === 'cancelled') await requests.forgetShipment(shipmentId);
  }),
  on(TripWithdrawn, async ({ tripId, reason }) => {
    if (reason === 'cancelled') await bookings.callOffTrip(tripId);
  }),
  on(HandoffTransferred, async ({ itineraryId, startedBookingId, finishedBookingId, delivered }) => {
    await itineraries.recordHandoff(itineraryId, delivered);
    await bookings.recordHandoff(startedBookingId, finishedBookingId);
  }),
  on(EscrowReleased, ({ bookingId }) => bookings.settle(bookingId)),
];
