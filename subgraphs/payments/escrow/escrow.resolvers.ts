import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../payments.generated.ts';
import type { EscrowService } from './escrow.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const escrowResolvers = (escrow: EscrowService): Resolvers => ({
  EscrowEntry: {
    __resolveReference: ({ id }, { load }) => load(escrow.byIds, id),
    booking: ({ bookingId }) => ({ id: bookingId }),
    payee: ({ payeeId }) => ({ id: payeeId }),
    amount: ({ amountMinor, currency }) => money(amountMinor, currency),
    state: ({ state }) => upper(state),
  },
  Booking: {
    __resolveReference: ({ id }) => ({ id }),
    escrow: ({ id }, _, { load }) => load(escrow.byBooking, id),
  },
  Shipment: {
    __resolveReference: ({ id }) => ({ id }),
    escrow: ({ id }, _, { load }) => load(escrow.byShipment, id),
  },
});
