import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

/** What a quote says of one leg; amounts are minor units of the quote's currency as decimal digits. */
export interface QuotedLine {
  readonly sequence: number;
  readonly itineraryLegId: string;
  readonly priceMinor: string;
  readonly feeShareMinor: string;
}

export const PriceQuoteEntity = defineEntity({
  name: 'PriceQuote',
  tableName: 'price_quotes',
  checks: [{ name: 'total_is_sum', expression: 'total_minor = carriers_minor + fee_minor' }],
  properties: {
    id: p.uuid().primary(),
    itineraryId: p.uuid().index(),
    itineraryVersion: p.integer(),
    senderId: p.uuid(),
    currency: p.text(),
    carriersMinor: p.bigint(),
    feeMinor: p.bigint(),
    totalMinor: p.bigint(),
    lines: p.json<QuotedLine[]>(),
    /** The fee rule it was made under. */
    feeId: p.uuid(),
    signature: p.text(),
    expiresAt: p.datetime(),
    createdAt: p.datetime(),
  },
});

/** Fee rules, dated: a decision can be replayed with the rule it was made under. */
export const FeeEntity = defineEntity({
  name: 'Fee',
  tableName: 'fees',
  uniques: [{ properties: ['type', 'effectiveFrom'] }],
  checks: [
    { name: 'share_of_the_whole', expression: 'parts_per_million >= 0 and parts_per_million <= 1000000' },
  ],
  properties: {
    id: p.uuid().primary(),
    type: p.text().$type<'platform'>(),
    partsPerMillion: p.integer(),
    effectiveFrom: p.datetime(),
  },
});

export type PriceQuoteRow = InferEntity<typeof PriceQuoteEntity>;
export type FeeRow = InferEntity<typeof FeeEntity>;
