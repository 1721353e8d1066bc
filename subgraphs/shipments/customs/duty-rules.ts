/**
 * Dated rule packs: what a territory takes for goods that enter it, as data with its source. The first rule of a
 * territory that is in force on the day and fits the goods decides. A new rule is a new row; an old one gets its
 * end, so that the estimate of any day can be made again.
 */
import type { ContentType } from './customs.entities.ts';

export interface DutyRule {
  readonly id: string;
  /** Customs territory of the destination. */
  readonly territory: string;
  /** First calendar day there. */
  readonly from: string;
  /** First calendar day on which it is no longer in force; null where no end is set. */
  readonly until: string | null;
  /** Kinds of contents it is for; null for all. */
  readonly contentTypes: readonly ContentType[] | null;
  /** Total value up to which it applies; null for any. */
  readonly limit: {
    readonly amountMinor: bigint;
    readonly currency: string;
    readonly inclusive: boolean;
  } | null;
  readonly effect:
    | { readonly kind: 'exempt' }
    /** A fixed amount for each distinct HS sub-heading, however many pieces it has. */
    | { readonly kind: 'per_subheading'; readonly amountMinor: bigint; readonly currency: string }
    /** The territory's tariff by goods and origin, which no pack holds. */
    | { readonly kind: 'tariff' };
  readonly confidence: 'HIGH' | 'MEDIUM' | 'LOW';
  readonly explanation: string;
  readonly source: string;
}

const euReliefs = 'https://eur-lex.europa.eu/eli/reg/2009/1186/oj';
const euFlatDuty =
  'https://agenceurope.eu/en/bulletin/article/13806/23/eu-council-gives-final-go-ahead-to-eur3-flat-rate-customs-duty-on-small-parcels';
const usSuspension = 'https://www.govinfo.gov/content/pkg/CDOC-119hdoc85/html/CDOC-119hdoc85.htm';
const usTariffAct = 'https://www.law.cornell.edu/uscode/text/19/1321';

export const dutyRules: readonly DutyRule[] = [
  {
    id: 'eu-gift-relief',
    territory: 'EU',
    from: '2010-01-01',
    until: null,
    contentTypes: ['gift'],
    limit: { amountMinor: 45_00n, currency: 'EUR', inclusive: true },
    effect: { kind: 'exempt' },
    confidence: 'MEDIUM',
    explanation:
      'Occasional gifts between private individuals are free of duty up to 45 EUR (Regulation 1186/2009, articles 25 and 26)',
    source: euReliefs,
  },
  {
    id: 'eu-low-value-relief',
    territory: 'EU',
    from: '2010-01-01',
    until: '2026-07-01',
    contentTypes: null,
    limit: { amountMinor: 150_00n, currency: 'EUR', inclusive: true },
    effect: { kind: 'exempt' },
    confidence: 'HIGH',
    explanation:
      'Consignments worth 150 EUR or less are free of duty until the end of June 2026 (Regulation 1186/2009, article 23)',
    source: euReliefs,
  },
  {
    id: 'eu-flat-duty',
    territory: 'EU',
    from: '2026-07-01',
    until: '2028-07-01',
    contentTypes: null,
    limit: { amountMinor: 150_00n, currency: 'EUR', inclusive: false },
    effect: { kind: 'per_subheading', amountMinor: 3_00n, currency: 'EUR' },
    confidence: 'MEDIUM',
    explanation:
      'From July 2026 parcels worth less than 150 EUR pay 3 EUR for each distinct tariff sub-heading; made for sellers registered for IOSS, others may pay the tariff',
    source: euFlatDuty,
  },
  {
    id: 'eu-tariff',
    territory: 'EU',
    from: '2010-01-01',
    until: null,
    contentTypes: null,
    limit: null,
    effect: { kind: 'tariff' },
    confidence: 'LOW',
    explanation: 'The common customs tariff applies, by sub-heading and origin',
    source: 'https://taxation-customs.ec.europa.eu/customs-4/calculation-customs-duties_en',
  },
  {
    id: 'us-gift-relief',
    territory: 'US',
    from: '2016-02-24',
    until: null,
    contentTypes: ['gift'],
    limit: { amountMinor: 100_00n, currency: 'USD', inclusive: true },
    effect: { kind: 'exempt' },
    confidence: 'MEDIUM',
    explanation: 'Bona fide gifts worth 100 USD or less are free of duty (19 U.S.C. 1321(a)(2)(A))',
    source: usTariffAct,
  },
  {
    id: 'us-de-minimis',
    territory: 'US',
    from: '2016-02-24',
    until: '2025-08-29',
    contentTypes: null,
    limit: { amountMinor: 800_00n, currency: 'USD', inclusive: true },
    effect: { kind: 'exempt' },
    confidence: 'HIGH',
    explanation:
      'Shipments worth 800 USD or less were free of duty until 28 August 2025 (19 U.S.C. 1321(a)(2)(C))',
    source: usTariffAct,
  },
  {
    id: 'us-tariff',
    territory: 'US',
    from: '2016-02-24',
    until: null,
    contentTypes: null,
    limit: null,
    effect: { kind: 'tariff' },
    confidence: 'LOW',
    explanation:
      'The tariff applies, by sub-heading and origin; since 29 August 2025 whatever the value, since de minimis treatment is suspended',
    source: usSuspension,
  },
];
