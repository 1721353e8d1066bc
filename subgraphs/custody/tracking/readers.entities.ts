import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A sender's leave for a partner to read a shipment's tracking; kept when it has ended. */
export const TrackingShareRow = defineEntity({
  name: 'TrackingShare',
  tableName: 'tracking_shares',
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid(),
    partnerId: p.uuid(),
    /** As the partner was called when the sender gave leave. */
    partnerName: p.text(),
    sharedAt: p.datetime(),
    endedAt: p.datetime().nullable(),
  },
  indexes: [
    {
      name: 'tracking_shares_live',
      expression:
        'create unique index "tracking_shares_live" on "custody"."tracking_shares" ("shipment_id", "partner_id") where ended_at is null',
    },
  ],
});
export type TrackingShareRow = InferEntity<typeof TrackingShareRow>;
export const readersEntities = [TrackingShareRow];
