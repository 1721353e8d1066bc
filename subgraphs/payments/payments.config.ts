import { z } from 'zod';
import { parseDuration } from '#shared/kernel/time.ts';
import { defineConfig, duration } from '#shared/runtime/config.ts';

const delayNames = {
  settlement: 'settlementMs',
  payout: 'payoutMs',
  authorisation: 'authorisationMs',
} as const;

/** `settlement=2s,payout=2s`: how long things take at the embedded simulator. */
const delays = z
  .string()
  .default('')
  .transform((text, context) => {
    const entries: [string, number][] = [];
    for (const part of text.split(',').filter(Boolean)) {
      const [name = '', value = ''] = part.split('=');
      try {
        if (!Object.hasOwn(delayNames, name))
          throw new RangeError(`"${name}" is none of ${Object.keys(delayNames).join(', ')}`);
        entries.push([delayNames[name as keyof typeof delayNames], parseDuration(value)]);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    }
    return Object.fromEntries(entries);
  });

export const readPaymentsConfig = defineConfig({
  /** Of the card processor. Without one, the embedded simulator is the card processor. */
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(sk|rk)_/)
    .optional(),
  /** What a browser makes payment methods with. */
  STRIPE_PUBLISHABLE_KEY: z.string().startsWith('pk_').optional(),
  /** Signing secrets of our webhook endpoint, parted by commas: one, or two while rotating. */
  STRIPE_WEBHOOK_SECRETS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean)),
  /** Where the processor is, when it is not Stripe itself. */
  STRIPE_URL: z.url().optional(),
  STRIPE_TIMEOUT: duration('10s'),
  /** How often the client itself repeats a call that got no answer, under the same key. */
  STRIPE_RETRIES: z.coerce.number().int().min(0).max(5).default(2),
  /** Of the embedded simulator; any free one when 0. */
  SIMULATOR_PORT: z.coerce.number().int().min(0).max(65_535).default(4199),
  SIMULATOR_DELAYS: delays,
  /** How long after the delivery the recipient may object before the last leg is paid. */
  INSPECTION_WINDOW: duration('48h'),
  /** How long released money rests before it is paid out. */
  PAYOUT_DELAY: duration('0s'),
  /** Less than this waits for more, in minor units of whatever currency. */
  PAYOUT_MINIMUM: z
    .string()
    .regex(/^\d{1,12}$/)
    .default('100')
    .transform(BigInt),
  /** Money is not captured later than this before its reservation ends. */
  CAPTURE_MARGIN: duration('12h'),
  /** How long an event about something that we do not know is asked about again. */
  PARKED_EVENT_PATIENCE: duration('24h'),
});

export type PaymentsConfig = ReturnType<typeof readPaymentsConfig>;
