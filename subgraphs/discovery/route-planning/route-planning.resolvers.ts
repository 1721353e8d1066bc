import type {
  DestinationSuggestionResolvers,
  QueryResolvers,
  RouteCriteriaInput,
  RouteLegResolvers,
} from '../discovery.generated.ts';
import type { LocalCourierService } from '../local-courier/local-courier.service.ts';
import type { LocationService } from '../location/location.service.ts';
import type { RouteCriteria, RoutePlanningService } from './route-planning.service.ts';

export const criteriaOf = (
  { category, declaredValue, ...input }: RouteCriteriaInput,
  avoidLegIds: readonly string[] = [],
): RouteCriteria => ({
  ...input,
  categories: [category],
  declaredValue: declaredValue ?? null,
  avoidLegIds,
});

const modes = { flight: 'FLIGHT', car: 'CAR', courier: 'COURIER' } as const;

export const routePlanningResolvers = (
  planning: RoutePlanningService,
  couriers: LocalCourierService,
  locations: LocationService,
) => ({
  Query: {
    calculateRoutes: (_, { input }, { viewer }) => planning.calculate(viewer, criteriaOf(input)),
    routeAlternatives: (_, { input }, { viewer }) =>
      planning.calculate(viewer, criteriaOf(input.criteria, input.avoidLegIds)),
    searchSuggestions: (_, { originLocationId, first }) =>
      planning.popularDestinations(originLocationId, { first }),
  } satisfies QueryResolvers,
  RouteLeg: {
    mode: ({ mode }) => modes[mode],
    carrier: ({ carrierId }) => ({ id: carrierId }),
    tripLeg: ({ kind, legId }) => (kind === 'trip_leg' ? { id: legId } : null),
    courierSegment: ({ kind, legId }, _, context) =>
      kind === 'courier_segment' ? context.load(couriers.loadSegment, legId) : null,
    from: async ({ fromLocationId }, _, context) =>
      (await context.load(locations.loadLocation, fromLocationId))!,
    to: async ({ toLocationId }, _, context) => (await context.load(locations.loadLocation, toLocationId))!,
  } satisfies RouteLegResolvers,
  DestinationSuggestion: {
    destination: async ({ locationId }, _, context) =>
      (await context.load(locations.loadLocation, locationId))!,
  } satisfies DestinationSuggestionResolvers,
});
