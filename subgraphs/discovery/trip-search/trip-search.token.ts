/** What a suggestion's token says: the search it answers, and its legs as they were shown. */
import { z } from 'zod';
import { carrierType, legKind, packageCategory } from '#shared/events/vocabulary.ts';
import { Invalid, Refusal } from '#shared/kernel/errors.ts';
import { amount, currency, id, instant } from '#shared/kernel/wire.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';

const PURPOSE = 'suggestion';

const tokenContent = z.object({
  version: z.literal(1),
  suggestionId: id,
  expiresAt: instant,
  sort: z.enum(['CHEAPEST', 'BEST', 'QUICKEST']),
  criteria: z.object({
    originLocationId: id,
    destinationLocationId: id,
    earliestDeparture: instant,
    latestArrival: instant,
    categories: z.array(packageCategory),
    grams: z.int().positive(),
    declaredValue: amount.nullable(),
    currency,
    senderComesToAirport: z.boolean(),
    recipientComesToAirport: z.boolean(),
  }),
  legs: z
    .array(
      z.object({
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
        capacityVersion: z.int(),
      }),
    )
    .min(1),
});
export type SuggestionToken = z.output<typeof tokenContent>;
export type SuggestedLeg = SuggestionToken['legs'][number];

export const signSuggestion = (secrets: Secrets, content: SuggestionToken): string =>
  secrets.sign(PURPOSE, z.encode(tokenContent, content));

/** Refuses `SUGGESTION_INVALID` whatever was not signed here. */
export function readSuggestion(secrets: Secrets, token: string): SuggestionToken {
  try {
    return z.decode(tokenContent, secrets.verify(PURPOSE, token) as never);
  } catch (error) {
    if (error instanceof Refusal || error instanceof z.ZodError)
      throw new Invalid('SUGGESTION_INVALID', 'This is no suggestion of ours');
    throw error;
  }
}
