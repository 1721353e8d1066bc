import { z } from 'zod';
import { defineConfig, duration } from '#shared/runtime/config.ts';

export const readBookingsConfig = defineConfig({
  /** How long an offer stands. */
  QUOTE_LIFETIME: duration('30m'),
  /** Longest time that carriers have to answer; less where the departure is near. */
  ANSWER_WINDOW: duration('24h'),
  /** Shortest time that carriers have to answer. */
  ANSWER_WINDOW_MIN: duration('30m'),
  /** How long after the time to answer the sender may still pay; never beyond the first departure. */
  PAYMENT_WINDOW: duration('2h'),
  /** How long capacity is held before the saga has taken the itinerary over. */
  HOLD_GRACE: duration('5m'),
  /** Itineraries of one sender that may hold capacity without being paid. */
  UNPAID_ITINERARIES_MAX: z.coerce.number().int().min(1).default(5),
});

export type BookingsConfig = ReturnType<typeof readBookingsConfig>;
