/**
 * Strict reading of request parameters. The names of every table are checked by the compiler against the
 * request types of the pinned `stripe` package; a parameter that is not in the table is refused as Stripe
 * refuses an unknown one, so nothing that a caller sends is ever silently ignored.
 */
import type Stripe from 'stripe';
import { ApiError, invalidRequest } from './api-error.ts';
import type { FormTree, FormValue } from './form.ts';

export interface Field {
  readonly read: (value: FormValue, name: string) => unknown;
  readonly required?: boolean;
}

/** A table of the parameters that a request accepts. */
export type Fields<P> = { readonly [K in keyof P]?: Field };

/** Reads a form by its table. Refuses `parameter_unknown`, `parameter_missing`, `parameter_invalid_*`. */
export function readParameters<P>(fields: Fields<P>, form: FormTree, prefix = ''): P {
  const table = new Map<string, Field>(Object.entries(fields));
  const label = (name: string) => (prefix === '' ? name : `${prefix}[${name}]`);
  for (const name of form.keys())
    if (!table.has(name))
      throw invalidRequest(`Received unknown parameter: ${label(name)}`, {
        code: 'parameter_unknown',
        param: label(name),
      });
  const values: [string, unknown][] = [];
  for (const [name, field] of table) {
    const value = form.get(name);
    if (value !== undefined) values.push([name, field.read(value, label(name))]);
    else if (field.required)
      throw invalidRequest(`Missing required param: ${label(name)}.`, {
        code: 'parameter_missing',
        param: label(name),
      });
  }
  return Object.fromEntries(values) as P;
}

export const required = (field: Field): Field => ({ ...field, required: true });

export const text: Field = {
  read(value, name) {
    if (typeof value !== 'string') throw invalidRequest('Invalid string', { param: name });
    return value;
  },
};

export const integer: Field = {
  read(value, name) {
    if (typeof value !== 'string' || !/^-?\d{1,15}$/.test(value))
      throw invalidRequest(`Invalid integer: ${typeof value === 'string' ? value : '{}'}`, {
        code: 'parameter_invalid_integer',
        param: name,
      });
    return Number(value);
  },
};

export const flag: Field = {
  read(value, name) {
    if (value !== 'true' && value !== 'false')
      throw invalidRequest(`Invalid boolean: ${typeof value === 'string' ? value : '{}'}`, { param: name });
    return value === 'true';
  },
};

export const oneOf = (...allowed: readonly string[]): Field => ({
  read(value, name) {
    if (typeof value !== 'string' || !allowed.includes(value))
      throw invalidRequest(`Invalid ${name}: must be one of ${allowed.join(', ')}`, { param: name });
    return value;
  },
});

export const listOf = (item: Field): Field => ({
  read(value, name) {
    if (typeof value === 'string') throw invalidRequest('Invalid array', { param: name });
    return [...value.values()].map((entry, index) => item.read(entry, `${name}[${index}]`));
  },
});

export function shape<P>(fields: Fields<P>): Field {
  return {
    read(value, name) {
      if (typeof value === 'string') throw invalidRequest('Invalid object', { param: name });
      return readParameters<P>(fields, value, name);
    },
  };
}

export const metadata: Field = {
  read(value, name): Stripe.Metadata {
    if (value === '') return {};
    if (typeof value === 'string' || value.size > 50) throw invalidRequest('Invalid object', { param: name });
    return Object.fromEntries(
      [...value].map(([key, entry]) => {
        if (typeof entry !== 'string' || key.length > 40 || entry.length > 500)
          throw invalidRequest('Metadata takes 50 keys of 40 characters with values of 500', { param: name });
        return [key, entry];
      }),
    );
  },
};

/** `created=5` or `created[gte]=5`. */
export const range: Field = {
  read: (value, name) =>
    typeof value === 'string'
      ? integer.read(value, name)
      : readParameters<Stripe.RangeQueryParam>(
          { gt: integer, gte: integer, lt: integer, lte: integer },
          value,
          name,
        ),
};

/** What every list takes. */
export const paging: Fields<Stripe.PaginationParams & { expand?: string[] }> = {
  ending_before: text,
  expand: listOf(text),
  limit: {
    read(value, name) {
      const limit = Number(integer.read(value, name));
      if (limit < 1 || limit > 100)
        throw invalidRequest('Invalid integer: limit is 1 to 100', { param: name });
      return limit;
    },
  },
  starting_after: text,
};

/** A card that moves no money below this. */
const smallestCharge = new Map([
  ['eur', 50],
  ['usd', 50],
  ['gbp', 30],
  ['jpy', 50],
]);
const threeDecimals = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);
/** Without decimals by ISO 4217, yet still sent with two by Stripe. */
const twoDecimalsAlwaysZero = new Set(['isk', 'ugx']);

/** Stripe's rules for an amount in a currency; gives the currency as Stripe writes it, in small letters. */
export function checkAmount(amount: number, currencyText: string, param = 'amount'): string {
  const currency = currencyText.toLowerCase();
  if (!/^[a-z]{3}$/.test(currency))
    throw invalidRequest(`Invalid currency: ${currencyText}`, { param: 'currency' });
  if (amount < 1)
    throw invalidRequest('Invalid positive integer', { code: 'parameter_invalid_integer', param });
  if (amount > 99_999_999_999)
    throw invalidRequest('Amount is too large', { code: 'amount_too_large', param });
  const step = threeDecimals.has(currency) ? 10 : twoDecimalsAlwaysZero.has(currency) ? 100 : 1;
  if (amount % step !== 0)
    throw invalidRequest(`Amounts in ${currency} must be divisible by ${step}`, {
      code: 'parameter_invalid_integer',
      param,
    });
  return currency;
}

export function checkChargeable(amount: number, currency: string): void {
  if (amount < (smallestCharge.get(currency) ?? 1))
    throw new ApiError(400, {
      type: 'invalid_request_error',
      code: 'amount_too_small',
      message:
        'The amount must be greater than or equal to the minimum charge amount allowed for your account and the currency set.',
      param: 'amount',
    });
}
