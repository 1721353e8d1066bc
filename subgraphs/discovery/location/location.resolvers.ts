import type { LocationResolvers, QueryResolvers } from '../discovery.generated.ts';
import type { LocationService } from './location.service.ts';

export const locationResolvers = (locations: LocationService) => ({
  Query: {
    searchLocations: (_, { input }) => locations.searchLocations(input.query, input),
    geocodeLocation: (_, { input }) => locations.geocode(input.text, input),
    location: (_, { id }, context) => context.load(locations.loadLocation, id),
  } satisfies QueryResolvers,
  Location: {
    __resolveReference: ({ id }, context) => context.load(locations.loadLocation, id),
    city: ({ cityId }, _, context) => (cityId ? context.load(locations.loadLocation, cityId) : null),
    airports: async ({ id }, _, context) => (await context.load(locations.loadAirports, id)) ?? [],
  } satisfies LocationResolvers,
});
