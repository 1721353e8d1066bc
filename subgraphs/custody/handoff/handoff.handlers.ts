import { ItineraryCancelled, ItineraryConfirmed } from '#shared/events/bookings.ts';
import { on } from '#shared/runtime/inbox.ts';
import type { HandoffService } from './handoff.service.ts';

export const handoffHandlers = (handoffs: HandoffService) => [
  on(ItineraryConfirmed, (itinerary) => handoffs.plan(itinerary)),
  on(ItineraryCancelled, ({ itineraryId }) => handoffs.cancel(itineraryId)),
];
