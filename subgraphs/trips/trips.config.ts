import { defineConfig, duration } from '#shared/runtime/config.ts';

export const readTripsConfig = defineConfig({
  /** How long before its first departure a trip must be published. */
  TRIP_PUBLISH_LEAD: duration('2h'),
});

export type TripsConfig = ReturnType<typeof readTripsConfig>;
