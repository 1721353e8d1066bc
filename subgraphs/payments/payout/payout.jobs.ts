import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob, type JobName } from '#shared/runtime/durable.ts';
import type { PayoutService } from './payout.service.ts';

/** Turns what a payee has earned into payouts. */
export const drainJob: JobName<{ payeeId: string; currency: string }> = {
  name: 'payments.drain-payable',
  payload: z.object({ payeeId: id, currency: z.string() }),
};

/** Makes one payout. */
export const payoutJob: JobName<{ payoutId: string }> = {
  name: 'payments.pay-out',
  payload: z.object({ payoutId: id }),
};

export const payoutJobs = (payouts: PayoutService): readonly AnyJob[] => [
  defineJob({ ...drainJob, run: ({ payeeId, currency }) => payouts.drain(payeeId, currency) }),
  defineJob({ ...payoutJob, run: ({ payoutId }) => payouts.payOut(payoutId) }),
];
