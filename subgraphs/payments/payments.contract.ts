import { PaymentsContract } from '#shared/contracts/payments.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import type { PaymentCapture } from './payment/payment.capture.ts';
import type { PaymentRow } from './payment/payment.entities.ts';
import type { PaymentService } from './payment/payment.service.ts';

const stateOf = ({ id: paymentId, state }: PaymentRow) => ({ paymentId, state });

export const paymentsContract = (payments: PaymentService, capture: PaymentCapture) =>
  answer(PaymentsContract, {
    openPayment: async (order) => stateOf(await payments.open(order)),
    capturePayment: async ({ itineraryId }) => stateOf(await capture.capture(itineraryId)),
    async cancelPayment({ itineraryId, reason }) {
      await capture.cancel(itineraryId, reason);
      return {};
    },
    async payment({ itineraryId }) {
      const payment = await payments.ofItinerary(itineraryId);
      return payment && stateOf(payment);
    },
  });
