import { z } from 'zod';
import { id, instant } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob } from '#shared/runtime/durable.ts';
import type { HandoffService } from './handoff.service.ts';

/** Opens a hand-over when its window does. */
export const openHandoff = { name: 'custody.open-handoff', payload: z.object({ stepId: id }) };

/** Takes a half-confirmed hand-over back when the other side did not scan in time. */
export const lapseHandoff = {
  name: 'custody.lapse-half-confirmed-handoff',
  payload: z.object({ stepId: id, halfConfirmedAt: instant }),
};

export const handoffJobs = (handoffs: HandoffService): AnyJob[] => [
  defineJob({ ...openHandoff, run: ({ stepId }) => handoffs.open(stepId) }),
  defineJob({
    ...lapseHandoff,
    run: ({ stepId, halfConfirmedAt }) => handoffs.lapse(stepId, halfConfirmedAt),
  }),
];
