/** A carrier's published tariff: a base and a price per kilogram, in one currency. */
import { addMoney, type Money, money } from './money.ts';

export interface Tariff {
  readonly base: Money;
  readonly perKilogram: Money;
}

/** Price of `grams` under a tariff, the part per kilogram rounded up to the minor unit. */
export function priceOf({ base, perKilogram }: Tariff, grams: number): Money {
  const perGrams = perKilogram.amountMinor * BigInt(grams);
  return addMoney(base, money((perGrams + 999n) / 1_000n, perKilogram.currency));
}
