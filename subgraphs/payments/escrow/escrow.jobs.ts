import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob, type JobName } from '#shared/runtime/durable.ts';
import type { EscrowService } from './escrow.service.ts';

/** Releases a delivered leg when the inspection window is over. */
export const releaseJob: JobName<{ escrowId: string }> = {
  name: 'payments.release-escrow',
  payload: z.object({ escrowId: id }),
};

export const escrowJobs = (escrow: EscrowService): readonly AnyJob[] => [
  defineJob({ ...releaseJob, run: ({ escrowId }) => escrow.releaseDue(escrowId) }),
];
