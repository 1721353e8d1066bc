import { IdentityContract } from '#shared/contracts/identity.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { TripCapacity } from './trip/trip.capacity.ts';
import { TripCatalogue } from './trip/trip.catalogue.ts';
import {
  CarriedLegEntity,
  TripConstraintsEntity,
  TripDocumentEntity,
  TripEntity,
  TripLegEntity,
} from './trip/trip.entities.ts';
import { tripHandlers } from './trip/trip.handlers.ts';
import { tripJobs } from './trip/trip.jobs.ts';
import { tripResolvers } from './trip/trip.resolvers.ts';
import { TripService } from './trip/trip.service.ts';
import { readTripsConfig } from './trips.config.ts';
import { tripsContract } from './trips.contract.ts';

export default defineSubgraph({
  name: 'trips',
  root: import.meta.url,
  config: readTripsConfig,
  entities: [TripEntity, TripLegEntity, TripConstraintsEntity, TripDocumentEntity, CarriedLegEntity],
  ledger: true,
  build(deps) {
    const capacity = new TripCapacity(deps);
    const trips = new TripService({ ...deps, identity: deps.contracts.caller(IdentityContract), capacity });
    return {
      resolvers: { ...scalars, ...tripResolvers(trips, new TripCatalogue(deps), capacity) },
      handlers: tripHandlers(trips),
      jobs: tripJobs(trips, capacity),
      contract: tripsContract(capacity),
    };
  },
});
