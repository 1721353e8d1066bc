/** Words that several publishers share; the same values as in schema/common.graphql. */
import { z } from 'zod';

export const packageCategory = z.enum([
  'DOCUMENTS',
  'CLOTHING',
  'ELECTRONICS',
  'BOOKS',
  'FOOD',
  'COSMETICS',
  'TOYS',
  'GIFTS',
  'MEDICINE',
  'OTHER',
]);
export type PackageCategory = z.output<typeof packageCategory>;

/** `party_type_enum` of the flows document. */
export const partyType = z.enum(['sender', 'traveller', 'local_courier', 'recipient', 'system']);
export type PartyType = z.output<typeof partyType>;

export const carrierType = z.enum(['traveller', 'local_courier']);
export type CarrierType = z.output<typeof carrierType>;

/** What a leg of an itinerary is made of: a leg of somebody's trip or a courier's segment. */
export const legKind = z.enum(['trip_leg', 'courier_segment']);
export type LegKind = z.output<typeof legKind>;
