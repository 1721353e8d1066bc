/** One flight, one parcel: the shortest booking there is, for journeys that need many of them. */
import assert from 'node:assert/strict';
import { HOUR } from '#shared/kernel/time.ts';
import {
  AcceptBookingDocument,
  CreateItineraryDocument,
  MyBookingRequestsDocument,
  PaymentOfItineraryDocument,
  ProcessPaymentDocument,
  QuoteItineraryDocument,
  RequestBookingDocument,
  SearchRoutesDocument,
  type SearchRoutesQuery,
} from '../../schema/operations/operations.generated.ts';
import { type Place, publishFlight } from './carriage.ts';
import type { Person } from './client.ts';
import type { Lane } from './story.ts';

export type Option = SearchRoutesQuery['searchRoutes'][number];

export interface Route {
  readonly from: Place;
  readonly to: Place;
}

/** A flight of seven hours that carries two kilograms, for `base` cents and five euros a kilogram. */
export async function offerFlight(
  traveller: Person,
  { from, to }: Route,
  departsAt: Date,
  base = 3_000,
): Promise<{ tripId: string; lane: Lane }> {
  const arrivesAt = new Date(departsAt.getTime() + 7 * HOUR);
  const offer = { flight: 'AF345', base, perKilogram: 500, capacityGrams: 2_000 };
  const tripId = await publishFlight(traveller, { from, to, departsAt, arrivesAt, ...offer });
  return { tripId, lane: { montreal: from, paris: to, departsAt, arrivesAt } };
}

const searchOf = ({ montreal: from, paris: to, departsAt, arrivesAt }: Lane) => ({
  criteria: {
    originLocationId: from.id,
    destinationLocationId: to.id,
    earliestDeparture: new Date(departsAt.getTime() - HOUR).toISOString(),
    latestArrival: new Date(arrivesAt.getTime() + 5 * HOUR).toISOString(),
    category: 'GIFTS' as const,
    grams: 2_000,
    currency: 'EUR',
    senderComesToAirport: true,
    recipientComesToAirport: true,
  },
  sort: 'CHEAPEST' as const,
  first: 10,
});

/** The options of a lane, once the cheapest has this price in cents. */
export async function findFlights(
  { client }: Person,
  lane: Lane,
  price = '4000',
): Promise<readonly Option[]> {
  const { searchRoutes } = await client.until(
    SearchRoutesDocument,
    { input: searchOf(lane) },
    (data) => data.searchRoutes[0]?.price.amountMinor === price,
  );
  return searchRoutes;
}

/** Itinerary, quote, request; the id of the itinerary. */
export async function requestFlight(
  { client }: Person,
  shipmentId: string,
  suggestionToken: string,
): Promise<string> {
  const { createItinerary } = await client.run(CreateItineraryDocument, {
    input: { shipmentId, suggestionToken },
  });
  const itineraryId = createItinerary.id;
  const { quoteItinerary: quote } = await client.run(QuoteItineraryDocument, { input: { itineraryId } });
  const { id: quoteId, signature: quoteSignature, total: expectedTotal } = quote;
  await client.run(RequestBookingDocument, {
    input: { itineraryId, quoteId, quoteSignature, expectedTotal },
  });
  return itineraryId;
}

/** The booking that a carrier is asked for. */
export async function askedBooking({ client }: Person, itineraryId: string): Promise<string> {
  const { myBookingRequests } = await client.until(
    MyBookingRequestsDocument,
    { state: 'REQUESTED' },
    (data) => data.myBookingRequests.edges.some(({ node }) => node.itinerary.id === itineraryId),
  );
  return myBookingRequests.edges.find(({ node }) => node.itinerary.id === itineraryId)!.node.id;
}

export async function acceptFlight(traveller: Person, itineraryId: string): Promise<void> {
  const bookingId = await askedBooking(traveller, itineraryId);
  await traveller.client.run(AcceptBookingDocument, { input: { bookingId } });
}

/** The payment that was opened for an itinerary. */
export async function openedPayment({ client }: Person, itineraryId: string): Promise<string> {
  const { itinerary } = await client.until(PaymentOfItineraryDocument, { itineraryId }, (data) =>
    Boolean(data.itinerary?.payment),
  );
  assert.ok(itinerary?.payment);
  return itinerary.payment.id;
}

export const cardAttempt = (paymentId: string, paymentMethodId: string) => ({
  input: { paymentId, paymentMethodId, returnUrl: 'https://app.baton.test/paid', saveMethod: false },
});

export async function payFlight(sender: Person, paymentId: string, card: string) {
  const { processPayment } = await sender.client.run(ProcessPaymentDocument, cardAttempt(paymentId, card));
  return processPayment;
}
