import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { type AnyJob, defineJob } from '#shared/runtime/durable.ts';
import type { MailDeliveryService } from './mail-delivery.service.ts';

/** Sends one mail, however long the mail server is away. */
export const sendMail = { name: 'communications.send-mail', payload: z.object({ deliveryId: id }) };

export const notificationJobs = (deliveries: MailDeliveryService): AnyJob[] => [
  defineJob({ ...sendMail, run: ({ deliveryId }) => deliveries.send(deliveryId) }),
];
