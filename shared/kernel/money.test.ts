import fc from 'fast-check';
import { addMoney, formatMoney, type Money, money, shareOf, splitByWeights } from './money.ts';

const minor = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });
const weights = fc
  .array(fc.bigInt({ min: 0n, max: 10n ** 9n }), { minLength: 1, maxLength: 12 })
  .filter((all) => all.some((weight) => weight > 0n));
const amounts = (parts: readonly Money[]) => parts.map(({ amountMinor }) => amountMinor);
const sum = (numbers: readonly bigint[]) => numbers.reduce((total, each) => total + each, 0n);
const size = (number: bigint) => (number < 0n ? -number : number);

test('the parts of a split sum to the whole', () => {
  fc.assert(
    fc.property(minor, weights, (whole, shares) => {
      expect(sum(amounts(splitByWeights(money(whole, 'EUR'), shares)))).toBe(whole);
    }),
  );
});

test('each part is less than one minor unit from its exact share', () => {
  fc.assert(
    fc.property(minor, weights, (whole, shares) => {
      const total = sum(shares);
      for (const [index, part] of amounts(splitByWeights(money(whole, 'EUR'), shares)).entries())
        expect(size(part * total - whole * shares[index]!)).toBeLessThan(total);
    }),
  );
});

test('who has no weight gets nothing, and a debt splits like the credit it mirrors', () => {
  fc.assert(
    fc.property(minor, weights, (whole, shares) => {
      const parts = amounts(splitByWeights(money(whole, 'EUR'), shares));
      for (const [index, weight] of shares.entries()) if (weight === 0n) expect(parts[index]).toBe(0n);
      expect(amounts(splitByWeights(money(-whole, 'EUR'), shares))).toEqual(parts.map((part) => -part));
    }),
  );
});

test.each([
  [100n, 'JPY', [1n, 1n, 1n], [34n, 33n, 33n]],
  [-100n, 'JPY', [1n, 1n, 1n], [-34n, -33n, -33n]],
  [1n, 'KWD', [1n, 1n], [1n, 0n]],
  [1000n, 'EUR', [0n, 2n, 1n], [0n, 667n, 333n]],
  [0n, 'EUR', [3n, 4n], [0n, 0n]],
])('%d minor units of %s by %j are %j', (whole, currency, shares, parts) => {
  expect(splitByWeights(money(whole, currency), shares)).toEqual(parts.map((part) => money(part, currency)));
});

test.each([[[]], [[0n, 0n]], [[2n, -1n]]])('nothing can be split by the weights %j', (shares) => {
  expect(() => splitByWeights(money(100, 'EUR'), shares)).toThrow(RangeError);
});

test.each([
  [5n, 100_000n, 0n],
  [15n, 100_000n, 2n],
  [25n, 100_000n, 2n],
  [35n, 100_000n, 4n],
  [-5n, 100_000n, 0n],
  [-15n, 100_000n, -2n],
  [-25n, 100_000n, -2n],
  [-26n, 100_000n, -3n],
  [999n, 120_000n, 120n],
  [999n, 0n, 0n],
])('of %d minor units, %d millionths are %d: half goes to even', (whole, rate, share) => {
  expect(shareOf(money(whole, 'EUR'), rate)).toEqual(money(share, 'EUR'));
});

test('a share is at most half a minor unit from the exact one', () => {
  fc.assert(
    fc.property(minor, fc.bigInt({ min: 0n, max: 1_000_000n }), (whole, rate) => {
      const { amountMinor } = shareOf(money(whole, 'EUR'), rate);
      expect(size(amountMinor * 1_000_000n - whole * rate) * 2n).toBeLessThanOrEqual(1_000_000n);
    }),
  );
});

test('amounts of one currency add up, whatever their order', () => {
  fc.assert(
    fc.property(fc.array(minor, { minLength: 1 }), (numbers) => {
      const [first, ...rest] = numbers.map((number) => money(number, 'USD'));
      const [last, ...others] = numbers.map((number) => money(number, 'USD')).reverse();
      expect(addMoney(first!, ...rest)).toEqual(money(sum(numbers), 'USD'));
      expect(addMoney(last!, ...others)).toEqual(addMoney(first!, ...rest));
    }),
  );
});

test('amounts of two currencies are never added', () => {
  expect(() => addMoney(money(1, 'EUR'), money(1, 'USD'))).toThrow(
    expect.objectContaining({ code: 'CURRENCY_MIXED' }),
  );
});

test.each(['eur', 'EURO', '', 'XXX', 'constructor'])('%j is no currency', (code) => {
  expect(() => money(1, code)).toThrow(expect.objectContaining({ code: 'CURRENCY_UNKNOWN' }));
});

test.each(['', ' 12', '1.5', '0x10', '1e3', 1.5, Number.NaN, 2 ** 53])(
  '%j is no count of minor units',
  (count) => {
    expect(() => money(count, 'EUR')).toThrow(RangeError);
  },
);

test.each([
  [1234n, 'EUR', '12.34 EUR'],
  [-5n, 'EUR', '-0.05 EUR'],
  [0n, 'KWD', '0.000 KWD'],
  [1234n, 'KWD', '1.234 KWD'],
  [1234n, 'JPY', '1234 JPY'],
])('%d minor units of %s are written %s', (count, currency, text) => {
  expect(formatMoney(money(count, currency))).toBe(text);
});
