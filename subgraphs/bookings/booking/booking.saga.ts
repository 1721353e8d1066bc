/**
 * The booking of one itinerary, from "the carriers are being asked" to "it will be carried". Read it top to
 * bottom: capacity, payment opened, answers, money, confirmation. Every step has its undo; what cannot be taken
 * back is told by the last one.
 */
import { z } from 'zod';
import type { PaymentsContract } from '#shared/contracts/payments.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Refusal } from '#shared/kernel/errors.ts';
import { addMoney, money } from '#shared/kernel/money.ts';
import { id } from '#shared/kernel/wire.ts';
import { type AnySaga, defineSaga, type Saga, type SagaName } from '#shared/runtime/durable.ts';
import type { BookingProcedure, Deadlines } from './booking.procedure.ts';

export const bookingSaga: SagaName<{ itineraryId: string }> = {
  name: 'bookings.booking',
  input: z.object({ itineraryId: id }),
};

export const bookingSagas = (
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
): readonly AnySaga[] => [
  defineSaga({
    ...bookingSaga,
    async run(saga, { itineraryId }) {
      // First in, last out: the itinerary is concluded after everything else was given back.
      const deadlines = await saga.step('begin', () => booking.deadlinesOf(itineraryId), {
        undo: () => booking.conclude(itineraryId),
      });
      try {
        await book(saga, itineraryId, deadlines, booking, payments);
      } catch (error) {
        if (error instanceof Refusal) {
          await saga.step('note why', () => booking.noteCancelReason(itineraryId, reasonOf(error)));
        }
        throw error;
      }
    },
  }),
];

async function book(
  saga: Saga,
  itineraryId: string,
  deadlines: Deadlines,
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
) {
  await saga.step('keep capacity', () => booking.keepCapacity(itineraryId, new Date(deadlines.holdUntil)), {
    undo: () => booking.releaseCapacity(itineraryId),
  });
  await saga.step('open payment', () => openPayment(saga, itineraryId, booking, payments), {
    undo: () =>
      payments.cancelPayment(
        { itineraryId, reason: 'itinerary cancelled' },
        { key: saga.key('cancel payment') },
      ),
  });

  const answers =
    (await saga.waitFor('answers', () => booking.outcomeOf(itineraryId), new Date(deadlines.answerBy))) ??
    (await saga.step('close the asking', () => booking.closeAsking(itineraryId)));
  if (answers.outcome !== 'accepted') throw new Conflict(answers.outcome, 'Not every carrier will carry');

  const payment = await saga.waitFor(
    'payment',
    () => paymentOf(itineraryId, booking, payments),
    new Date(deadlines.payBy),
  );
  if (payment?.outcome !== 'authorised')
    throw new Conflict(payment?.outcome ?? 'PAYMENT_ABANDONED', 'The itinerary was not paid for');

  await saga.step('take the money', () =>
    payments.capturePayment({ itineraryId }, { key: saga.key('capture payment') }),
  );
  await saga.step('sell the capacity', () => booking.confirmCapacity(itineraryId));
  await saga.step('confirm', () => booking.confirm(itineraryId));
}

/** Opens the one payment, which the sender may authorise before, between and after the carriers' answers. */
async function openPayment(
  saga: Saga,
  itineraryId: string,
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
) {
  const plan = await booking.planOf(itineraryId);
  const legs = plan.bookings.map(({ id: bookingId, carrierId, currency, priceMinor, feeShareMinor }) => ({
    bookingId,
    payeeId: carrierId,
    amount: money(priceMinor, currency),
    feeShare: money(feeShareMinor, currency),
  }));
  await payments.openPayment(
    {
      itineraryId,
      shipmentId: plan.itinerary.shipmentId,
      payerId: plan.itinerary.senderId,
      total: legs
        .flatMap(({ amount, feeShare }) => [amount, feeShare])
        .reduce((sum, next) => addMoney(sum, next)),
      legs,
    },
    { key: saga.key('open payment') },
  );
}

/** Whether the payment can be taken; `null` while that is open. */
async function paymentOf(
  itineraryId: string,
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
) {
  const now = await booking.outcomeOf(itineraryId);
  if (now?.outcome !== 'accepted') return now;
  const payment = await payments.payment({ itineraryId });
  if (payment?.state === 'requires_capture' || payment?.state === 'succeeded')
    return { outcome: 'authorised' };
  return payment?.state === 'canceled' ? { outcome: 'PAYMENT_FAILED' } : null;
}

const reasons: Readonly<Record<string, string>> = {
  HOLD_RESOLVED: 'CAPACITY_GONE',
  HOLD_UNKNOWN: 'CAPACITY_GONE',
  PAYMENT_REFUSED: 'PAYMENT_FAILED',
  PAYMENT_NOT_AUTHORISED: 'PAYMENT_FAILED',
};

/** A refusal in the words that are told: parties know nothing of holds. */
const reasonOf = ({ code }: Refusal): string => reasons[code] ?? code;
