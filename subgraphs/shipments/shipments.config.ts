import { defineConfig, duration } from '#shared/runtime/config.ts';

export const readShipmentsConfig = defineConfig({
  /** How long a recipient's link opens their shipment without an account. */
  RECIPIENT_LINK_VALIDITY: duration('60d'),
});

export type ShipmentsConfig = ReturnType<typeof readShipmentsConfig>;
