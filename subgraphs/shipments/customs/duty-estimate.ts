/** Reads the rule packs for one shipment: an amount with the rules that gave it, or the reason why there is none. */
import { addMoney, formatMoney, type Money, money } from '#shared/kernel/money.ts';
import type { ContentType } from './customs.entities.ts';
import type { DutyEstimateView, DutyTraceLineView } from './customs.views.ts';
import type { DutyRule } from './duty-rules.ts';

export interface Goods {
  readonly territory: string;
  /** Calendar day at the destination. */
  readonly day: string;
  readonly contentType: ContentType;
  /** Complete lines of one currency, at least one. */
  readonly lines: readonly { readonly hsCode: string; readonly value: Money }[];
}

const unknown = (day: string, trace: DutyTraceLineView[]): DutyEstimateView => ({
  status: 'UNKNOWN',
  amount: null,
  confidence: 'LOW',
  trace,
  missing: [],
  day,
});

export function estimateDuty(goods: Goods, rules: readonly DutyRule[]): DutyEstimateView {
  const { territory, day, contentType, lines } = goods;
  const [first, ...more] = lines.map(({ value }) => value);
  const total = addMoney(first!, ...more);
  for (const rule of rules) {
    const inForce = rule.from <= day && (rule.until === null || day < rule.until);
    const concerned = rule.contentTypes?.includes(contentType) ?? true;
    if (rule.territory !== territory || !inForce || !concerned) continue;
    if (rule.limit && rule.limit.currency !== total.currency) {
      return unknown(day, [
        traceOf(rule, {
          explanation: `${rule.explanation}. The goods are declared in ${total.currency}: without a rate of the day this cannot be told`,
        }),
      ]);
    }
    if (rule.limit && !isBelow(total, rule.limit)) continue;
    return apply(rule, goods, total);
  }
  return unknown(day, [
    {
      ruleId: 'no-rule-pack',
      explanation: `No rules are known here for ${territory}; ask its customs`,
      source: null,
      hsCode: null,
      amount: null,
    },
  ]);
}

/** Nothing is due where no border of customs is crossed. */
export const noBorder = (day: string, currency: string): DutyEstimateView => ({
  status: 'ESTIMATED',
  amount: money(0, currency),
  confidence: 'HIGH',
  trace: [
    {
      ruleId: 'no-border',
      explanation: 'Origin and destination lie in one customs territory',
      source: null,
      hsCode: null,
      amount: money(0, currency),
    },
  ],
  missing: [],
  day,
});

export const incomplete = (day: string, missing: readonly string[]): DutyEstimateView => ({
  status: 'INCOMPLETE',
  amount: null,
  confidence: 'LOW',
  trace: [],
  missing,
  day,
});

function apply(rule: DutyRule, { lines, day }: Goods, total: Money): DutyEstimateView {
  const { effect, confidence } = rule;
  if (effect.kind === 'tariff')
    return unknown(day, [traceOf(rule, { explanation: `${rule.explanation}; value ${formatMoney(total)}` })]);
  if (effect.kind === 'exempt') {
    const amount = money(0, total.currency);
    return {
      status: 'ESTIMATED',
      amount,
      confidence,
      trace: [traceOf(rule, { amount })],
      missing: [],
      day,
    };
  }
  const each = money(effect.amountMinor, effect.currency);
  const subheadings = [...new Set(lines.map(({ hsCode }) => hsCode))].sort();
  return {
    status: 'ESTIMATED',
    amount: money(each.amountMinor * BigInt(subheadings.length), each.currency),
    confidence,
    trace: subheadings.map((hsCode) => traceOf(rule, { hsCode, amount: each })),
    missing: [],
    day,
  };
}

const traceOf = (rule: DutyRule, change: Partial<DutyTraceLineView>): DutyTraceLineView => ({
  ruleId: rule.id,
  explanation: rule.explanation,
  source: rule.source,
  hsCode: null,
  amount: null,
  ...change,
});

const isBelow = (total: Money, limit: NonNullable<DutyRule['limit']>): boolean =>
  total.amountMinor < limit.amountMinor || (limit.inclusive && total.amountMinor === limit.amountMinor);
