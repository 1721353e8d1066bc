import type {
  MutationResolvers,
  QueryResolvers,
  RouteSuggestionResolvers,
  SavedSearchResolvers,
} from '../discovery.generated.ts';
import type { LocationService } from '../location/location.service.ts';
import { criteriaOf } from '../route-planning/route-planning.resolvers.ts';
import type { TripSearchService } from './trip-search.service.ts';

export const tripSearchResolvers = (search: TripSearchService, locations: LocationService) => ({
  Query: {
    searchRoutes: (_, { input }, { viewer }) =>
      search.searchRoutes(viewer, { ...input, criteria: criteriaOf(input.criteria) }),
    mySavedSearches: (_, page, { viewer }) => search.savedSearches(viewer, page),
  } satisfies QueryResolvers,
  Mutation: {
    saveSearch: (_, { input }, { viewer }) => search.saveSearch(viewer, input),
    deleteSavedSearch: (_, { input }, { viewer }) => search.deleteSavedSearch(viewer, input.savedSearchId),
  } satisfies MutationResolvers,
  RouteSuggestion: {
    origin: async ({ originLocationId }, _, context) =>
      (await context.load(locations.loadLocation, originLocationId))!,
    destination: async ({ destinationLocationId }, _, context) =>
      (await context.load(locations.loadLocation, destinationLocationId))!,
    handOverPlaces: ({ legs }, _, context) =>
      Promise.all(
        [legs[0]!.fromLocationId, ...legs.map(({ toLocationId }) => toLocationId)].map(
          async (id) => (await context.load(locations.loadLocation, id))!,
        ),
      ),
  } satisfies RouteSuggestionResolvers,
  SavedSearch: {
    origin: async ({ originLocationId }, _, context) =>
      (await context.load(locations.loadLocation, originLocationId))!,
    destination: async ({ destinationLocationId }, _, context) =>
      (await context.load(locations.loadLocation, destinationLocationId))!,
  } satisfies SavedSearchResolvers,
});
