/**
 * Money is an integer count of the currency's minor unit (ISO 4217 exponent) and the currency's code.
 * It is built only here; arithmetic never leaves `bigint`.
 */
import { Invalid } from './errors.ts';

export interface Money {
  readonly amountMinor: bigint;
  /** ISO 4217 alphabetic code. */
  readonly currency: string;
}

const exponents = new Map<string, number>(
  Object.entries({
    ...Object.fromEntries(
      'AED AUD BRL CAD CHF CNY CZK DKK EGP EUR GBP HKD HUF IDR ILS INR KES MAD MXN MYR NGN NOK NZD PEN PHP PLN RON SAR SEK SGD THB TRY TWD UAH USD ZAR'
        .split(' ')
        .map((code) => [code, 2]),
    ),
    ...Object.fromEntries('CLP ISK JPY KRW PYG UGX VND XAF XOF XPF'.split(' ').map((code) => [code, 0])),
    ...Object.fromEntries('BHD IQD JOD KWD LYD OMR TND'.split(' ').map((code) => [code, 3])),
  }),
);

/** Digits after the decimal point of a currency (EUR 2, JPY 0, KWD 3). Refuses `CURRENCY_UNKNOWN`. */
export function currencyExponent(currency: string): number {
  const exponent = exponents.get(currency);
  if (exponent === undefined)
    throw new Invalid('CURRENCY_UNKNOWN', `${currency} is not a supported currency`);
  return exponent;
}

/** Builds an amount; a text is plain decimal digits. Refuses `CURRENCY_UNKNOWN`; throws `RangeError` on no integer. */
export function money(amountMinor: bigint | number | string, currency: string): Money {
  currencyExponent(currency);
  // `BigInt` reads an empty text as zero, and a number that was rounded long before.
  if (
    (typeof amountMinor === 'string' && !/^-?\d+$/.test(amountMinor)) ||
    (typeof amountMinor === 'number' && !Number.isSafeInteger(amountMinor))
  )
    throw new RangeError(`"${amountMinor}" is no count of minor units`);
  return Object.freeze({ amountMinor: BigInt(amountMinor), currency });
}

/** Sum of amounts in one currency; `CURRENCY_MIXED` where they differ. */
export function addMoney(first: Money, ...rest: readonly Money[]): Money {
  return rest.reduce((sum, next) => {
    if (next.currency !== sum.currency)
      throw new Invalid('CURRENCY_MIXED', 'Amounts of different currencies cannot be added');
    return money(sum.amountMinor + next.amountMinor, sum.currency);
  }, first);
}

/**
 * `rate` of an amount, rounded half to even once.
 * @param partsPerMillion the rate in millionths: 12 % is 120_000
 */
export function shareOf(amount: Money, partsPerMillion: bigint): Money {
  const product = amount.amountMinor * partsPerMillion;
  const base = 1_000_000n;
  let quotient = product / base;
  let remainder = product % base;
  if (remainder < 0n) {
    quotient -= 1n;
    remainder += base;
  }
  const twice = remainder * 2n;
  if (twice > base || (twice === base && quotient % 2n !== 0n)) quotient += 1n;
  return money(quotient, amount.currency);
}

/**
 * Splits a whole by weights with the largest remainder: the parts sum to the whole, each is less than one
 * minor unit from its exact share, ties go to the earlier part. Weights must not be negative, nor all zero.
 */
export function splitByWeights(whole: Money, weights: readonly bigint[]): Money[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  if (total <= 0n || weights.some((weight) => weight < 0n))
    throw new RangeError('weights must be non-negative and not all zero');
  const negative = whole.amountMinor < 0n;
  const amount = negative ? -whole.amountMinor : whole.amountMinor;
  const parts = weights.map((weight, index) => ({
    index,
    floor: (amount * weight) / total,
    remainder: (amount * weight) % total,
  }));
  const missing = Number(amount - parts.reduce((sum, part) => sum + part.floor, 0n));
  const byRemainder = [...parts].sort((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  );
  for (const part of byRemainder.slice(0, missing)) part.floor += 1n;
  return parts.map((part) => money(negative ? -part.floor : part.floor, whole.currency));
}

/** `12.34 EUR`: for people and logs, never read back. */
export function formatMoney(amount: Money): string {
  const exponent = currencyExponent(amount.currency);
  const negative = amount.amountMinor < 0n;
  const digits = String(negative ? -amount.amountMinor : amount.amountMinor).padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent > 0 ? `.${digits.slice(-exponent)}` : '';
  return `${negative ? '-' : ''}${whole}${fraction} ${amount.currency}`;
}
