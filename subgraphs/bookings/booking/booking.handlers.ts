import { HandoffTransferred } from '#shared/events/custody.ts';
import { EscrowReleased, PaymentAuthorised, PaymentCancelled } from '#shared/events/payments.ts';
import { RecipientLinked } from '#shared/events/shipments.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { ItineraryService } from '../itinerary/itinerary.service.ts';
import type { BookingService } from './booking.service.ts';

/** What bookings do when money, custody and accounts move. */
export const bookingHandlers = (
  bookings: BookingService,
  itineraries: ItineraryService,
  durable: Durable,
): readonly Handler[] => [
  on(PaymentAuthorised, async ({ itineraryId }) => durable.wake(itineraryId)),
  on(PaymentCancelled, async ({ itineraryId }) => durable.wake(itineraryId)),
  on(RecipientLinked, ({ recipientId, userId }) => itineraries.linkRecipient(recipientId, userId)),
  on(HandoffTransferred, async ({ itineraryId, startedBookingId, finishedBookingId, delivered }) => {
    await bookings.recordHandoff(startedBookingId, finishedBookingId);
    await itineraries.recordHandoff(itineraryId, delivered);
  }),
  on(EscrowReleased, ({ bookingId }) => bookings.settle(bookingId)),
];
