/** What other subgraphs may ask trips. */
import { z } from 'zod';
import { publishedLeg } from '../events/trips.ts';
import { packageCategory } from '../events/vocabulary.ts';
import { defineContract, question } from '../kernel/contract.ts';
import { amount, id } from '../kernel/wire.ts';
import { capacityMethods } from './capacity.ts';

export const TripsContract = defineContract('trips', {
  ...capacityMethods,
  /** Legs among the ids as they stand now, in any order. */
  legs: question({
    input: z.object({ legIds: z.array(id).max(100) }),
    output: z.array(
      publishedLeg.extend({
        tripId: id,
        travellerId: id,
        bookable: z.boolean(),
        allowedCategories: z.array(packageCategory),
        maxPackageGrams: z.int(),
        maxDeclaredValue: amount.nullable(),
      }),
    ),
  }),
});
