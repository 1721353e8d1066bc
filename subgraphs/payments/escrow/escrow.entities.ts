import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { EscrowState } from './escrow.states.ts';

export const EscrowEntryEntity = defineEntity({
  name: 'EscrowEntry',
  tableName: 'escrow_entries',
  uniques: [{ properties: ['paymentId', 'sequence'] }],
  checks: [
    { name: 'shares_not_negative', expression: 'amount_minor >= 0 and fee_share_minor >= 0' },
    {
      name: 'released_only_with_evidence',
      expression: `state <> 'released' or (custody_event_id is not null and released_at is not null)`,
    },
    {
      name: 'frozen_is_not_released',
      expression: `frozen = false or (state <> 'released' and state <> 'voided')`,
    },
  ],
  properties: {
    id: p.uuid().primary(),
    paymentId: p.uuid(),
    itineraryId: p.uuid().index(),
    shipmentId: p.uuid().index(),
    bookingId: p.uuid().unique(),
    sequence: p.integer(),
    payerId: p.uuid(),
    payeeId: p.uuid(),
    currency: p.text(),
    amountMinor: p.bigint(),
    feeShareMinor: p.bigint(),
    state: p.text().$type<EscrowState>(),
    statesVersion: p.integer(),
    frozen: p.boolean(),
    /** What proves the leg; each custody event proves one leg at most. */
    custodyEventId: p.uuid().unique().nullable(),
    /** When the evidence releases it by itself; null without evidence, and while frozen. */
    releaseAt: p.datetime().nullable(),
    releasedAt: p.datetime().nullable(),
    /** What a transfer of this share is funded by; null until held. */
    processorChargeId: p.text().nullable(),
  },
});

export type EscrowEntryRow = InferEntity<typeof EscrowEntryEntity>;
