import {
  PaymentAuthorised,
  PaymentCancelled,
  PaymentCaptured,
  PaymentRefused,
} from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import { user } from '../../testing/actors.ts';
import { answerChallenge } from '../providers/simulator/simulator.testing.ts';
import {
  anOrder,
  carriers,
  eur,
  type PaymentWorld,
  sender,
  startPaymentWorld,
  stranger,
} from '../testing/payment-world.ts';
import { paymentStates } from './payment.states.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
});
afterEach(async () => {
  payments.faults.clear();
  await payments.requireSoundBooks();
});
afterAll(() => payments[Symbol.asyncDispose]());

const told = async <E extends Parameters<PaymentWorld['world']['told']>[0]>(event: E, itineraryId: string) =>
  (await payments.world.told(event)).filter(
    (payload) => (payload as { itineraryId: string }).itineraryId === itineraryId,
  );

test('a payment is opened, authorised by card and captured; each fact is told once', async () => {
  const order = await payments.opened();
  expect(await payments.stateOf(order)).toBe('requires_payment_method');
  const { data } = await payments.pay(order.paymentId);
  expect(data.processPayment).toEqual({
    __typename: 'Payment',
    id: order.paymentId,
    state: 'REQUIRES_CAPTURE',
  });
  expect((await payments.pay(order.paymentId)).data.processPayment.state).toBe('REQUIRES_CAPTURE');
  expect(await payments.capture(order)).toEqual({ paymentId: order.paymentId, state: 'succeeded' });
  expect(await payments.capture(order)).toEqual({ paymentId: order.paymentId, state: 'succeeded' });
  expect(await told(PaymentAuthorised, order.itineraryId)).toHaveLength(1);
  expect(await told(PaymentCaptured, order.itineraryId)).toMatchObject([{ amount: eur(8960) }]);
  const ledger = await payments.ledger();
  for (const { bookingId, amount } of order.legs)
    expect(ledger[`held:${order.shipmentId}:${bookingId}`]).toBe(Number(amount.amountMinor));
  expect(ledger[`deferred_fee:${order.shipmentId}:EUR`]).toBe(960);
});

test('an itinerary has one payment, whoever opens it how often', async () => {
  const order = anOrder();
  const opened = await Promise.all(
    [payments.opened(order), payments.opened(order), payments.opened(order)].map((each) =>
      each.catch(() => payments.opened(order)),
    ),
  );
  expect(new Set(opened.map(({ paymentId }) => paymentId)).size).toBe(1);
  const { paymentIntents } = await payments.bank.simulator.state();
  const [row] = await payments.rows<{ processor_payment_id: string }>(
    'select processor_payment_id from payment_intents where itinerary_id = ?',
    [order.itineraryId],
  );
  expect(Object.keys(paymentIntents)).toContain(row!.processor_payment_id);
  await expect(payments.opened({ ...order, payerId: stranger.userId })).rejects.toMatchObject({
    code: 'PAYMENT_DIFFERS',
  });
});

test('legs that are not the total, and amounts that no card can be charged with, are refused', async () => {
  await expect(payments.opened({ ...anOrder(), total: eur(8961) })).rejects.toMatchObject({
    code: 'PAYMENT_LEGS_DIFFER',
  });
  const leg = { ...anOrder().legs[0]!, amount: eur(8), feeShare: eur(2) };
  const small = { ...anOrder(), total: eur(10), legs: [leg] };
  await expect(payments.opened(small)).rejects.toMatchObject({ code: 'AMOUNT_NOT_CHARGEABLE' });
  expect(await payments.stateOf(small)).toBe('canceled');
});

test('a refused card tells why, and another card may be tried', async () => {
  const order = await payments.opened();
  const { codes, errors } = await payments.pay(order.paymentId, 'pm_card_chargeDeclinedInsufficientFunds');
  expect(codes).toEqual(['PAYMENT_REFUSED']);
  expect(errors[0]!.extensions.details).toEqual({ declineCode: 'insufficient_funds' });
  expect(await payments.stateOf(order)).toBe('requires_payment_method');
  expect(await told(PaymentRefused, order.itineraryId)).toMatchObject([{ code: 'insufficient_funds' }]);
  expect((await payments.pay(order.paymentId)).data.processPayment.state).toBe('REQUIRES_CAPTURE');
});

test('an authentication that is completed authorises the payment, once its webhook came', async () => {
  const order = await payments.opened();
  const { data } = await payments.pay(order.paymentId, 'pm_card_threeDSecure2Required');
  expect(data.processPayment).toMatchObject({
    __typename: 'PaymentActionRequired',
    payment: { state: 'REQUIRES_ACTION' },
  });
  await expect(payments.capture(order)).rejects.toMatchObject({ code: 'PAYMENT_NOT_AUTHORISED' });
  await answerChallenge(data.processPayment.redirectUrl, 'complete');
  for (const webhook of await payments.webhooks()) await payments.deliver(webhook);
  await payments.world.settle();
  expect(await payments.stateOf(order)).toBe('requires_capture');
  expect(await told(PaymentAuthorised, order.itineraryId)).toHaveLength(1);
});

test('an authentication that is failed or abandoned leaves the payment open for another card', async () => {
  const failed = await payments.opened();
  const { data } = await payments.pay(failed.paymentId, 'pm_card_threeDSecure2Required');
  await answerChallenge(data.processPayment.redirectUrl, 'fail');
  for (const webhook of await payments.webhooks()) await payments.deliver(webhook);
  await payments.world.settle();
  expect(await payments.stateOf(failed)).toBe('requires_payment_method');
  expect(await told(PaymentRefused, failed.itineraryId)).toHaveLength(1);

  const abandoned = await payments.opened();
  await payments.pay(abandoned.paymentId, 'pm_card_threeDSecure2Required');
  expect((await payments.pay(abandoned.paymentId)).data.processPayment.state).toBe('REQUIRES_CAPTURE');
});

test('an authentication whose webhook was lost is found when the payer comes back', async () => {
  const order = await payments.opened();
  const { data } = await payments.pay(order.paymentId, 'pm_card_threeDSecure2Required');
  await answerChallenge(data.processPayment.redirectUrl, 'complete');
  expect((await payments.pay(order.paymentId)).data.processPayment).toMatchObject({
    __typename: 'Payment',
    state: 'REQUIRES_CAPTURE',
  });
});

test('what cannot be paid with is refused before the card is asked', async () => {
  const order = await payments.opened();
  expect((await payments.pay(order.paymentId, 'pm_of_somebody_else')).codes).toEqual([
    'PAYMENT_METHOD_UNKNOWN',
  ]);
  const returnUrl = 'javascript:alert(1)';
  expect((await payments.pay(order.paymentId, 'pm_card_visa', sender, { returnUrl })).codes).toEqual([
    'RETURN_URL_INVALID',
  ]);
  await payments.cancel(order);
  expect((await payments.pay(order.paymentId)).codes).toEqual(['INVALID_TRANSITION']);
});

test('a payment that took nothing is let go; one that was captured is given back whole', async () => {
  const unpaid = await payments.opened();
  const reserved = await payments.authorised();
  const captured = await payments.captured();
  for (const order of [unpaid, reserved, captured]) {
    await payments.cancel(order);
    await payments.cancel(order);
  }
  expect(await payments.stateOf(unpaid)).toBe('canceled');
  expect(await payments.stateOf(reserved)).toBe('canceled');
  expect(await payments.stateOf(captured)).toBe('refunded');
  expect(await told(PaymentCancelled, reserved.itineraryId)).toMatchObject([{ refunded: eur(0) }]);
  expect(await told(PaymentCancelled, captured.itineraryId)).toMatchObject([{ refunded: eur(8960) }]);
  await expect(payments.capture(reserved)).rejects.toMatchObject({ code: 'PAYMENT_NOT_AUTHORISED' });
  await payments.cancel(anOrder());
  await expect(payments.capture(anOrder())).rejects.toMatchObject({ code: 'PAYMENT_NOT_FOUND' });
});

test('a payment is nobody else’s business: not by id, not through a join', async () => {
  const order = await payments.authorised();
  const query = `query ($id: ID!) { payment(id: $id) { id } }`;
  const own = await payments.world.execute('payments', query, { id: order.paymentId }, sender);
  expect(own.data.payment.id).toBe(order.paymentId);
  for (const viewer of [stranger, carriers[0]]) {
    const { data } = await payments.world.execute('payments', query, { id: order.paymentId }, viewer);
    expect(data.payment).toBeNull();
    expect((await payments.pay(order.paymentId, 'pm_card_visa', viewer)).codes).toEqual([
      'PAYMENT_NOT_FOUND',
    ]);
    const hop = await payments.world.entities(
      'payments',
      [
        { __typename: 'Payment', id: order.paymentId },
        { __typename: 'Itinerary', id: order.itineraryId },
        { __typename: 'Shipment', id: order.shipmentId },
      ],
      '{ ... on Payment { id } ... on Itinerary { payment { id } } ... on Shipment { escrow { id } } }',
      viewer,
    );
    expect(hop.data).toEqual([null, { payment: null }, { escrow: null }]);
  }
  const unknown = await payments.world.execute('payments', query, { id: "' or 1=1" }, sender);
  expect(unknown.data.payment).toBeNull();
  expect((await payments.pay(order.paymentId, 'pm_card_visa', { kind: 'anonymous' })).codes).toEqual([
    'SIGN_IN_REQUIRED',
  ]);
});

test('a kept card is offered again, to its owner alone', async () => {
  const order = await payments.opened();
  await payments.pay(order.paymentId, 'pm_card_mastercard', sender, { saveMethod: true });
  await payments.world.settle();
  const methods = async (viewer: typeof sender) =>
    (await payments.world.execute('payments', '{ paymentMethods { id kind last4 } }', {}, viewer)).data
      .paymentMethods as { id: string; kind: string; last4: string }[];
  const [saved] = await methods(sender);
  expect(saved).toMatchObject({ kind: 'SAVED', last4: '4444' });
  expect((await methods(stranger)).every(({ kind }) => kind === 'TEST')).toBe(true);
  const next = await payments.opened();
  expect((await payments.pay(next.paymentId, saved!.id)).data.processPayment.state).toBe('REQUIRES_CAPTURE');
});

test('entity fetches of one and of five itineraries cost the same number of queries', async () => {
  const orders = [await payments.authorised()];
  while (orders.length < 5) orders.push(await payments.opened());
  const fetch = (count: number) =>
    payments.world.countQueries(() =>
      payments.world.entities(
        'payments',
        orders
          .slice(0, count)
          .flatMap(({ itineraryId, shipmentId, legs }) => [
            { __typename: 'Itinerary', id: itineraryId },
            { __typename: 'Shipment', id: shipmentId },
            ...legs.map(({ bookingId }) => ({ __typename: 'Booking', id: bookingId })),
          ]),
        `{ ... on Itinerary { fundsHeld payment { id escrow { id } } } ... on Shipment { held: escrow { id } }
           ... on Booking { escrow { id } } }`,
        sender,
      ),
    );
  expect(await fetch(5)).toBe(await fetch(1));
});

// Last: it moves the clock by days.
test('a reservation that is about to end is not captured, and one that ended is cancelled', async () => {
  const order = await payments.authorised();
  await payments.world.pass('157h');
  await expect(payments.capture(order)).rejects.toMatchObject({ code: 'PAYMENT_NOT_AUTHORISED' });
  await payments.world.pass('12h');
  for (const webhook of await payments.webhooks()) await payments.deliver(webhook);
  await payments.world.settle();
  expect(await payments.stateOf(order)).toBe('canceled');
  expect(await told(PaymentCancelled, order.itineraryId)).toHaveLength(1);
});

test.each([
  ['canceled', 'authorise'],
  ['canceled', 'capture'],
  ['refunded', 'capture'],
  ['succeeded', 'void'],
  ['succeeded', 'authorise'],
  ['requires_capture', 'ask_for_method'],
] as const)('a payment that is %s cannot %s', (from, event) => {
  expect(() => nextState(paymentStates, from, event, 'processor')).toThrow(
    expect.objectContaining({ code: 'INVALID_TRANSITION' }),
  );
});

test('an id that nobody has is unknown to administrators too', async () => {
  const { data } = await payments.world.execute(
    'payments',
    'query ($id: ID!) { payment(id: $id) { id } }',
    { id: newId() },
    user('Ada', ['admin']),
  );
  expect(data.payment).toBeNull();
});
