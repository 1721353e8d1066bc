import { LegCapacityChanged, TripPublished, TripWithdrawn } from '#shared/events/trips.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { RouteIndex } from './route-planning.index.ts';

/** What route planning does when trips tell. */
export const routePlanningHandlers = (index: RouteIndex): readonly Handler[] => [
  on(TripPublished, (trip) => index.publish(trip)),
  on(TripWithdrawn, (trip) => index.withdraw(trip)),
  on(LegCapacityChanged, (change) => index.changeCapacity(change)),
];
