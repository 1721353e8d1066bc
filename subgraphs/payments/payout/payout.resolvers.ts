import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../payments.generated.ts';
import { isReady } from '../processor/payment-accounts.ts';
import type { PayoutService } from './payout.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const payoutResolvers = (payouts: PayoutService): Resolvers => ({
  Query: {
    payoutStatus: (_, { id }, { viewer }) => payouts.one(viewer, id),
    myPayouts: (_, { first, after }, { viewer }) => payouts.mine(viewer, { first, after }),
  },
  Mutation: {
    openPayoutAccount: (_, { input }, { viewer }) => payouts.openAccount(viewer, input),
  },
  Payout: {
    __resolveReference: ({ id }, { load }) => load(payouts.byIds, id),
    amount: ({ amountMinor, currency }) => money(amountMinor, currency),
    state: ({ state }) => upper(state),
    bookings: async ({ id }, _, { load }) =>
      ((await load(payouts.bookingsByPayout, id)) ?? []).map((bookingId) => ({ id: bookingId })),
  },
  PayoutAccount: {
    status: (account) => (isReady(account) ? 'ACTIVE' : 'RESTRICTED'),
    onboardingUrl: (account, _, { viewer }) => payouts.onboardingUrl(viewer, account),
  },
  User: {
    __resolveReference: ({ id }) => ({ id }),
    payoutAccount: ({ id }, _, { load }) => load(payouts.accountByUser, id),
  },
});
