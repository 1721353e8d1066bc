import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { PackageCategory } from '#shared/events/vocabulary.ts';
import type { TripState } from './trip.states.ts';

export const TripEntity = defineEntity({
  name: 'Trip',
  tableName: 'trips',
  indexes: [{ properties: ['travellerId', 'id'] }],
  properties: {
    id: p.uuid().primary(),
    travellerId: p.uuid(),
    state: p.text().$type<TripState>(),
    statesVersion: p.integer(),
    version: p.integer(),
    originLocationId: p.uuid(),
    destinationLocationId: p.uuid(),
    transportMode: p.text().$type<'flight' | 'car'>(),
    earliestDeparture: p.datetime(),
    latestArrival: p.datetime(),
    createdAt: p.datetime(),
  },
});

export const TripLegEntity = defineEntity({
  name: 'TripLeg',
  tableName: 'trip_legs',
  uniques: [{ properties: ['tripId', 'sequence'] }],
  checks: [
    { name: 'leg_takes_time', expression: 'arrives_at > departs_at' },
    { name: 'leg_offers_something', expression: 'capacity_grams > 0' },
    { name: 'prices_not_negative', expression: 'base_minor >= 0 and per_kilogram_minor >= 0' },
  ],
  properties: {
    id: p.uuid().primary(),
    tripId: p.uuid().index(),
    sequence: p.integer(),
    mode: p.text().$type<'flight' | 'car'>(),
    fromLocationId: p.uuid(),
    toLocationId: p.uuid(),
    departsAt: p.datetime(),
    arrivesAt: p.datetime(),
    carrierReference: p.text().nullable(),
    currency: p.text(),
    baseMinor: p.bigint(),
    perKilogramMinor: p.bigint(),
    capacityGrams: p.integer(),
    /** Raised with every change of what is free. */
    capacityVersion: p.integer().default(0),
  },
});

export const TripConstraintsEntity = defineEntity({
  name: 'TripConstraints',
  tableName: 'trip_constraints',
  properties: {
    tripId: p.uuid().primary(),
    maxPackageGrams: p.integer(),
    allowedCategories: p.array().$type<PackageCategory[]>(),
    maxDeclaredValueMinor: p.bigint().nullable(),
    maxDeclaredValueCurrency: p.text().nullable(),
    notes: p.text().nullable(),
  },
});

export const TripDocumentEntity = defineEntity({
  name: 'TripDocument',
  tableName: 'trip_documents',
  uniques: [{ properties: ['tripId', 'fileId'] }],
  properties: {
    id: p.uuid().primary(),
    tripId: p.uuid().index(),
    kind: p.text().$type<'flight_ticket' | 'boarding_pass' | 'other'>(),
    fileId: p.uuid(),
    sha256: p.text(),
    addedAt: p.datetime(),
  },
});

/** Parcels that this trip's traveller holds right now, as custody told us: no cancelling meanwhile. */
export const CarriedLegEntity = defineEntity({
  name: 'CarriedLeg',
  tableName: 'carried_legs',
  properties: {
    bookingId: p.uuid().primary(),
    legId: p.uuid().index(),
    tripId: p.uuid().index(),
    state: p.text().$type<'confirmed' | 'carrying' | 'done'>(),
  },
});

export type TripRow = InferEntity<typeof TripEntity>;
export type TripLegRow = InferEntity<typeof TripLegEntity>;
export type TripConstraintsRow = InferEntity<typeof TripConstraintsEntity>;
export type TripDocumentRow = InferEntity<typeof TripDocumentEntity>;
