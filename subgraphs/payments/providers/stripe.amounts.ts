/** Between our minor units (ISO 4217) and the integers that Stripe counts in. */
import { Invalid } from '#shared/kernel/errors.ts';
import { currencyExponent, type Money, money } from '#shared/kernel/money.ts';

/** No decimals by ISO 4217, two by Stripe, which must be zero: https://docs.stripe.com/currencies#special-cases */
const twoDecimalsAlwaysZero = new Set(['ISK', 'UGX']);

/** Stripe's integer for an amount. Refuses `AMOUNT_NOT_CHARGEABLE`. */
export function toStripeAmount(amount: Money): number {
  const { amountMinor, currency } = amount;
  const refuse = (why: string) =>
    new Invalid('AMOUNT_NOT_CHARGEABLE', `The card processor cannot move this amount: ${why}`, {
      amountMinor: String(amountMinor),
      currency,
    });
  if (amountMinor <= 0n) throw refuse('it must be positive');
  // Card networks carry two decimals at most, so Stripe wants the third to be zero.
  if (currencyExponent(currency) === 3 && amountMinor % 10n !== 0n) throw refuse('its last digit must be 0');
  const units = twoDecimalsAlwaysZero.has(currency) ? amountMinor * 100n : amountMinor;
  if (units > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse('it is too large');
  return Number(units);
}

/** Our amount for Stripe's integer and its currency in small letters; may be negative. */
export function fromStripeAmount(units: number, currency: string): Money {
  const code = currency.toUpperCase();
  return money(twoDecimalsAlwaysZero.has(code) ? BigInt(units) / 100n : BigInt(units), code);
}
