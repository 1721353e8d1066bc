import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

/** Somebody at the card processor: the customer who pays, or the account that is paid out to. */
export const PaymentAccountEntity = defineEntity({
  name: 'PaymentAccount',
  tableName: 'payment_accounts',
  uniques: [{ properties: ['userId', 'kind'] }],
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    kind: p.text().$type<'payer' | 'payee'>(),
    processorId: p.text().unique().nullable(),
    country: p.text().nullable(),
    currency: p.text().nullable(),
    transfersEnabled: p.boolean(),
    payoutsEnabled: p.boolean(),
    requirements: p.array().$type<string[]>(),
    createdAt: p.datetime(),
  },
});

export type PaymentAccountRow = InferEntity<typeof PaymentAccountEntity>;
