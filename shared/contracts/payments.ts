/** What other subgraphs may ask payments. All commands are safe to repeat with the same key. */
import { z } from 'zod';
import { defineContract, externalCommand, question } from '../kernel/contract.ts';
import { amount, id } from '../kernel/wire.ts';

export const paymentState = z.enum([
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
  'partially_refunded',
  'refunded',
  'canceled',
  'unknown',
]);
export type PaymentState = z.output<typeof paymentState>;

const state = z.object({ paymentId: id, state: paymentState });

export const PaymentsContract = defineContract('payments', {
  /** Opens the one payment of an itinerary: captured later, only by `capturePayment`. */
  openPayment: externalCommand({
    input: z.object({
      itineraryId: id,
      shipmentId: id,
      payerId: id,
      /** Everything the sender pays: the legs' amounts and their fee shares. */
      total: amount,
      legs: z.array(z.object({ bookingId: id, payeeId: id, amount, feeShare: amount })).min(1),
    }),
    output: state,
  }),
  /**
   * Takes the authorised money and holds each leg's share in the same step. Refuses `PAYMENT_NOT_AUTHORISED`
   * and `PAYMENT_REFUSED` {declineCode}; an outcome that is not known yet is an error, to be asked again.
   */
  capturePayment: externalCommand({ input: z.object({ itineraryId: id }), output: state }),
  /** Lets the reservation go, or gives back whole what was taken. Nothing to do is no fault. */
  cancelPayment: externalCommand({
    input: z.object({ itineraryId: id, reason: z.string() }),
    output: z.object({}),
  }),
  /** The payment of an itinerary; null where none was opened. */
  payment: question({ input: z.object({ itineraryId: id }), output: state.nullable() }),
});
