import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../trips.generated.ts';
import type { TripCapacity } from './trip.capacity.ts';
import type { TripCatalogue } from './trip.catalogue.ts';
import type { TripService } from './trip.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;
const lower = <T extends string>(text: T): Lowercase<T> => text.toLowerCase() as Lowercase<T>;

export const tripResolvers = (
  trips: TripService,
  catalogue: TripCatalogue,
  capacity: TripCapacity,
): Resolvers => ({
  Query: {
    trip: (_, { id }, { load }) => load(catalogue.byIds, id),
    myTrips: (_, { first, after }, { viewer }) => catalogue.mine(viewer, { first, after }),
  },
  Mutation: {
    createTrip: (_, { input }, { viewer }) =>
      trips.create(viewer, { ...input, transportMode: lower(input.transportMode) }),
    addTripLeg: (_, { input }, { viewer }) =>
      trips.addLeg(viewer, {
        ...input,
        mode: lower(input.mode),
        basePrice: money(input.basePrice.amountMinor, input.basePrice.currency),
        pricePerKilogram: money(input.pricePerKilogram.amountMinor, input.pricePerKilogram.currency),
      }),
    setTripConstraints: (_, { input }, { viewer }) =>
      trips.setConstraints(viewer, {
        ...input,
        maxDeclaredValue:
          input.maxDeclaredValue &&
          money(input.maxDeclaredValue.amountMinor, input.maxDeclaredValue.currency),
      }),
    addTripDocument: (_, { input }, { viewer }) =>
      trips.addDocument(viewer, { ...input, kind: lower(input.kind) }),
    publishTrip: (_, { input }, { viewer }) => trips.publish(viewer, input.tripId),
    pauseTrip: (_, { input }, { viewer }) => trips.pause(viewer, input.tripId),
    resumeTrip: (_, { input }, { viewer }) => trips.resume(viewer, input.tripId),
    cancelTrip: (_, { input }, { viewer }) => trips.cancel(viewer, input.tripId),
    changeLegCapacity: (_, { input }, { viewer }) =>
      trips.changeCapacity(viewer, input.legId, input.capacityGrams),
  },
  Trip: {
    __resolveReference: ({ id }, { load }) => load(catalogue.byIds, id),
    traveller: ({ travellerId }) => ({ id: travellerId }),
    state: ({ state }) => upper(state),
    origin: ({ originLocationId }) => ({ id: originLocationId }),
    destination: ({ destinationLocationId }) => ({ id: destinationLocationId }),
    transportMode: ({ transportMode }) => upper(transportMode),
    legs: async ({ id }, _, { load }) => (await load(catalogue.legsByTrip, id)) ?? [],
    constraints: ({ id }, _, { load }) => load(catalogue.constraintsByTrip, id),
    documents: ({ id }, _, { load }) => load(catalogue.documentsByTrip, id),
  },
  TripLeg: {
    __resolveReference: ({ id }, { load }) => load(catalogue.legsByIds, id),
    trip: async ({ tripId }, _, { load }) => (await load(catalogue.byIds, tripId))!,
    mode: ({ mode }) => upper(mode),
    from: ({ fromLocationId }) => ({ id: fromLocationId }),
    to: ({ toLocationId }) => ({ id: toLocationId }),
    basePrice: ({ baseMinor, currency }) => money(baseMinor, currency),
    pricePerKilogram: ({ perKilogramMinor, currency }) => money(perKilogramMinor, currency),
    freeGrams: async ({ id }, _, { load }) => (await load(capacity.freeByLeg, id)) ?? 0,
  },
  TripConstraints: {
    maxDeclaredValue: ({ maxDeclaredValueMinor, maxDeclaredValueCurrency }) =>
      maxDeclaredValueMinor == null ? null : money(maxDeclaredValueMinor, maxDeclaredValueCurrency!),
  },
  TripDocument: {
    kind: ({ kind }) => upper(kind),
    file: ({ fileId }) => ({ id: fileId }),
  },
  User: {
    __resolveReference: ({ id }) => ({ id }),
    publishedTrips: async ({ id }, _, { load }) => (await load(catalogue.publishedByUser, id)) ?? [],
  },
});
