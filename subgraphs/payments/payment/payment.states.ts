import type { PaymentState } from '#shared/contracts/payments.ts';
import { defineStates } from '#shared/kernel/states.ts';

export type PaymentEvent =
  | 'ask_for_method'
  | 'ask_for_confirmation'
  | 'ask_cardholder'
  | 'wait_for_issuer'
  | 'authorise'
  | 'capture'
  | 'void'
  | 'lose_sight'
  | 'refund_part'
  | 'refund_whole';

/** States in which a card may be tried. */
export const openStates: readonly PaymentState[] = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
];

const unpaid: readonly PaymentState[] = [...openStates, 'processing', 'unknown'];

/**
 * One payment. The processor moves it, by what it says when asked; the system moves what only we know: that an
 * outcome is unknown, and how much was given back. Facts may be learned late, so moves forward may skip states.
 */
export const paymentStates = defineStates<PaymentState, PaymentEvent, 'processor' | 'system'>({
  name: 'payment',
  version: 1,
  initial: 'requires_payment_method',
  terminal: ['refunded', 'canceled'],
  transitions: [
    { from: unpaid, event: 'ask_for_method', to: 'requires_payment_method', by: ['processor'] },
    { from: unpaid, event: 'ask_for_confirmation', to: 'requires_confirmation', by: ['processor'] },
    { from: unpaid, event: 'ask_cardholder', to: 'requires_action', by: ['processor'] },
    { from: unpaid, event: 'wait_for_issuer', to: 'processing', by: ['processor'] },
    { from: unpaid, event: 'authorise', to: 'requires_capture', by: ['processor'] },
    { from: [...unpaid, 'requires_capture'], event: 'capture', to: 'succeeded', by: ['processor'] },
    { from: [...unpaid, 'requires_capture'], event: 'void', to: 'canceled', by: ['processor', 'system'] },
    {
      from: [...openStates, 'processing', 'requires_capture', 'succeeded', 'partially_refunded'],
      event: 'lose_sight',
      to: 'unknown',
      by: ['system'],
    },
    {
      from: ['succeeded', 'partially_refunded', 'unknown'],
      event: 'refund_part',
      to: 'partially_refunded',
      by: ['system'],
    },
    {
      from: ['succeeded', 'partially_refunded', 'unknown'],
      event: 'refund_whole',
      to: 'refunded',
      by: ['system'],
    },
  ],
});
