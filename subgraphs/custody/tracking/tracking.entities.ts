import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const trackingTypes = [
  'ITINERARY_CONFIRMED',
  'HANDOFF_READY',
  'SCANNED',
  'PICKED_UP',
  'TRANSFERRED',
  'DEPARTED',
  'ARRIVED',
  'LOCATION_NOTED',
  'OUT_FOR_DELIVERY',
  'DELIVERED',
  'REFUSED',
  'FUNDS_RELEASED',
  'COMPLETED',
] as const;
export type TrackingType = (typeof trackingTypes)[number];

/** Allots the sequence numbers of one shipment's log: its row lock is what keeps the log without gaps. */
export const TrackingStreamRow = defineEntity({
  name: 'TrackingStream',
  tableName: 'tracking_streams',
  properties: {
    shipmentId: p.uuid().primary(),
    lastSeq: p.integer(),
  },
});
export type TrackingStreamRow = InferEntity<typeof TrackingStreamRow>;

/** What happened to a shipment, in order; never changed. */
export const TrackingEventRow = defineEntity({
  name: 'TrackingEvent',
  tableName: 'tracking_events',
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid(),
    seq: p.integer(),
    type: p.enum(trackingTypes),
    at: p.datetime(),
    message: p.text(),
    packageId: p.uuid().nullable(),
    carrierId: p.uuid().nullable(),
    /** Leg of a trip; null for a courier's segment. */
    tripLegId: p.uuid().nullable(),
    locationId: p.uuid().nullable(),
    handoffStepId: p.uuid().nullable(),
    /** The same thing told twice is one event. */
    onceKey: p.text().nullable(),
  },
  uniques: [{ properties: ['shipmentId', 'seq'] }, { properties: ['shipmentId', 'onceKey'] }],
});
export type TrackingEventRow = InferEntity<typeof TrackingEventRow>;

/** What proves a delivery: the scans and photos of the last hand-over and the chains it closed. */
export const DeliveryProofRow = defineEntity({
  name: 'DeliveryProof',
  tableName: 'delivery_proofs',
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid().index(),
    itineraryId: p.uuid(),
    handoffStepId: p.uuid().unique(),
    deliveredAt: p.datetime(),
    scanIds: p.json<string[]>(),
    photos: p.json<{ fileId: string; sha256: string }[]>(),
    custody: p.json<{ packageId: string; eventId: string; hash: string }[]>(),
  },
});
export type DeliveryProofRow = InferEntity<typeof DeliveryProofRow>;
export const trackingEntities = [TrackingStreamRow, TrackingEventRow, DeliveryProofRow];
