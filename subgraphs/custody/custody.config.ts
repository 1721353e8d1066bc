import { z } from 'zod';
import { defineConfig, duration } from '#shared/runtime/config.ts';

const count = (fallback: string) => z.string().regex(/^\d+$/).default(fallback).transform(Number);

export const readCustodyConfig = defineConfig({
  /** How long before its planned time a hand-over opens. */
  HANDOFF_WINDOW_BEFORE: duration('24h'),
  /** How long after its planned time a hand-over may still happen. */
  HANDOFF_WINDOW_AFTER: duration('24h'),
  /** How long one side's scan waits for the other side's. */
  HANDOFF_HALF_CONFIRMED_FOR: duration('30m'),
  /** Photos needed where the sender gives and where the recipient receives. */
  HANDOFF_PHOTOS_AT_ENDS: count('1'),
  /** Photos needed between two carriers. */
  HANDOFF_PHOTOS_BETWEEN: count('0'),
  /** Declared value of a shipment, in minor units, from which each hand-over needs one photo more. */
  HANDOFF_HIGH_VALUE_MINOR: z.string().regex(/^\d+$/).default('50000').transform(BigInt),
  /** Key that signs new codes; codes of every key from 1 to this one are still verified. */
  QR_SIGNING_KEY_ID: z
    .string()
    .regex(/^\d+$/)
    .default('1')
    .transform(Number)
    .refine((id) => id >= 1 && id <= 255, 'a key id is a number from 1 to 255'),
  /** How often a live feed looks at the log even where nothing woke it. */
  TRACKING_POLL: duration('3s'),
});

export type CustodyConfig = ReturnType<typeof readCustodyConfig>;
