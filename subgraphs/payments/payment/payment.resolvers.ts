import { money } from '#shared/kernel/money.ts';
import type { EscrowService } from '../escrow/escrow.service.ts';
import type { Resolvers } from '../payments.generated.ts';
import type { PaymentCapture } from './payment.capture.ts';
import type { PaymentService } from './payment.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const paymentResolvers = (
  payments: PaymentService,
  capture: PaymentCapture,
  escrow: EscrowService,
): Resolvers => ({
  Query: {
    payment: (_, { id }, { load }) => load(payments.byIds, id),
    paymentMethods: (_, __, { viewer }) => payments.methods(viewer),
  },
  Mutation: {
    processPayment: (_, { input: { paymentMethodId: methodId, ...input } }, { viewer }) =>
      payments.process(viewer, { ...input, methodId }),
    refundLegs: (_, { input }, { viewer }) => capture.refundLegs(viewer, input),
  },
  PaymentOutcome: {
    __resolveType: (outcome) => ('redirectUrl' in outcome ? 'PaymentActionRequired' : 'Payment'),
  },
  Payment: {
    __resolveReference: ({ id }, { load }) => load(payments.byIds, id),
    itinerary: ({ itineraryId }) => ({ id: itineraryId }),
    state: ({ state }) => upper(state),
    amount: ({ totalMinor, currency }) => money(totalMinor, currency),
    refunded: ({ refundedMinor, currency }) => money(refundedMinor, currency),
    escrow: async ({ id }, _, { load }) => (await load(escrow.byPayment, id)) ?? [],
    publishableKey: () => payments.publishableKey,
  },
  Itinerary: {
    __resolveReference: ({ id }) => ({ id }),
    payment: ({ id }, _, { load }) => load(payments.byItinerary, id),
    fundsHeld: ({ id }, _, { load }) => load(escrow.fundsHeldByItinerary, id),
  },
});
