import {
  BookingAnswered,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { EscrowReleased, PaymentCancelled, PaymentCaptured } from '#shared/events/payments.ts';
import type { EventDefinition } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import {
  type Asked,
  ava,
  ben,
  cleo,
  eve,
  type Offers,
  type Story,
  sara,
  startStory,
} from '../../testing/story.ts';
import { bookingSaga } from './booking.saga.ts';

let story: Story;
let offers: Offers;
let free: number[];
beforeAll(async () => {
  story = await startStory({ env: { UNPAID_ITINERARIES_MAX: '100' } });
  offers = await story.offers(200_000);
  await story.confirmed();
});
afterAll(() => story[Symbol.asyncDispose]());
beforeEach(async () => {
  await story.world.clock.set('2026-03-02T09:00:00Z');
  free = await story.free(offers);
});

const settle = () => story.world.settle();

async function requested(): Promise<Asked> {
  const asked = await story.requested();
  await settle();
  return asked;
}

async function told<E extends EventDefinition>(event: E, { itineraryId }: Asked) {
  return (await story.world.told(event)).filter(
    (payload) => (payload as { itineraryId: string }).itineraryId === itineraryId,
  );
}

/** State of the itinerary, of its bookings by carrier, and of its payment. */
async function stands({ itineraryId }: Asked) {
  const [itinerary] = await story.rows<{ state: string; cancel_reason: string | null }>(
    'bookings',
    'select state, cancel_reason from itineraries where id = ?',
    [itineraryId],
  );
  const bookings = await story.rows<{ carrier_id: string; state: string }>(
    'bookings',
    'select carrier_id, state from leg_bookings where itinerary_id = ?',
    [itineraryId],
  );
  const stateOf = (carrier: UserViewer) =>
    bookings.find((booking) => booking.carrier_id === carrier.userId)?.state;
  const [payment] = await story.rows<{ state: string }>(
    'payments',
    'select state from payment_intents where itinerary_id = ?',
    [itineraryId],
  );
  return {
    itinerary: itinerary!.state,
    reason: itinerary!.cancel_reason,
    bookings: [ava, ben, cleo].map(stateOf),
    payment: payment?.state,
  };
}

/** That nothing of it is left: not the money, not the capacity, not the saga; and that it was told once. */
async function expectEnded(asked: Asked, reason: string, bookings: readonly string[], payment = 'canceled') {
  expect(await stands(asked)).toEqual({ itinerary: 'cancelled', reason, bookings, payment });
  expect(await story.free(offers)).toEqual(free);
  expect(await told(ItineraryCancelled, asked)).toMatchObject([{ reason, senderId: sara.userId }]);
  expect(await told(ItineraryConfirmed, asked)).toEqual([]);
  expect(await told(PaymentCancelled, asked)).toHaveLength(1);
  expect(await story.world.durable.stateOf(bookingSaga, asked.itineraryId)).toBe('refused');
}

describe('all accept', () => {
  test('once the money is held the itinerary is confirmed, each fact told once', async () => {
    const asked = await requested();
    await story.accept(asked, cleo);
    expect((await stands(asked)).itinerary).toBe('partially_accepted');
    await story.acceptAll(asked, [ava, ben]);
    await settle();
    expect(await stands(asked)).toMatchObject({ itinerary: 'accepted', payment: 'requires_payment_method' });
    expect(await told(PaymentCaptured, asked)).toEqual([]);
    await story.pay(asked);
    await settle();
    expect(await stands(asked)).toEqual({
      itinerary: 'confirmed',
      reason: null,
      bookings: ['confirmed', 'confirmed', 'confirmed'],
      payment: 'succeeded',
    });
    expect(await story.free(offers)).toEqual(free.map((grams) => grams - 2_000));
    expect(await told(ItineraryRequested, asked)).toHaveLength(1);
    expect(await told(PaymentCaptured, asked)).toMatchObject([{ amount: money(8960, 'EUR') }]);
    expect((await told(BookingAnswered, asked)).map(({ answer }) => answer)).toEqual(
      Array(3).fill('accepted'),
    );
    const [confirmed] = await told(ItineraryConfirmed, asked);
    expect(confirmed).toMatchObject({ total: money(8960, 'EUR'), recipient: { name: 'Rosa' } });
    expect(confirmed!.legs.map(({ price }) => price.amountMinor)).toEqual([4000n, 3000n, 1000n]);
    const [shipment] = await story.rows('shipments', 'select state from shipments where id = ?', [
      asked.shipmentId,
    ]);
    expect(shipment).toEqual({ state: 'booked' });
  });

  test('a sender may pay before the carriers answer; the money is taken after the last yes', async () => {
    const asked = await requested();
    await story.pay(asked);
    await settle();
    expect(await stands(asked)).toMatchObject({ itinerary: 'requested', payment: 'requires_capture' });
    await story.acceptAll(asked);
    await settle();
    expect(await stands(asked)).toMatchObject({ itinerary: 'confirmed', payment: 'succeeded' });
  });

  test('answers of all carriers at once lead to one confirmation', async () => {
    const asked = await requested();
    await story.pay(asked);
    const answers = await Promise.all([ava, ben, cleo].map((carrier) => story.accept(asked, carrier)));
    expect(answers.flatMap(({ codes }) => codes)).toEqual([]);
    await settle();
    expect(await told(ItineraryConfirmed, asked)).toHaveLength(1);
  });

  test('a carrier may carry for nothing beside others who are paid', async () => {
    await story.anotherFlight(eve, 'LONDON', { base: 0, perKilogram: 0 });
    const chain = [eve, ben, cleo];
    const asked = await story.requested(sara, { token: await story.chain(chain) });
    await settle();
    await story.acceptAll(asked, chain);
    await story.pay(asked);
    await settle();
    expect(await stands(asked)).toMatchObject({ itinerary: 'confirmed', payment: 'succeeded' });
    expect(await told(PaymentCaptured, asked)).toMatchObject([{ amount: money(4480, 'EUR') }]);
  });

  test('whoever carries a confirmed leg has an assignment', async () => {
    const asked = await story.confirmed();
    const id = await story.bookingOf(asked, ava);
    const { data } = await story.world.execute(
      'bookings',
      'query ($id: ID!) { booking(id: $id) { state answerBy assignment { carrier { id } } } }',
      { id },
      ava,
    );
    expect(data.booking).toEqual({
      state: 'CONFIRMED',
      answerBy: null,
      assignment: { carrier: { id: ava.userId } },
    });
  });
});

describe('not all accept', () => {
  test('a carrier who declines ends it: reservation and capacity are let go, the others withdrawn, all told', async () => {
    const asked = await requested();
    await story.accept(asked, ava);
    await story.pay(asked);
    await story.decline(asked, ben, 'My bag is full');
    await settle();
    await expectEnded(asked, 'CARRIER_DECLINED', ['withdrawn', 'declined', 'withdrawn']);
    expect((await told(BookingAnswered, asked)).at(-1)).toMatchObject({
      answer: 'declined',
      reason: 'My bag is full',
    });
    const [shipment] = await story.rows('shipments', 'select state from shipments where id = ?', [
      asked.shipmentId,
    ]);
    expect(shipment).toEqual({ state: 'searching' });
    const again = await story.planned(sara, { shipmentId: asked.shipmentId });
    expect((await story.request(again)).codes).toEqual([]);
    await story.cancel(again);
    await settle();
  });

  test('carriers who let the time pass are not asked any more; nothing is taken for a part of the way', async () => {
    const asked = await requested();
    await story.acceptAll(asked, [ava, cleo]);
    await story.pay(asked);
    await story.world.pass('20h');
    expect((await stands(asked)).itinerary).toBe('partially_accepted');
    await story.world.pass('1h');
    await expectEnded(asked, 'CARRIER_SILENT', ['withdrawn', 'expired', 'withdrawn']);
    expect(await told(PaymentCaptured, asked)).toEqual([]);
    expect((await told(BookingAnswered, asked)).at(-1)).toMatchObject({
      answer: 'expired',
      carrierId: ben.userId,
    });
  });

  test('an answer after the time is over does not count, before and after the saga has closed the asking', async () => {
    const asked = await requested();
    await story.world.clock.advance('21h');
    expect((await story.accept(asked, ava)).codes).toEqual(['ANSWER_TOO_LATE']);
    await settle();
    expect((await story.accept(asked, ava)).codes).toEqual(['ANSWER_TOO_LATE']);
    expect((await story.decline(asked, ben)).codes).toEqual(['ANSWER_TOO_LATE']);
    await expectEnded(asked, 'CARRIER_SILENT', ['expired', 'expired', 'expired']);
  });

  test('a trip that is called off counts as its traveller’s no', async () => {
    await using own = await startStory();
    const { firstTripId, ...rest } = await own.offers(4_000);
    const asked = await own.requested();
    await own.world.settle();
    await own.acceptAll(asked, [ava, ben]);
    await own.did('trips', ava, 'mutation ($input: TripActionInput!) { cancelTrip(input: $input) { id } }', {
      input: { tripId: firstTripId },
    });
    await own.world.settle();
    const rows = await own.rows('bookings', 'select state, reason from leg_bookings where carrier_id = ?', [
      ava.userId,
    ]);
    expect(rows).toEqual([{ state: 'declined', reason: 'TRIP_CANCELLED' }]);
    expect(await own.world.told(ItineraryCancelled)).toMatchObject([{ reason: 'CARRIER_DECLINED' }]);
    expect(await own.free({ firstTripId, ...rest })).toEqual([4_000, 4_000, 4_000]);
  });
});

describe('answers', () => {
  test('an answer counts once, and the other one after it is refused', async () => {
    const asked = await requested();
    expect((await story.accept(asked, ava)).codes).toEqual([]);
    expect((await story.accept(asked, ava)).codes).toEqual(['INVALID_TRANSITION']);
    expect((await story.decline(asked, ava)).codes).toEqual(['INVALID_TRANSITION']);
    const ids = Array.from({ length: 5 }, () => story.accept(asked, ben));
    const codes = (await Promise.all(ids)).flatMap((answer) => answer.codes);
    expect(codes).toEqual(Array(4).fill('INVALID_TRANSITION'));
    expect(await told(BookingAnswered, asked)).toHaveLength(2);
    await story.cancel(asked);
    await settle();
  });

  test.each<[string, Viewer, string]>([
    ['another carrier', ben, 'BOOKING_NOT_FOUND'],
    ['a stranger', eve, 'BOOKING_NOT_FOUND'],
    ['the sender', sara, 'BOOKING_NOT_FOUND'],
    ['nobody', { kind: 'anonymous' }, 'SIGN_IN_REQUIRED'],
  ])('%s does not answer for a carrier', async (_, viewer, code) => {
    const asked = await requested();
    const input = { bookingId: await story.bookingOf(asked, ava) };
    expect((await story.bookings(viewer, 'acceptBooking', input)).codes).toEqual([code]);
    expect((await story.bookings(viewer, 'declineBooking', input)).codes).toEqual([code]);
    expect((await stands(asked)).bookings).toEqual(['requested', 'requested', 'requested']);
    await story.cancel(asked);
    await settle();
  });

  test.each([
    ['BOOKING_NOT_FOUND', { bookingId: newId() }],
    ['ID_MALFORMED', { bookingId: 'no id' }],
    ['REASON_TOO_LONG', { bookingId: newId(), reason: 'x'.repeat(501) }],
  ])('an answer that makes no sense is refused with %s', async (code, input) => {
    expect((await story.bookings(ava, 'declineBooking', input)).codes).toEqual([code]);
  });
});

describe('a sender who cancels', () => {
  test('before the request just drops the plan', async () => {
    const planned = await story.planned();
    expect((await story.cancel(planned)).data.cancelItinerary.state).toBe('CANCELLED');
    expect((await story.request(planned)).codes).toEqual(['INVALID_TRANSITION']);
    expect((await story.cancel(planned)).codes).toEqual(['INVALID_TRANSITION']);
    expect(await told(ItineraryCancelled, planned)).toEqual([]);
  });

  test.each<[string, (asked: Asked) => Promise<unknown>, string[]]>([
    ['before anybody has answered', async () => {}, ['withdrawn', 'withdrawn', 'withdrawn']],
    ['after one yes', (asked) => story.accept(asked, ava), ['withdrawn', 'withdrawn', 'withdrawn']],
    ['after every yes', (asked) => story.acceptAll(asked), ['withdrawn', 'withdrawn', 'withdrawn']],
    ['with a card reserved', (asked) => story.pay(asked), ['withdrawn', 'withdrawn', 'withdrawn']],
  ])('%s gets everything back', async (_, before, bookings) => {
    const asked = await requested();
    await before(asked);
    await settle();
    expect((await story.cancel(asked)).codes).toEqual([]);
    expect((await story.cancel(asked)).codes).toEqual([]);
    await settle();
    await expectEnded(asked, 'SENDER_CANCELLED', bookings);
    expect((await story.cancel(asked)).codes).toEqual(['INVALID_TRANSITION']);
  });

  test('before the saga has begun gets everything back, and no card can be tried', async () => {
    const asked = await story.requested();
    await story.cancel(asked);
    await settle();
    await expectEnded(asked, 'SENDER_CANCELLED', ['withdrawn', 'withdrawn', 'withdrawn']);
  });

  test('in the moment in which everything is ready to be taken is not charged', async () => {
    const asked = await requested();
    await story.acceptAll(asked);
    await story.pay(asked);
    await story.cancel(asked);
    await settle();
    await expectEnded(asked, 'SENDER_CANCELLED', ['withdrawn', 'withdrawn', 'withdrawn']);
    expect(await told(PaymentCaptured, asked)).toEqual([]);
  });

  test('after the confirmation is refused', async () => {
    const asked = await story.confirmed();
    expect((await story.cancel(asked)).codes).toEqual(['INVALID_TRANSITION']);
    expect((await stands(asked)).itinerary).toBe('confirmed');
  });
});

describe('payment', () => {
  test.each([
    ['never tried', null],
    ['declined', 'pm_card_chargeDeclined'],
    ['left at the authentication', 'pm_card_threeDSecure2Required'],
  ])('a card %s: everything is given back when the time to pay is over', async (_, card) => {
    const asked = await requested();
    await story.acceptAll(asked);
    if (card) await story.pay(asked, card);
    await story.world.pass('22h');
    expect((await stands(asked)).itinerary).toBe('accepted');
    await story.world.pass('1h');
    await expectEnded(asked, 'PAYMENT_ABANDONED', ['withdrawn', 'withdrawn', 'withdrawn']);
    expect((await story.pay(asked)).codes).toEqual(['INVALID_TRANSITION']);
  });

  test('a card that is declined may be followed by a better one', async () => {
    const asked = await requested();
    await story.acceptAll(asked);
    expect((await story.pay(asked, 'pm_card_chargeDeclined')).codes).toEqual(['PAYMENT_REFUSED']);
    await settle();
    expect((await story.pay(asked)).codes).toEqual([]);
    await settle();
    expect((await stands(asked)).itinerary).toBe('confirmed');
  });

  test('money that can no longer be taken ends it, with everything given back', async () => {
    await using own = await startStory({ env: { CAPTURE_MARGIN: '30d' } });
    const scarce = await own.offers(4_000);
    const asked = await own.requested();
    await own.world.settle();
    await own.acceptAll(asked);
    await own.pay(asked);
    await own.world.settle();
    expect(await own.world.told(ItineraryCancelled)).toMatchObject([{ reason: 'PAYMENT_FAILED' }]);
    expect(await own.world.told(PaymentCaptured)).toEqual([]);
    expect(await own.world.told(PaymentCancelled)).toHaveLength(1);
    expect(await own.free(scarce)).toEqual([4_000, 4_000, 4_000]);
  });
});

describe('carriage', () => {
  const handoff = async (asked: Asked, finished: UserViewer | null, started: UserViewer | null) =>
    story.world.hear(HandoffTransferred, {
      shipmentId: asked.shipmentId,
      itineraryId: asked.itineraryId,
      stepId: newId(),
      sequence: 1,
      from: { type: 'sender', id: sara.userId },
      to: { type: 'traveller', id: ava.userId },
      finishedBookingId: finished && (await story.bookingOf(asked, finished)),
      startedBookingId: started && (await story.bookingOf(asked, started)),
      packageIds: [],
      custodyEventIds: [newId()],
      discrepancy: false,
      lastLegStarted: false,
      delivered: started === null,
      transferredAt: story.world.clock.now(),
    });
  const release = async (asked: Asked, carrier: UserViewer) =>
    story.world.hear(EscrowReleased, {
      itineraryId: asked.itineraryId,
      shipmentId: asked.shipmentId,
      bookingId: await story.bookingOf(asked, carrier),
      payeeId: carrier.userId,
      amount: money(1, 'EUR'),
      custodyEventId: newId(),
      releasedAt: story.world.clock.now(),
    });

  test('bookings follow custody and money to the end', async () => {
    const asked = await story.confirmed();
    await handoff(asked, null, ava);
    await settle();
    expect(await stands(asked)).toMatchObject({
      itinerary: 'in_progress',
      bookings: ['in_custody', 'confirmed', 'confirmed'],
    });
    await handoff(asked, ava, ben);
    await handoff(asked, ben, cleo);
    await handoff(asked, cleo, null);
    await settle();
    expect(await stands(asked)).toMatchObject({
      itinerary: 'completed',
      bookings: ['settled', 'settled', 'fulfilled'],
    });
    await story.world.pass('48h');
    expect((await stands(asked)).bookings).toEqual(['settled', 'settled', 'settled']);
  });

  test('money that is released before the hand-over was heard of leads to the same end', async () => {
    const asked = await story.confirmed();
    await release(asked, ava);
    await settle();
    expect((await stands(asked)).bookings[0]).toBe('settled');
    await handoff(asked, null, ava);
    await handoff(asked, ava, ben);
    await settle();
    expect((await stands(asked)).bookings).toEqual(['settled', 'in_custody', 'confirmed']);
    expect(await story.rows('bookings', 'select 1 from inbox_parked')).toEqual([]);
  });
});

test('the time to pay never lasts beyond the first departure', async () => {
  await story.world.clock.set('2026-03-05T19:00:00Z');
  const asked = await requested();
  await story.acceptAll(asked);
  await story.world.pass('1h');
  await expectEnded(asked, 'PAYMENT_ABANDONED', ['withdrawn', 'withdrawn', 'withdrawn']);
});
