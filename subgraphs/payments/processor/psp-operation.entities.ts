import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

export type OperationState = 'prepared' | 'sent' | 'unknown' | 'confirmed' | 'failed';

/** States in which nobody may do anything else with the subject. */
export const liveStates: readonly OperationState[] = ['prepared', 'sent', 'unknown'];

export interface Sending {
  readonly key: string;
  /** ISO 8601. */
  readonly sentAt: string;
}

export const PspOperationEntity = defineEntity({
  name: 'PspOperation',
  tableName: 'psp_operations',
  uniques: [
    {
      name: 'psp_operations_one_live',
      properties: ['subjectId'],
      where: `state in ('prepared', 'sent', 'unknown')`,
    },
  ],
  properties: {
    id: p.uuid().primary(),
    kind: p.text(),
    /** The payment, payout or account that it is about. */
    subjectId: p.uuid(),
    state: p.text().$type<OperationState>(),
    request: p.json().$type<Record<string, unknown>>(),
    /** Number of the key in use: raised only when the one before is known to have done nothing. */
    keyNumber: p.integer(),
    sendings: p.json().$type<Sending[]>(),
    /** What the ledger has set aside meanwhile. */
    holdId: p.uuid().nullable(),
    failure: p.text().nullable(),
    preparedAt: p.datetime(),
    resolvedAt: p.datetime().nullable(),
  },
});

export type PspOperationRow = InferEntity<typeof PspOperationEntity>;
