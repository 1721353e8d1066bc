/**
 * The booking of one itinerary, from "the carriers are being asked" to "it will be carried". Read it top to
 * bottom: capacity, payment opened, answers, money, confirmation. Every step has its undo; nothing that cannot
 * be taken back is told before the last one.
 */
import { z } from 'zod';
import type { PaymentsContract } from '#shared/contracts/payments.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Refusal } from '#shared/kernel/errors.ts';
import { addMoney, money } from '#shared/kernel/money.ts';
import { id } from '#shared/kernel/wire.ts';
import { type AnySaga, defineSaga, type Saga, type SagaName } from '#shared/runtime/durable.ts';
import type { BookingProcedure } from './booking.procedure.ts';

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
      // First in, last out: whatever ends the saga, the itinerary is concluded after everything else was given back.
      await saga.step('begin', async () => null, { undo: () => booking.conclude(itineraryId) });
      try {
        await book(saga, itineraryId, booking, payments);
      } catch (error) {
        if (error instanceof Refusal) {
          await saga.step('note why', () => booking.noteCancelReason(itineraryId, error.code));
        }
        throw error;
      }
    },
  }),
];

async function book(
  saga: Saga,
  itineraryId: string,
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
) {
  await saga.step('keep capacity', () => booking.keepCapacity(itineraryId), {
    undo: () => booking.releaseCapacity(itineraryId),
  });
  const { answerBy, payBy } = await saga.step(
    'open payment',
    () => openPayment(saga, itineraryId, booking, payments),
    {
      undo: () =>
        payments.cancelPayment(
          { itineraryId, reason: 'itinerary cancelled' },
          { key: saga.key('cancel payment') },
        ),
    },
  );
  await saga.step('tell the carriers', () => booking.tellRequested(itineraryId));

  const answers = await saga.waitFor('answers', () => booking.outcomeOf(itineraryId), new Date(answerBy));
  if (answers?.outcome !== 'accepted') {
    if (!answers) await saga.step('close the asking', () => booking.expireUnanswered(itineraryId));
    throw new Conflict(answers?.outcome ?? 'CARRIER_SILENT', 'Not every carrier will carry');
  }

  const payment = await saga.waitFor(
    'payment',
    () => authorised(itineraryId, booking, payments),
    new Date(payBy),
  );
  if (payment?.outcome !== 'authorised') {
    throw new Conflict(payment?.outcome ?? 'PAYMENT_ABANDONED', 'The itinerary was not paid for');
  }

  await saga.step('take the money', () =>
    payments.capturePayment({ itineraryId }, { key: saga.key('capture payment') }),
  );
  await saga.step('sell the capacity', () => booking.confirmCapacity(itineraryId));
  await saga.step('confirm', () => booking.confirm(itineraryId));
}

/** Opens the one payment and says until when carriers may answer and the sender may pay. */
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
  return { answerBy: plan.answerBy.toISOString(), payBy: plan.payBy.toISOString() };
}

async function authorised(
  itineraryId: string,
  booking: BookingProcedure,
  payments: Caller<typeof PaymentsContract>,
) {
  if (await booking.cancelAsked(itineraryId)) return { outcome: 'SENDER_CANCELLED' };
  const payment = await payments.payment({ itineraryId });
  if (payment?.state === 'requires_capture' || payment?.state === 'succeeded')
    return { outcome: 'authorised' };
  return payment?.state === 'canceled' ? { outcome: 'PAYMENT_FAILED' } : null;
}
