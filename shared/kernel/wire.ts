/** Codecs for what JSON cannot hold: events and contracts speak rich values inside and JSON outside. */
import { z } from 'zod';
import { currencyExponent, type Money, money } from './money.ts';

export const id = z.uuid();

/** ISO 8601 in UTC outside, `Date` inside. */
export const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

/** Decimal digits outside, `bigint` inside. */
export const integer = z.codec(z.string().regex(/^-?\d{1,30}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});

export const currency = z.string().refine((code) => {
  try {
    return currencyExponent(code) >= 0;
  } catch {
    return false;
  }
}, 'unknown currency');

export const amount = z.codec(
  z.object({ amountMinor: z.string().regex(/^-?\d{1,30}$/), currency }),
  z.custom<Money>((value) => typeof (value as Money | undefined)?.amountMinor === 'bigint'),
  {
    decode: ({ amountMinor, currency: code }) => money(amountMinor, code),
    encode: (value) => ({ amountMinor: value.amountMinor.toString(), currency: value.currency }),
  },
);
