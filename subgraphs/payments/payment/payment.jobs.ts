import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob, type JobName } from '#shared/runtime/durable.ts';
import type { PaymentProgress } from './payment.progress.ts';
import type { PaymentService } from './payment.service.ts';
import type { PaymentWebhooks } from './payment.webhooks.ts';

/** Asks the processor how a payment stands. */
export const syncPaymentJob: JobName<{ paymentId: string }> = {
  name: 'payments.sync-payment',
  payload: z.object({ paymentId: id }),
};

/** Fetches the cards that a payer asked to keep. */
export const keepMethodsJob: JobName<{ userId: string }> = {
  name: 'payments.keep-methods',
  payload: z.object({ userId: id }),
};

/** Deals with one event of the processor. */
export const pspEventJob: JobName<{ eventId: string }> = {
  name: 'payments.psp-event',
  payload: z.object({ eventId: z.string() }),
};

/** What payments do when time passes. */
export const paymentJobs = (
  progress: PaymentProgress,
  payments: PaymentService,
  webhooks: PaymentWebhooks,
): readonly AnyJob[] => [
  defineJob({ ...syncPaymentJob, run: ({ paymentId }) => progress.sync(paymentId) }),
  defineJob({ ...keepMethodsJob, run: ({ userId }) => payments.keepMethods(userId) }),
  defineJob({ ...pspEventJob, run: ({ eventId }) => webhooks.process(eventId) }),
];
