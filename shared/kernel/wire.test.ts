import fc from 'fast-check';
import { z } from 'zod';
import { money } from './money.ts';
import { amount, instant, integer } from './wire.ts';

const crossed = <T extends z.ZodType>(codec: T, value: z.output<T>) =>
  z.decode(codec, JSON.parse(JSON.stringify(z.encode(codec, value))));

test('an instant crosses with its milliseconds', () => {
  const date = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(fc.property(date, (value) => expect(crossed(instant, value)).toEqual(value)));
});

test('an integer crosses whatever its size', () => {
  const value = fc.bigInt({ min: -(10n ** 29n), max: 10n ** 29n });
  fc.assert(fc.property(value, (number) => expect(crossed(integer, number)).toBe(number)));
});

test('an amount crosses with its currency, exact beyond the numbers of JSON', () => {
  const value = money(9_007_199_254_740_993n, 'JPY');
  expect(z.encode(amount, value)).toEqual({ amountMinor: '9007199254740993', currency: 'JPY' });
  expect(crossed(amount, value)).toEqual(value);
});

test.each([
  ['an instant without a zone', instant, '2026-01-01T00:00:00'],
  ['a day that does not exist', instant, '2026-02-30T00:00:00Z'],
  ['a number for an integer', integer, 12],
  ['a fraction for an integer', integer, '1.5'],
  ['an integer of 31 digits', integer, '1'.repeat(31)],
  ['an amount as a number', amount, { amountMinor: 1, currency: 'EUR' }],
  ['an amount in an unknown currency', amount, { amountMinor: '1', currency: 'ABC' }],
])('%s does not enter', (_, codec: z.ZodType, sent) => {
  expect(z.safeDecode(codec, sent as never).success).toBe(false);
});
