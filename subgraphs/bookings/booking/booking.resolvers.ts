import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../bookings.generated.ts';
import type { ItineraryService } from '../itinerary/itinerary.service.ts';
import type { BookingRequests } from './booking.request.ts';
import type { BookingService } from './booking.service.ts';
import type { BookingState } from './booking.states.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const bookingResolvers = (
  bookings: BookingService,
  requests: BookingRequests,
  itineraries: ItineraryService,
): Resolvers => ({
  Query: {
    booking: (_, { id }, { load }) => load(bookings.byIds, id),
    myBookingRequests: (_, { first, after, state }, { viewer }) =>
      bookings.requestsOf(viewer, { first, after }, state?.toLowerCase() as BookingState | undefined),
  },
  Mutation: {
    requestBooking: (_, { input }, { viewer }) =>
      requests.request(viewer, {
        ...input,
        expectedTotal: money(input.expectedTotal.amountMinor, input.expectedTotal.currency),
      }),
    acceptBooking: (_, { input }, { viewer }) => bookings.accept(viewer, input.bookingId),
    declineBooking: (_, { input }, { viewer }) =>
      bookings.decline(viewer, input.bookingId, input.reason ?? null),
    cancelItinerary: (_, { input }, { viewer }) => requests.cancel(viewer, input.itineraryId),
  },
  Booking: {
    __resolveReference: ({ id }, { load }) => load(bookings.byIds, id),
    itinerary: async ({ itineraryId }, _, { load }) => (await load(itineraries.byIds, itineraryId))!,
    leg: async ({ itineraryLegId }, _, { load }) => (await load(itineraries.legsByIds, itineraryLegId))!,
    state: ({ state }) => upper(state),
    price: ({ priceMinor, currency }) => money(priceMinor, currency),
    answerBy: ({ state, answerBy }) => (state === 'requested' ? answerBy : null),
    assignment: ({ id }, _, { load }) => load(bookings.assignmentByBooking, id),
  },
  LegAssignment: {
    carrier: ({ carrierId }) => ({ id: carrierId }),
  },
  ItineraryLeg: {
    booking: ({ id }, _, { load }) => load(bookings.byItineraryLeg, id),
  },
  Trip: {
    __resolveReference: ({ id }) => ({ id }),
    bookings: ({ id }, _, { load }) => load(bookings.byTrip, id),
  },
  TripLeg: {
    __resolveReference: ({ id }) => ({ id }),
    bookings: ({ id }, _, { load }) => load(bookings.byTripLeg, id),
  },
});
