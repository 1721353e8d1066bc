import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import type { CourierCapacity } from './local-courier/local-courier.capacity.ts';
import type { LocationService } from './location/location.service.ts';
import type { TripSearchService } from './trip-search/trip-search.service.ts';

export const discoveryContract = (services: {
  capacity: CourierCapacity;
  search: TripSearchService;
  locations: LocationService;
}) =>
  answer(DiscoveryContract, {
    async holdCapacity(hold) {
      await services.capacity.hold(hold);
      return {};
    },
    async extendHold({ holdId, expiresAt }) {
      await services.capacity.extend(holdId, expiresAt);
      return {};
    },
    async confirmHold({ holdId }) {
      await services.capacity.confirm(holdId);
      return {};
    },
    async releaseHold({ holdId }) {
      await services.capacity.release(holdId);
      return {};
    },
    suggestion: ({ token, grams, categories }) => services.search.redeem(token, { grams, categories }),
    async locations({ locationIds }) {
      const places = await services.locations.locations(locationIds);
      return places.map(({ id, ...place }) => ({ ...place, locationId: id }));
    },
  });
