/** What carriers do before anybody books them: publish trips, serve connections. Used by seed, demo and journeys. */
import assert from 'node:assert/strict';
import {
  AddTripDocumentDocument,
  AddTripLegDocument,
  CreateTripDocument,
  PublishCourierSegmentDocument,
  PublishTripDocument,
  RegisterCourierDocument,
  SearchLocationsDocument,
  SetTripConstraintsDocument,
  WithdrawCourierSegmentDocument,
} from '../../schema/operations/operations.generated.ts';
import type { Client, Person } from './client.ts';
import { takePhoto } from './photo.ts';

export interface Place {
  readonly id: string;
  readonly name: string;
}

const categories = ['DOCUMENTS', 'CLOTHING', 'BOOKS', 'TOYS', 'GIFTS', 'OTHER'] as const;
const everyDay = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;
const euros = (cents: number) => ({ amountMinor: String(cents), currency: 'EUR' });

/** The first place that the search finds. */
export async function findPlace(client: Client, query: string, kind: 'CITY' | 'AIRPORT'): Promise<Place> {
  const { searchLocations } = await client.run(SearchLocationsDocument, {
    input: { query, kinds: [kind], first: 1 },
  });
  assert.ok(searchLocations[0], `no ${kind} called ${query}`);
  return searchLocations[0];
}

export interface FlightOffer {
  readonly from: Place;
  readonly to: Place;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  readonly flight: string;
  /** Cents. */
  readonly base: number;
  /** Cents. */
  readonly perKilogram: number;
  readonly capacityGrams: number;
}

/** Publishes a trip of one flight, with its ticket. */
export async function publishFlight({ client }: Person, offer: FlightOffer): Promise<string> {
  const { createTrip } = await client.run(CreateTripDocument, {
    input: {
      originLocationId: offer.from.id,
      destinationLocationId: offer.to.id,
      transportMode: 'FLIGHT',
      earliestDeparture: offer.departsAt.toISOString(),
      latestArrival: offer.arrivesAt.toISOString(),
    },
  });
  const tripId = createTrip.id;
  await client.run(AddTripLegDocument, {
    input: {
      tripId,
      mode: 'FLIGHT',
      fromLocationId: offer.from.id,
      toLocationId: offer.to.id,
      departsAt: offer.departsAt.toISOString(),
      arrivesAt: offer.arrivesAt.toISOString(),
      carrierReference: offer.flight,
      basePrice: euros(offer.base),
      pricePerKilogram: euros(offer.perKilogram),
      capacityGrams: offer.capacityGrams,
    },
  });
  await client.run(SetTripConstraintsDocument, {
    input: { tripId, maxPackageGrams: offer.capacityGrams, allowedCategories: [...categories] },
  });
  const fileId = await client.upload(takePhoto(), 'image/png', 'TRIP_DOCUMENT');
  await client.run(AddTripDocumentDocument, { input: { tripId, kind: 'FLIGHT_TICKET', fileId } });
  await client.run(PublishTripDocument, { input: { tripId } });
  return tripId;
}

/** Registers a courier and serves one connection around the clock; the id of the segment. */
export async function serveConnection(
  { client }: Person,
  offer: { name: string; from: Place; to: Place; base: number; perKilogram: number },
): Promise<string> {
  await client.run(RegisterCourierDocument, { input: { name: offer.name } });
  const { publishCourierSegment } = await client.run(PublishCourierSegmentDocument, {
    input: {
      fromLocationId: offer.from.id,
      toLocationId: offer.to.id,
      basePrice: euros(offer.base),
      pricePerKilogram: euros(offer.perKilogram),
      days: [...everyDay],
      opensAt: '00:00',
      closesAt: '23:59',
      durationMinutes: 60,
      maxGramsPerRun: 30_000,
      allowedCategories: [...categories],
    },
  });
  return publishCourierSegment.id;
}

/** Serves a connection no longer; what is booked stands. */
export async function stopServing({ client }: Person, segmentId: string): Promise<void> {
  await client.run(WithdrawCourierSegmentDocument, { input: { segmentId } });
}
