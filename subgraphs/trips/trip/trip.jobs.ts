import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob, type JobName } from '#shared/runtime/durable.ts';
import type { TripCapacity } from './trip.capacity.ts';
import type { TripService } from './trip.service.ts';

export const departureJob: JobName<{ tripId: string }> = {
  name: 'trips.depart',
  payload: z.object({ tripId: id }),
};
export const holdExpiryJob: JobName<object> = { name: 'trips.expireHolds', payload: z.object({}) };

/** What trips do when time passes. */
export const tripJobs = (trips: TripService, capacity: TripCapacity): readonly AnyJob[] => [
  defineJob({ ...departureJob, run: ({ tripId }) => trips.depart(tripId) }),
  defineJob({ ...holdExpiryJob, run: () => capacity.expire() }),
];
