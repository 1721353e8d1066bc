import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { PayoutState } from './payout.states.ts';

/** What somebody has earned with one leg: accrued once, and paid by one payout. */
export const EarningEntity = defineEntity({
  name: 'Earning',
  tableName: 'earnings',
  indexes: [{ properties: ['payeeId', 'payoutId'] }],
  checks: [{ name: 'earning_above_zero', expression: 'amount_minor > 0' }],
  properties: {
    bookingId: p.uuid().primary(),
    payeeId: p.uuid(),
    amountMinor: p.bigint(),
    currency: p.text(),
    /** The captured payment that funds it. */
    processorChargeId: p.text(),
    itineraryId: p.uuid(),
    releasedAt: p.datetime(),
    payoutId: p.uuid().nullable(),
  },
});

export const PayoutEntity = defineEntity({
  name: 'Payout',
  tableName: 'payouts',
  indexes: [{ properties: ['payeeId', 'id'] }],
  checks: [{ name: 'payout_above_zero', expression: 'amount_minor > 0' }],
  properties: {
    id: p.uuid().primary(),
    payeeId: p.uuid(),
    amountMinor: p.bigint(),
    currency: p.text(),
    processorChargeId: p.text(),
    itineraryId: p.uuid(),
    state: p.text().$type<PayoutState>(),
    statesVersion: p.integer(),
    version: p.integer(),
    /** What the payee has to do first; empty unless blocked. */
    requirements: p.array().$type<string[]>(),
    failures: p.integer(),
    createdAt: p.datetime(),
    paidAt: p.datetime().nullable(),
  },
});

/** Money that arrived at a payee's account at the card processor. */
export const TransferEntity = defineEntity({
  name: 'Transfer',
  tableName: 'transfers',
  properties: {
    id: p.uuid().primary(),
    payoutId: p.uuid().unique(),
    processorTransferId: p.text().unique(),
    processorAccountId: p.text(),
    amountMinor: p.bigint(),
    currency: p.text(),
    madeAt: p.datetime(),
  },
});

export const payoutEntities = [EarningEntity, PayoutEntity, TransferEntity];

export type EarningRow = InferEntity<typeof EarningEntity>;
export type PayoutRow = InferEntity<typeof PayoutEntity>;
