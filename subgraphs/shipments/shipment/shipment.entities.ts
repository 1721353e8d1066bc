import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import { type ShipmentState, shipmentState } from '#shared/events/shipments.ts';
import type { PackageCategory } from '#shared/events/vocabulary.ts';

const states = shipmentState.options.map((state) => `'${state}'`).join(', ');

export const ShipmentEntity = defineEntity({
  name: 'Shipment',
  tableName: 'shipments',
  indexes: [{ properties: ['senderId', 'id'] }],
  checks: [{ name: 'shipment_state_known', expression: `state in (${states})` }],
  properties: {
    id: p.uuid().primary(),
    senderId: p.uuid(),
    state: p.text().$type<ShipmentState>(),
    statesVersion: p.integer(),
    originLocationId: p.uuid(),
    destinationLocationId: p.uuid(),
    originTerritory: p.text(),
    destinationTerritory: p.text(),
    destinationTimeZone: p.text(),
    senderName: p.text(),
    senderEmail: p.text(),
    senderPhone: p.text(),
    senderAddress: p.text(),
    specialHandling: p.text().nullable(),
    /** The itinerary in force, from its request on. */
    itineraryId: p.uuid().nullable(),
    /** When nothing of that itinerary's money was held any more; may be heard before the delivery is. */
    escrowClosedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
    submittedAt: p.datetime().nullable(),
  },
});

export const PackageEntity = defineEntity({
  name: 'Package',
  tableName: 'packages',
  uniques: [{ properties: ['shipmentId', 'sequence'] }],
  checks: [
    { name: 'package_weighs_something', expression: 'weight_grams > 0' },
    { name: 'package_has_size', expression: 'length_mm > 0 and width_mm > 0 and height_mm > 0' },
    { name: 'declared_value_not_negative', expression: 'declared_minor >= 0' },
  ],
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid(),
    sequence: p.integer(),
    category: p.text().$type<PackageCategory>(),
    weightGrams: p.integer(),
    lengthMm: p.integer(),
    widthMm: p.integer(),
    heightMm: p.integer(),
    declaredMinor: p.bigint(),
    currency: p.text(),
  },
});

export const PackageItemEntity = defineEntity({
  name: 'PackageItem',
  tableName: 'package_items',
  uniques: [{ properties: ['packageId', 'sequence'] }],
  checks: [
    { name: 'item_is_there', expression: 'quantity > 0 and weight_grams > 0' },
    { name: 'unit_value_not_negative', expression: 'unit_minor >= 0' },
    { name: 'hs_code_has_six_digits', expression: "hs_code ~ '^[0-9]{6}$'" },
  ],
  properties: {
    id: p.uuid().primary(),
    packageId: p.uuid(),
    sequence: p.integer(),
    description: p.text(),
    quantity: p.integer(),
    unitMinor: p.bigint(),
    currency: p.text(),
    /** Of all pieces together. */
    weightGrams: p.integer(),
    hsCode: p.text().nullable(),
    originCountry: p.text().nullable(),
    /** Of the largest battery in it. */
    lithiumWattHours: p.double().$type<number>().runtimeType('number').nullable(),
    airlineApproval: p.text().nullable(),
  },
});

export const PackagePhotoEntity = defineEntity({
  name: 'PackagePhoto',
  tableName: 'package_photos',
  uniques: [{ properties: ['packageId', 'fileId'] }],
  properties: {
    id: p.uuid().primary(),
    packageId: p.uuid(),
    fileId: p.uuid(),
    sha256: p.text(),
    mediaType: p.text(),
    addedAt: p.datetime(),
  },
});

export const RecipientEntity = defineEntity({
  name: 'Recipient',
  tableName: 'recipients',
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid().unique(),
    name: p.text(),
    /** Canonical. */
    email: p.text().index(),
    phone: p.text(),
    address: p.text(),
    /** The account with this proven address, once there is one. */
    userId: p.uuid().nullable().index(),
  },
});

/** The carriers of the itinerary in force, one row per booking. */
export const ShipmentPartyEntity = defineEntity({
  name: 'ShipmentParty',
  tableName: 'shipment_parties',
  indexes: [{ properties: ['shipmentId', 'carrierId'] }],
  properties: {
    bookingId: p.uuid().primary(),
    itineraryId: p.uuid().index(),
    shipmentId: p.uuid(),
    carrierId: p.uuid(),
  },
});

export const shipmentEntities = [
  ShipmentEntity,
  PackageEntity,
  PackageItemEntity,
  PackagePhotoEntity,
  RecipientEntity,
  ShipmentPartyEntity,
];

export type ShipmentRow = InferEntity<typeof ShipmentEntity>;
export type PackageRow = InferEntity<typeof PackageEntity>;
export type PackageItemRow = InferEntity<typeof PackageItemEntity>;
export type PackagePhotoRow = InferEntity<typeof PackagePhotoEntity>;
export type RecipientRow = InferEntity<typeof RecipientEntity>;
