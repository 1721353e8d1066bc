import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../bookings.generated.ts';
import type { ItineraryService } from '../itinerary/itinerary.service.ts';
import type { PricingService } from './pricing.service.ts';

export const pricingResolvers = (pricing: PricingService, itineraries: ItineraryService): Resolvers => ({
  Query: {
    fees: () => pricing.fees(),
    calculatePrice: (_, { carriers }) => pricing.calculate(money(carriers.amountMinor, carriers.currency)),
  },
  Mutation: {
    quoteItinerary: (_, { input }, { viewer }) => pricing.quote(viewer, input.itineraryId),
  },
  Fee: {
    type: () => 'PLATFORM',
  },
  PriceQuote: {
    itinerary: async ({ itineraryId }, _, { load }) => (await load(itineraries.byIds, itineraryId))!,
    total: ({ totalMinor, currency }) => money(totalMinor, currency),
    carriers: ({ carriersMinor, currency }) => money(carriersMinor, currency),
    fee: ({ feeMinor, currency }) => money(feeMinor, currency),
    lines: ({ lines, currency }) =>
      lines.map(({ sequence, priceMinor, feeShareMinor }) => ({
        sequence,
        price: money(priceMinor, currency),
        feeShare: money(feeShareMinor, currency),
      })),
  },
});
