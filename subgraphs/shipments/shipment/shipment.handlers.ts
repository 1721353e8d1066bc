import {
  BookingAnswered,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { UserRegistered } from '#shared/events/identity.ts';
import { EscrowClosed } from '#shared/events/payments.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { ShipmentProgress } from './shipment.progress.ts';

/** What shipments do when they are booked, carried, paid for, and when a recipient signs up. */
export const shipmentHandlers = (progress: ShipmentProgress): readonly Handler[] => [
  on(ItineraryRequested, (itinerary) => progress.follow(itinerary, itinerary.legs, 'awaiting_acceptance')),
  on(BookingAnswered, async ({ bookingId, answer }) => {
    if (answer !== 'accepted') await progress.dismiss(bookingId);
  }),
  on(ItineraryConfirmed, (itinerary) => progress.follow(itinerary, itinerary.legs, 'booked')),
  on(ItineraryCancelled, (itinerary) => progress.release(itinerary)),
  on(HandoffTransferred, (handoff) => progress.recordHandoff(handoff)),
  on(EscrowClosed, (escrow) => progress.closeEscrow(escrow, escrow.closedAt)),
  on(UserRegistered, ({ email, userId }) => progress.linkRecipients(email, userId)),
];
