/**
 * Owns prices: fee rules and the quotes that bind the platform. Promises that a quote's lines sum to its total
 * in whole minor units, that a quote is never changed, and that a booking pays exactly what was quoted.
 * Called by resolvers and by the booking service, which takes quotes at their word.
 */
import canonicalize from 'canonicalize';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { addMoney, type Money, money, shareOf, splitByWeights } from '#shared/kernel/money.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { BookingsConfig } from '../bookings.config.ts';
import type { ItineraryService, ItineraryView } from '../itinerary/itinerary.service.ts';
import { FeeEntity, type FeeRow, PriceQuoteEntity, type PriceQuoteRow } from './pricing.entities.ts';

export type PriceQuoteView = PriceQuoteRow;
export type FeeView = FeeRow;

export interface PriceCalculationView {
  readonly carriers: Money;
  readonly fee: Money;
  readonly total: Money;
}

const purpose = 'price-quote';

export class PricingService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #itineraries: ItineraryService;
  readonly #config: BookingsConfig;

  constructor(deps: {
    db: Database;
    clock: Clock;
    secrets: Secrets;
    itineraries: ItineraryService;
    config: BookingsConfig;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#secrets = deps.secrets;
    this.#itineraries = deps.itineraries;
    this.#config = deps.config;
  }

  /** The fee rules in force. */
  async fees(): Promise<FeeView[]> {
    return [await this.#fee()];
  }

  /** What carriers' earnings would cost a sender now. Refuses `AMOUNT_INVALID`, `CURRENCY_UNKNOWN`. */
  async calculate(carriers: Money): Promise<PriceCalculationView> {
    if (carriers.amountMinor <= 0n) throw new Invalid('AMOUNT_INVALID', 'Carriers earn something');
    const fee = shareOf(
      money(carriers.amountMinor, carriers.currency),
      BigInt((await this.#fee()).partsPerMillion),
    );
    return { carriers, fee, total: addMoney(carriers, fee) };
  }

  /**
   * Makes a binding offer for the viewer's itinerary. The fee is computed on the whole, rounded once, and split
   * over the legs by the largest remainder. Refuses `ITINERARY_NOT_FOUND`, `ITINERARY_NOT_PLANNED`.
   */
  quote(viewer: Viewer, itineraryId: string): Promise<PriceQuoteView> {
    return this.#db.transaction(async ({ em }) => {
      const itinerary = await this.#itineraries.lockOwn(em, viewer, itineraryId);
      if (itinerary.state !== 'planned')
        throw new Conflict('ITINERARY_NOT_PLANNED', 'The itinerary is priced already');
      const legs = await this.#itineraries.legsOf(em, itinerary);
      const rule = await this.#fee();
      const { carriers, fee, total } = await this.calculate(
        money(itinerary.carriersMinor, itinerary.currency),
      );
      const shares = splitByWeights(
        fee,
        legs.map(({ priceMinor }) => priceMinor),
      );
      const now = this.#clock.now();
      const unsigned = {
        id: newId(),
        itineraryId,
        itineraryVersion: itinerary.version,
        senderId: itinerary.senderId,
        currency: itinerary.currency,
        carriersMinor: carriers.amountMinor,
        feeMinor: fee.amountMinor,
        totalMinor: total.amountMinor,
        lines: legs.map((leg, index) => ({
          sequence: leg.sequence,
          itineraryLegId: leg.id,
          priceMinor: leg.priceMinor.toString(),
          feeShareMinor: shares[index]!.amountMinor.toString(),
        })),
        feeId: rule.id,
        expiresAt: after(now, this.#config.QUOTE_LIFETIME),
        createdAt: now,
      };
      const quote = em.create(PriceQuoteEntity, { ...unsigned, signature: this.#sign(unsigned) });
      await em.flush();
      return quote;
    });
  }

  /**
   * The quote as it was given, if it still binds. Refuses `QUOTE_NOT_FOUND`, `QUOTE_TAMPERED`, `QUOTE_EXPIRED`,
   * `QUOTE_OUTDATED` where the itinerary has changed since, `PRICE_CHANGED` {total} where the client expects another total.
   */
  async requireBinding(
    itinerary: ItineraryView,
    given: { quoteId: string; quoteSignature: string; expectedTotal: Money },
  ): Promise<PriceQuoteRow> {
    const quote = await this.#db.read((em) =>
      em.findOne(PriceQuoteEntity, { id: requireId(given.quoteId, 'quoteId') }),
    );
    if (!quote || quote.itineraryId !== itinerary.id)
      throw new NotFound('QUOTE_NOT_FOUND', 'There is no such quote of this itinerary');
    if (given.quoteSignature !== quote.signature || this.#sign(quote) !== quote.signature) {
      throw new Conflict('QUOTE_TAMPERED', 'This is not the offer that was made');
    }
    if (quote.itineraryVersion !== itinerary.version)
      throw new Conflict('QUOTE_OUTDATED', 'The itinerary has changed since');
    if (quote.expiresAt <= this.#clock.now())
      throw new Conflict('QUOTE_EXPIRED', 'The offer has expired: ask for a new one');
    const { expectedTotal } = given;
    if (expectedTotal.amountMinor !== quote.totalMinor || expectedTotal.currency !== quote.currency) {
      throw new Conflict('PRICE_CHANGED', 'The offer is another than the one expected', {
        total: { amountMinor: quote.totalMinor.toString(), currency: quote.currency },
      });
    }
    return quote;
  }

  /** A quote that is known to bind. */
  byId(id: string): Promise<PriceQuoteRow> {
    return this.#db.read((em) => em.findOneOrFail(PriceQuoteEntity, { id }));
  }

  async #fee(): Promise<FeeRow> {
    return this.#db.read((em) =>
      em.findOneOrFail(
        FeeEntity,
        { type: 'platform', effectiveFrom: { $lte: this.#clock.now() } },
        { orderBy: { effectiveFrom: 'desc' } },
      ),
    );
  }

  #sign(quote: Omit<PriceQuoteRow, 'signature'>): string {
    const { id, itineraryId, itineraryVersion, senderId, currency, totalMinor, lines, expiresAt } = quote;
    const facts = {
      id,
      itineraryId,
      itineraryVersion,
      senderId,
      currency,
      total: totalMinor.toString(),
      lines,
      expiresAt: expiresAt.toISOString(),
    };
    return this.#secrets.mac(purpose, canonicalize(facts)!);
  }
}
