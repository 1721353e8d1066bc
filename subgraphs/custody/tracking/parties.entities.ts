import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { legKind, partyType } from '#shared/events/vocabulary.ts';

/** Who has to do with a shipment: its sender, its recipient, and one row per booking for the carriers. */
export const CustodyPartyRow = defineEntity({
  name: 'CustodyParty',
  tableName: 'custody_parties',
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid(),
    partyType: p.enum(partyType.options),
    /** User id, or recipient id for a recipient. */
    partyId: p.uuid(),
    /** The account that acts for the party; null for a recipient without one. */
    userId: p.uuid().nullable(),
    itineraryId: p.uuid().nullable(),
    bookingId: p.uuid().nullable(),
    legId: p.uuid().nullable(),
    legKind: p.enum(legKind.options).nullable(),
  },
  indexes: [{ properties: ['itineraryId'] }],
  uniques: [
    {
      name: 'custody_parties_once',
      expression:
        'create unique index "custody_parties_once" on "custody"."custody_parties" ("shipment_id", "party_type", "party_id", "booking_id") nulls not distinct',
    },
  ],
});
export type CustodyPartyRow = InferEntity<typeof CustodyPartyRow>;

/** What custody must know of a package: whose it is and what it is worth. */
export const CustodyPackageRow = defineEntity({
  name: 'CustodyPackage',
  tableName: 'custody_packages',
  properties: {
    packageId: p.uuid().primary(),
    shipmentId: p.uuid().index(),
    declaredMinor: p.bigint(),
    currency: p.string().length(3),
  },
});
export type CustodyPackageRow = InferEntity<typeof CustodyPackageRow>;
export const partiesEntities = [CustodyPartyRow, CustodyPackageRow];
