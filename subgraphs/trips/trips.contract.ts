import { TripsContract } from '#shared/contracts/trips.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import type { TripCapacity } from './trip/trip.capacity.ts';

export const tripsContract = (capacity: TripCapacity) =>
  answer(TripsContract, {
    async holdCapacity(hold) {
      await capacity.hold(hold);
      return {};
    },
    async extendHold({ holdId, expiresAt }) {
      await capacity.extend(holdId, expiresAt);
      return {};
    },
    async confirmHold({ holdId }) {
      await capacity.confirm(holdId);
      return {};
    },
    async releaseHold({ holdId }) {
      await capacity.release(holdId);
      return {};
    },
    legs: ({ legIds }) => capacity.legs(legIds),
  });
