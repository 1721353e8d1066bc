import { money } from '#shared/kernel/money.ts';
import { estimateDuty, type Goods } from './duty-estimate.ts';
import { dutyRules } from './duty-rules.ts';

const estimate = (change: Partial<Goods> & { minor?: number; currency?: string }) => {
  const { minor = 10_000, currency = 'EUR', ...goods } = change;
  const line = { hsCode: '620610', value: money(minor, currency) };
  const { status, amount, confidence, trace } = estimateDuty(
    { territory: 'EU', day: '2026-07-01', contentType: 'merchandise', lines: [line], ...goods },
    dutyRules,
  );
  return [trace[0]!.ruleId, status, amount && Number(amount.amountMinor), confidence];
};

test.each([
  ['the flat duty of 2026', {}, ['eu-flat-duty', 'ESTIMATED', 300, 'MEDIUM']],
  ['the day before it', { day: '2026-06-30' }, ['eu-low-value-relief', 'ESTIMATED', 0, 'HIGH']],
  ['its last day', { day: '2028-06-30' }, ['eu-flat-duty', 'ESTIMATED', 300, 'MEDIUM']],
  ['the day after it', { day: '2028-07-01' }, ['eu-tariff', 'UNKNOWN', null, 'LOW']],
  ['one cent below 150 EUR', { minor: 14_999 }, ['eu-flat-duty', 'ESTIMATED', 300, 'MEDIUM']],
  ['150 EUR', { minor: 15_000 }, ['eu-tariff', 'UNKNOWN', null, 'LOW']],
  ['150 EUR before', { minor: 15_000, day: '2026-06-30' }, ['eu-low-value-relief', 'ESTIMATED', 0, 'HIGH']],
  ['a gift of 45 EUR', { contentType: 'gift', minor: 4_500 }, ['eu-gift-relief', 'ESTIMATED', 0, 'MEDIUM']],
  ['a gift above it', { contentType: 'gift', minor: 4_501 }, ['eu-flat-duty', 'ESTIMATED', 300, 'MEDIUM']],
  ['goods declared in dollars', { currency: 'CAD' }, ['eu-flat-duty', 'UNKNOWN', null, 'LOW']],
  [
    'the last day of de minimis',
    { territory: 'US', currency: 'USD', day: '2025-08-28' },
    ['us-de-minimis', 'ESTIMATED', 0, 'HIGH'],
  ],
  [
    'the day after it',
    { territory: 'US', currency: 'USD', day: '2025-08-29' },
    ['us-tariff', 'UNKNOWN', null, 'LOW'],
  ],
  [
    'a gift to the United States',
    { territory: 'US', currency: 'USD', contentType: 'gift' },
    ['us-gift-relief', 'ESTIMATED', 0, 'MEDIUM'],
  ],
  ['a territory without a pack', { territory: 'NO' }, ['no-rule-pack', 'UNKNOWN', null, 'LOW']],
] as [string, object, unknown[]][])('%s', (_, change, outcome) => {
  expect(estimate(change)).toEqual(outcome);
});

test('every rule is dated in order and names its source', () => {
  for (const { from, until, source } of dutyRules) {
    expect(from).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(until === null || until > from).toBe(true);
    expect(new URL(source).protocol).toBe('https:');
  }
});
