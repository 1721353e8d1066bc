import fc from 'fast-check';
import { money } from '#shared/kernel/money.ts';
import { fromStripeAmount, toStripeAmount } from './stripe.amounts.ts';

test('an amount that can be sent comes back as it was, in every kind of currency', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('EUR', 'JPY', 'KWD', 'ISK', 'UGX'),
      fc.bigInt({ min: 1n, max: 10n ** 11n }),
      (currency, minor) => {
        const amount = money(currency === 'KWD' ? minor * 10n : minor, currency);
        expect(fromStripeAmount(toStripeAmount(amount), currency.toLowerCase())).toEqual(amount);
      },
    ),
  );
});

test('Stripe counts krónur with two decimals', () => {
  expect(toStripeAmount(money(2500n, 'ISK'))).toBe(250_000);
});

test.each([
  [0n, 'EUR'],
  [-1n, 'EUR'],
  [12_345n, 'KWD'],
  [2n ** 60n, 'EUR'],
])('%p %s cannot be sent', (minor, currency) => {
  expect(() => toStripeAmount(money(minor, currency))).toThrow(
    expect.objectContaining({ kind: 'INVALID', code: 'AMOUNT_NOT_CHARGEABLE' }),
  );
});
