import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PackageCategory } from '#shared/events/vocabulary.ts';

/** Somebody who carries parcels within a town by trade. */
export const Courier = defineEntity({
  name: 'Courier',
  tableName: 'couriers',
  properties: {
    id: p.uuid().primary(),
    /** User who operates it: the carrier of its legs. */
    operatorId: p.uuid().unique(),
    name: p.text(),
    registeredAt: p.datetime(),
  },
});

/** A connection within one town that a courier serves every day of its week. */
export const LocalSegment = defineEntity({
  name: 'LocalSegment',
  tableName: 'local_segments',
  checks: [
    { name: 'local_segments_prices', expression: 'base_minor >= 0 and per_kilogram_minor >= 0' },
    {
      name: 'local_segments_hours',
      expression: 'opens_at >= 0 and opens_at <= 1439 and closes_at >= 1 and closes_at <= 1440',
    },
    { name: 'local_segments_load', expression: 'max_grams_per_run > 0 and duration_minutes > 0' },
    { name: 'local_segments_ends', expression: 'from_location_id <> to_location_id' },
  ],
  properties: {
    id: p.uuid().primary(),
    courierId: p.uuid().index(),
    operatorId: p.uuid(),
    fromLocationId: p.uuid().index(),
    toLocationId: p.uuid(),
    currency: p.string().length(3),
    baseMinor: p.bigint(),
    perKilogramMinor: p.bigint(),
    timeZone: p.text(),
    /** 1 is Monday. */
    days: p.json<number[]>(),
    opensAt: p.integer(),
    closesAt: p.integer(),
    durationMinutes: p.integer(),
    maxGramsPerRun: p.integer(),
    allowedCategories: p.json<PackageCategory[]>(),
    checksPin: p.boolean(),
    scansBarcode: p.boolean(),
    takesReturns: p.boolean(),
    proofRetentionDays: p.integer(),
    state: p.enum(['published', 'withdrawn'] as const),
    publishedAt: p.datetime(),
    withdrawnAt: p.datetime().nullable(),
  },
});
export type LocalSegmentRow = InferEntity<typeof LocalSegment>;

/** The local days on which something of a segment was ever asked for; on all others everything is free. */
export const CourierRun = defineEntity({
  name: 'CourierRun',
  tableName: 'courier_runs',
  properties: {
    segmentId: p.uuid().primary(),
    day: p.string().length(10).primary(),
  },
});
