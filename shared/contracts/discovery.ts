/** What other subgraphs may ask discovery. */
import { z } from 'zod';
import { carrierType, legKind, packageCategory } from '../events/vocabulary.ts';
import { defineContract, question } from '../kernel/contract.ts';
import { amount, id, instant } from '../kernel/wire.ts';
import { capacityMethods } from './capacity.ts';

export const suggestedLeg = z.object({
  sequence: z.int(),
  legKind,
  legId: id,
  tripId: id.nullable(),
  carrierType,
  carrierId: id,
  fromLocationId: id,
  toLocationId: id,
  departsAt: instant,
  arrivesAt: instant,
  price: amount,
  /** Version of the leg's free capacity that the suggestion was made from. */
  capacityVersion: z.int(),
});

export const DiscoveryContract = defineContract('discovery', {
  ...capacityMethods,
  /**
   * The legs behind a suggestion's token, checked against what is bookable now for this weight.
   * Refuses `SUGGESTION_INVALID` a token not made here, `SUGGESTION_STALE` {alternatives: [{token, price,
   * departsAt, arrivesAt, reason}]} one that has expired or can no longer be booked as it was shown.
   */
  suggestion: question({
    input: z.object({ token: z.string(), grams: z.int().positive(), categories: z.array(packageCategory) }),
    output: z.object({
      suggestionId: id,
      originLocationId: id,
      destinationLocationId: id,
      legs: z.array(suggestedLeg).min(1),
      total: amount,
      expiresAt: instant,
    }),
  }),
  /** Places among the ids, in any order. */
  locations: question({
    input: z.object({ locationIds: z.array(id).max(1000) }),
    output: z.array(
      z.object({
        locationId: id,
        name: z.string(),
        iata: z.string().nullable(),
        countryCode: z.string(),
        /** Goods that move between two different territories need a declaration. */
        customsTerritory: z.string(),
        timeZone: z.string(),
        latitude: z.number(),
        longitude: z.number(),
      }),
    ),
  }),
});
