import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { PaymentState } from '#shared/contracts/payments.ts';

export const PaymentEntity = defineEntity({
  name: 'Payment',
  tableName: 'payment_intents',
  checks: [
    { name: 'total_above_zero', expression: 'total_minor > 0' },
    { name: 'refunded_within_total', expression: 'refunded_minor >= 0 and refunded_minor <= total_minor' },
    { name: 'refunded_only_if_captured', expression: 'refunded_minor = 0 or captured_at is not null' },
  ],
  properties: {
    id: p.uuid().primary(),
    itineraryId: p.uuid().unique(),
    shipmentId: p.uuid(),
    payerId: p.uuid().index(),
    currency: p.text(),
    totalMinor: p.bigint(),
    refundedMinor: p.bigint(),
    state: p.text().$type<PaymentState>(),
    statesVersion: p.integer(),
    /** Raised with everything learned: what was asked of the processor before does not overwrite it. */
    version: p.integer(),
    /** Null until the processor has the payment. */
    processorPaymentId: p.text().unique().nullable(),
    captureBefore: p.datetime().nullable(),
    authorisedAt: p.datetime().nullable(),
    capturedAt: p.datetime().nullable(),
    cancelledAt: p.datetime().nullable(),
    cancelReason: p.text().nullable(),
    /** Why the last attempt on a card was refused; null where none was. */
    declineCode: p.text().nullable(),
    createdAt: p.datetime(),
  },
});

/** Money that was taken: at most once per payment. */
export const ChargeEntity = defineEntity({
  name: 'Charge',
  tableName: 'charges',
  properties: {
    id: p.uuid().primary(),
    paymentId: p.uuid().unique(),
    processorChargeId: p.text().unique(),
    amountMinor: p.bigint(),
    currency: p.text(),
    /** The processor's own fee; null while it is not known. */
    feeMinor: p.bigint().nullable(),
    feeCurrency: p.text().nullable(),
    capturedAt: p.datetime(),
  },
});

/** Cards that a payer asked to keep: enough to choose one, the rest is with the processor. */
export const PaymentMethodEntity = defineEntity({
  name: 'PaymentMethod',
  tableName: 'payment_methods',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid().index(),
    processorMethodId: p.text().unique(),
    brand: p.text(),
    last4: p.text(),
    expiresMonth: p.integer(),
    expiresYear: p.integer(),
  },
});

export const PspEventEntity = defineEntity({
  name: 'PspEvent',
  tableName: 'psp_events',
  properties: {
    /** The processor's id of the event. */
    id: p.text().primary(),
    type: p.text(),
    objectKind: p.text(),
    objectId: p.text(),
    state: p.text().$type<'received' | 'parked' | 'processed' | 'ignored' | 'given_up'>(),
    attempts: p.integer(),
    receivedAt: p.datetime(),
    processedAt: p.datetime().nullable(),
  },
});

export const paymentEntities = [PaymentEntity, ChargeEntity, PaymentMethodEntity, PspEventEntity];

export type PaymentRow = InferEntity<typeof PaymentEntity>;
export type ChargeRow = InferEntity<typeof ChargeEntity>;
export type PaymentMethodRow = InferEntity<typeof PaymentMethodEntity>;
export type PspEventRow = InferEntity<typeof PspEventEntity>;
