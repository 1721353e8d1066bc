/** Facts told by payments. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { amount, id, instant } from '../kernel/wire.ts';

const payment = { paymentId: id, itineraryId: id, shipmentId: id, payerId: id, amount };

/** Told when the card's issuer has reserved the amount. */
export const PaymentAuthorised = defineEvent('payments', 'PaymentAuthorised', {
  key: 'itineraryId',
  payload: { ...payment, captureBefore: instant },
});

/** Told when an attempt to pay was refused; the payer may try again with another card. */
export const PaymentRefused = defineEvent('payments', 'PaymentRefused', {
  key: 'itineraryId',
  payload: { ...payment, code: z.string() },
});

/** Told when the money was taken and every leg's share is held. */
export const PaymentCaptured = defineEvent('payments', 'PaymentCaptured', {
  key: 'itineraryId',
  payload: { ...payment, capturedAt: instant },
});

/** Told when a reservation was let go, or what was taken was given back whole. */
export const PaymentCancelled = defineEvent('payments', 'PaymentCancelled', {
  key: 'itineraryId',
  payload: { ...payment, refunded: amount },
});

/** Told when one leg's share went from held to its carrier, with the custody event that proved the leg. */
export const EscrowReleased = defineEvent('payments', 'EscrowReleased', {
  key: 'itineraryId',
  payload: {
    itineraryId: id,
    shipmentId: id,
    bookingId: id,
    payeeId: id,
    amount,
    custodyEventId: id,
    releasedAt: instant,
  },
});

/** Told when nothing of an itinerary's money is held any more. */
export const EscrowClosed = defineEvent('payments', 'EscrowClosed', {
  key: 'itineraryId',
  payload: { itineraryId: id, shipmentId: id, closedAt: instant },
});

/** Told when a payout has left for the payee's account. */
export const PayoutPaid = defineEvent('payments', 'PayoutPaid', {
  key: 'payeeId',
  payload: { payoutId: id, payeeId: id, amount, paidAt: instant },
});

/** Told when a payout has to wait for something the payee must do. */
export const PayoutBlocked = defineEvent('payments', 'PayoutBlocked', {
  key: 'payeeId',
  payload: { payeeId: id, amount, requirements: z.array(z.string()) },
});
