import { z } from 'zod';
import { defineConfig, duration } from '#shared/runtime/config.ts';

export const readDiscoveryConfig = defineConfig({
  /** How long a suggestion's token can be used. */
  SUGGESTION_LIFETIME: duration('15m'),
  /** What a minute until arrival is worth in the order "best", in hundredths of a currency's unit. */
  BEST_CENTS_PER_MINUTE: z.coerce.number().min(0).default(1),
  /** What a point of risk is worth in the order "best", in hundredths of a currency's unit. */
  BEST_CENTS_PER_RISK: z.coerce.number().min(0).default(40),
});
