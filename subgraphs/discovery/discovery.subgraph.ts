import { TripsContract } from '#shared/contracts/trips.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { readDiscoveryConfig } from './discovery.config.ts';
import { discoveryContract } from './discovery.contract.ts';
import { CourierCapacity } from './local-courier/local-courier.capacity.ts';
import { Courier, CourierRun, LocalSegment } from './local-courier/local-courier.entities.ts';
import { courierJobs } from './local-courier/local-courier.jobs.ts';
import { localCourierResolvers } from './local-courier/local-courier.resolvers.ts';
import { LocalCourierService } from './local-courier/local-courier.service.ts';
import { GazetteerLoad, Location, LocationName } from './location/location.entities.ts';
import { locationResolvers } from './location/location.resolvers.ts';
import { LocationService } from './location/location.service.ts';
import { LabelPlanner } from './route-planning/label-planner.ts';
import { RouteGraphEdge, RouteGraphNode, SearchableLeg } from './route-planning/route-planning.entities.ts';
import { routePlanningHandlers } from './route-planning/route-planning.handlers.ts';
import { RouteIndex } from './route-planning/route-planning.index.ts';
import { routePlanningResolvers } from './route-planning/route-planning.resolvers.ts';
import { RoutePlanningService } from './route-planning/route-planning.service.ts';
import { RouteSearchQuery, RouteSuggestionEntity, SavedSearch } from './trip-search/trip-search.entities.ts';
import { LegFacts } from './trip-search/trip-search.facts.ts';
import { tripSearchResolvers } from './trip-search/trip-search.resolvers.ts';
import { TripSearchService } from './trip-search/trip-search.service.ts';

export default defineSubgraph({
  name: 'discovery',
  root: import.meta.url,
  config: readDiscoveryConfig,
  entities: [
    Location,
    LocationName,
    GazetteerLoad,
    Courier,
    LocalSegment,
    CourierRun,
    SearchableLeg,
    RouteGraphNode,
    RouteGraphEdge,
    RouteSearchQuery,
    RouteSuggestionEntity,
    SavedSearch,
  ],
  ledger: true,
  build(deps) {
    const { config, contracts } = deps;
    const locations = new LocationService(deps);
    const capacity = new CourierCapacity(deps);
    const couriers = new LocalCourierService({ ...deps, locations, capacity });
    const planning = new RoutePlanningService({ ...deps, locations, couriers, planner: new LabelPlanner() });
    const index = new RouteIndex({ ...deps, locations });
    const search = new TripSearchService({
      ...deps,
      locations,
      planning,
      facts: new LegFacts({ trips: contracts.caller(TripsContract), couriers }),
      weights: { centsPerMinute: config.BEST_CENTS_PER_MINUTE, centsPerRisk: config.BEST_CENTS_PER_RISK },
      tokenLifetimeMs: config.SUGGESTION_LIFETIME,
    });
    const { Query: locationQueries, ...locationTypes } = locationResolvers(locations);
    const courier = localCourierResolvers(couriers, locations);
    const { Query: planningQueries, ...planningTypes } = routePlanningResolvers(
      planning,
      couriers,
      locations,
    );
    const searching = tripSearchResolvers(search, locations);
    return {
      resolvers: {
        ...scalars,
        ...locationTypes,
        ...courier,
        ...planningTypes,
        ...searching,
        Query: { ...locationQueries, ...courier.Query, ...planningQueries, ...searching.Query },
        Mutation: { ...courier.Mutation, ...searching.Mutation },
      },
      handlers: routePlanningHandlers(index),
      jobs: courierJobs(capacity),
      contract: discoveryContract({ capacity, search, locations }),
    };
  },
});
