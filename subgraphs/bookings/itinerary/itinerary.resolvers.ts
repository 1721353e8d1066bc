import type { PartyType, Resolvers } from '../bookings.generated.ts';
import type { ItineraryService } from './itinerary.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const itineraryResolvers = (itineraries: ItineraryService): Resolvers => ({
  Query: {
    itinerary: (_, { id }, { load }) => load(itineraries.byIds, id),
  },
  Mutation: {
    createItinerary: (_, { input }, { viewer }) => itineraries.create(viewer, input),
  },
  Itinerary: {
    __resolveReference: ({ id }, { load }) => load(itineraries.byIds, id),
    shipment: ({ shipmentId }) => ({ id: shipmentId }),
    state: ({ state }) => upper(state),
    legs: async ({ id }, _, { load }) => (await load(itineraries.legsByItinerary, id)) ?? [],
    carriersTotal: (itinerary, _, { viewer }) => itineraries.earningsOf(viewer, itinerary),
  },
  ItineraryLeg: {
    __resolveReference: ({ id }, { load }) => load(itineraries.legsByIds, id),
    carrier: ({ carrierId }) => ({ id: carrierId }),
    carrierType: ({ carrierType }): PartyType => upper(carrierType),
    tripLeg: ({ legKind, legId }) => (legKind === 'trip_leg' ? { id: legId } : null),
    courierSegment: ({ legKind, legId }) => (legKind === 'courier_segment' ? { id: legId } : null),
    from: ({ fromLocationId }) => ({ id: fromLocationId }),
    to: ({ toLocationId }) => ({ id: toLocationId }),
    price: ({ id }, _, { load }) => load(itineraries.priceByLeg, id),
  },
  Shipment: {
    __resolveReference: ({ id }) => ({ id }),
    itinerary: ({ id }, _, { load }) => load(itineraries.byShipment, id),
  },
});
