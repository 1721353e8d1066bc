import fc from 'fast-check';
import { money } from './money.ts';
import { priceOf } from './tariff.ts';

const tariff = (base: number, perKilogram: number) => ({
  base: money(base, 'EUR'),
  perKilogram: money(perKilogram, 'EUR'),
});

test.each([
  [0, 500],
  [1, 501],
  [1_000, 1_500],
  [1_001, 1_501],
  [2_500, 3_000],
])('%d grams at 5.00 and 10.00 a kilogram cost %d cents', (grams, cents) => {
  expect(priceOf(tariff(500, 1_000), grams)).toEqual(money(cents, 'EUR'));
});

test('the part per kilogram is rounded up once, and more weight never costs less', () => {
  const price = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(price, price, price, (base, perKilogram, grams) => {
      const { amountMinor } = priceOf(tariff(base, perKilogram), grams);
      const surplus = (amountMinor - BigInt(base)) * 1_000n - BigInt(perKilogram) * BigInt(grams);
      expect(surplus >= 0n && surplus < 1_000n).toBe(true);
      expect(priceOf(tariff(base, perKilogram), grams + 1).amountMinor).toBeGreaterThanOrEqual(amountMinor);
    }),
  );
});

test('a tariff in two currencies has no price', () => {
  const mixed = { base: money(1, 'EUR'), perKilogram: money(1, 'USD') };
  expect(() => priceOf(mixed, 1)).toThrow(expect.objectContaining({ code: 'CURRENCY_MIXED' }));
});
