import { z } from 'zod';
import { type AnyJob, defineJob, type JobName } from '#shared/runtime/durable.ts';
import type { CourierCapacity } from './local-courier.capacity.ts';

export const holdExpiryJob: JobName<object> = {
  name: 'discovery.expireCourierHolds',
  payload: z.object({}),
};

/** What couriers' capacity does when time passes. */
export const courierJobs = (capacity: CourierCapacity): readonly AnyJob[] => [
  defineJob({ ...holdExpiryJob, run: () => capacity.expire() }),
];
