import { EscrowClosed, EscrowReleased, PayoutPaid } from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import {
  carriers,
  eur,
  type Opened,
  type PaymentWorld,
  sender,
  startPaymentWorld,
  stranger,
} from '../testing/payment-world.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
  for (const carrier of carriers) await payments.readyAccount(carrier);
});
afterEach(() => payments.requireSoundBooks());
afterAll(() => payments[Symbol.asyncDispose]());

const escrowOf = async (order: Opened): Promise<[string, boolean][]> =>
  (
    await payments.rows<{ state: string; frozen: boolean }>(
      'select state, frozen from escrow_entries where itinerary_id = ? order by sequence',
      [order.itineraryId],
    )
  ).map(({ state, frozen }) => [state, frozen]);

const toldOf = async <E extends typeof EscrowReleased | typeof EscrowClosed>(event: E, order: Opened) =>
  (await payments.world.told(event)).filter(({ itineraryId }) => itineraryId === order.itineraryId);

test('the whole story: each leg is paid by its hand-over, the last after the inspection window', async () => {
  const order = await payments.captured();
  await payments.handedOver(order, 0);
  await payments.handedOver(order, 1);
  expect(await escrowOf(order)).toEqual([
    ['released', false],
    ['released', false],
    ['held', false],
  ]);
  await payments.handedOver(order, 2, { delivered: true });
  await payments.world.pass('47h');
  expect((await escrowOf(order))[2]).toEqual(['held', false]);
  expect(await toldOf(EscrowClosed, order)).toHaveLength(0);
  await payments.world.pass('1h');
  expect((await escrowOf(order))[2]).toEqual(['released', false]);
  expect(await toldOf(EscrowClosed, order)).toHaveLength(1);
  expect((await payments.world.told(PayoutPaid)).map(({ amount }) => amount)).toEqual([
    eur(4000),
    eur(3000),
    eur(1000),
  ]);
  const { data } = await payments.world.execute(
    'payments',
    '{ ledgerProof { chainIntact currencies { trialBalance held deferredFees payable } } }',
  );
  expect(data.ledgerProof).toEqual({
    chainIntact: true,
    currencies: [{ trialBalance: '0', held: '0', deferredFees: '0', payable: '0' }],
  });
  const ledger = await payments.ledger();
  // 1.4 % and 25 cents are the simulator's fee: 150 of 8960.
  expect(ledger).toMatchObject({ 'psp_clearing:EUR': 810, 'platform_fee:EUR': 960, 'psp_fees:EUR': 150 });
});

test('a hand-over that is told twice, or again with other evidence, releases once', async () => {
  const order = await payments.captured();
  const custodyEventIds = [newId(), newId()].sort();
  await payments.handedOver(order, 0, { custodyEventIds });
  await payments.handedOver(order, 0, { custodyEventIds });
  await payments.handedOver(order, 0);
  expect(await toldOf(EscrowReleased, order)).toMatchObject([
    { amount: eur(4000), custodyEventId: custodyEventIds[0] },
  ]);
  expect(
    await payments.rows('select 1 from ledger_journals where key = ?', [`released:${custodyEventIds[0]}`]),
  ).toHaveLength(1);
});

test('a leg with a discrepancy is frozen: no window releases it, and it can still be given back', async () => {
  const order = await payments.captured();
  await payments.handedOver(order, 0, { discrepancy: true });
  await payments.handedOver(order, 2, { delivered: true, discrepancy: true });
  await payments.world.pass('90h');
  expect(await escrowOf(order)).toEqual([
    ['held', true],
    ['held', false],
    ['held', true],
  ]);
  await payments.cancel(order);
  expect(await escrowOf(order)).toEqual(Array(3).fill(['refunded', false]));
  expect(await toldOf(EscrowClosed, order)).toHaveLength(1);
});

test('once a carrier was paid, the whole cannot be given back', async () => {
  const order = await payments.captured();
  await payments.handedOver(order, 0);
  await expect(payments.cancel(order)).rejects.toMatchObject({ code: 'NOT_REFUNDABLE' });
  expect(await payments.stateOf(order)).toBe('succeeded');
});

test('the worked example: A is paid, B is lost, support gives B and C back with their fees', async () => {
  const order = await payments.captured();
  await payments.handedOver(order, 0);
  const [, b, c] = order.legs.map(({ bookingId }) => bookingId);
  const refund = (viewer: Viewer, bookingIds: unknown[]) =>
    payments.world.execute(
      'payments',
      `mutation ($input: RefundLegsInput!) { refundLegs(input: $input) { state refunded { amountMinor } } }`,
      { input: { itineraryId: order.itineraryId, bookingIds, reason: 'B was lost' } },
      viewer,
    );
  const support = user('Sue', ['support']);
  expect((await refund(sender, [b, c])).codes).toEqual(['ROLE_REQUIRED']);
  expect((await refund(support, [order.legs[0]!.bookingId])).codes).toEqual(['NOT_REFUNDABLE']);
  expect((await refund(support, [newId()])).codes).toEqual(['NOT_REFUNDABLE']);
  const before = await payments.ledger();
  expect((await refund(support, [b, c])).data.refundLegs).toEqual({
    state: 'PARTIALLY_REFUNDED',
    refunded: { amountMinor: '4480' },
  });
  expect((await refund(support, [b, c])).codes).toEqual(['NOT_REFUNDABLE']);
  const after = await payments.ledger();
  expect(before['psp_clearing:EUR']! - after['psp_clearing:EUR']!).toBe(4480);
  const own = Object.entries(after).filter(([code]) => code.includes(order.shipmentId));
  expect(own.map(([, balance]) => balance)).toEqual(own.map(() => 0));
  expect(await toldOf(EscrowClosed, order)).toHaveLength(1);
});

test('the database itself refuses a release without evidence, and evidence that proves two legs', async () => {
  const order = await payments.captured();
  const change = (sql: string, parameters: unknown[]) =>
    payments.world.database('payments').transaction((tx) => tx.sql(sql, parameters));
  const [first, second] = order.legs;
  await expect(
    change(`update escrow_entries set state = 'released', released_at = now() where booking_id = ?`, [
      first!.bookingId,
    ]),
  ).rejects.toThrow('released_only_with_evidence');
  const evidence = newId();
  await expect(
    change('update escrow_entries set custody_event_id = ? where booking_id in (?, ?)', [
      evidence,
      first!.bookingId,
      second!.bookingId,
    ]),
  ).rejects.toThrow('custody_event_id_unique');
});

test('evidence that comes before the money waits for it', async () => {
  const order = await payments.authorised();
  await payments.handedOver(order, 0);
  expect((await escrowOf(order))[0]).toEqual(['authorised', false]);
  await payments.capture(order);
  await payments.world.pass('10m');
  await payments.world.clock.advance('1s');
  await payments.world.settle();
  expect((await escrowOf(order))[0]).toEqual(['released', false]);
});

test('who pays sees every leg, a carrier their own, nobody else anything; carriers see proof of funds', async () => {
  const order = await payments.authorised();
  const seen = async (viewer: Viewer) => {
    const { data } = await payments.world.entities(
      'payments',
      [
        ...order.legs.map(({ bookingId }) => ({ __typename: 'Booking', id: bookingId })),
        { __typename: 'Itinerary', id: order.itineraryId },
        { __typename: 'Shipment', id: order.shipmentId },
      ],
      `{ ... on Booking { escrow { amount { amountMinor } } } ... on Itinerary { fundsHeld }
         ... on Shipment { held: escrow { state } } }`,
      viewer,
    );
    const legs = data.slice(0, 3).map((leg: { escrow: unknown }) => leg.escrow !== null);
    return [...legs, data[3].fundsHeld, data[4].held?.length ?? null];
  };
  expect(await seen(sender)).toEqual([true, true, true, false, 3]);
  expect(await seen(carriers[1])).toEqual([false, true, false, false, null]);
  await payments.capture(order);
  expect(await seen(sender)).toEqual([true, true, true, true, 3]);
  expect(await seen(carriers[1])).toEqual([false, true, false, true, null]);
  expect(await seen(stranger)).toEqual([false, false, false, null, null]);
  expect(await seen({ kind: 'anonymous' })).toEqual([false, false, false, null, null]);
});
