/** Lost answers, crashes and late news: whatever happens on the way, one effect and balanced books. */
import { PaymentCancelled, PaymentCaptured } from '#shared/events/payments.ts';
import { PeerUnreachable } from '#shared/runtime/transient.ts';
import {
  anOrder,
  type Opened,
  type PaymentWorld,
  startPaymentWorld,
  stranger,
} from '../testing/payment-world.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
});
afterEach(async () => {
  payments.faults.clear();
  await payments.world.pass('2h');
  await payments.requireSoundBooks();
  expect(
    await payments.rows(`select 1 from psp_operations where state in ('prepared', 'sent', 'unknown')`),
  ).toEqual([]);
});
afterAll(() => payments[Symbol.asyncDispose]());

/** How the processor has a payment of ours. */
async function atProcessor({ itineraryId }: { itineraryId: string }) {
  const [row] = await payments.rows<{ id: string }>(
    'select processor_payment_id as id from payment_intents where itinerary_id = ?',
    [itineraryId],
  );
  return (await payments.bank.simulator.state()).paymentIntents[row!.id]!;
}

const toldOf = async (event: Parameters<PaymentWorld['world']['told']>[0], { itineraryId }: Opened) =>
  (await payments.world.told(event)).filter(
    (payload) => (payload as { itineraryId: string }).itineraryId === itineraryId,
  ).length;

test('a payment whose opening got no answer is found, not opened twice', async () => {
  const order = anOrder();
  payments.faults.add({ kind: 'drop_reply', on: 'payment_intents.create', times: 2 });
  await expect(payments.opened(order)).rejects.toThrow(PeerUnreachable);
  expect(await payments.stateOf(order)).toBe('unknown');
  const opened = await payments.opened(order);
  const { paymentIntents } = await payments.bank.simulator.state();
  const [operation] = await payments.rows<{ id: string }>(
    'select id from psp_operations where subject_id = ?',
    [opened.paymentId],
  );
  const made = Object.values(paymentIntents).filter(({ metadata }) =>
    metadata.operation?.startsWith(operation!.id),
  );
  expect(made).toHaveLength(1);
  expect(await payments.stateOf(order)).toBe('requires_payment_method');
});

test.each(['drop_reply', 'error_after', 'error_before', 'rate_limit'] as const)(
  'a capture that ends in %s is an error to be asked again, and takes the money once',
  async (kind) => {
    const order = await payments.authorised();
    payments.faults.add({ kind, on: 'payment_intents.capture', times: kind === 'drop_reply' ? 2 : 1 });
    await expect(payments.capture(order)).rejects.toThrow(PeerUnreachable);
    expect(await payments.stateOf(order)).toBe('unknown');
    await payments.world.pass('1h');
    expect(await payments.stateOf(order)).toBe('succeeded');
    expect(await atProcessor(order)).toMatchObject({ captures: 1, captured: 8960 });
    expect(await toldOf(PaymentCaptured, order)).toBe(1);
    expect(await payments.capture(order)).toMatchObject({ state: 'succeeded' });
  },
);

test('a process that dies after the processor took the money and before we knew books it once', async () => {
  const order = await payments.authorised();
  // The commit that follows the vendor's answer fails, as it does when the process is killed.
  const table = 'alter table charges add constraint dies check (false) not valid';
  await payments.world.database('payments').transaction((tx) => tx.sql(table));
  await expect(payments.capture(order)).rejects.toThrow();
  expect(await atProcessor(order)).toMatchObject({ captures: 1 });
  expect(await payments.stateOf(order)).toBe('requires_capture');
  await payments.world
    .database('payments')
    .transaction((tx) => tx.sql('alter table charges drop constraint dies'));
  await payments.world.pass('10m');
  expect(await payments.stateOf(order)).toBe('succeeded');
  expect(await atProcessor(order)).toMatchObject({ captures: 1, captured: 8960 });
  expect(
    await payments.rows(`select 1 from ledger_journals where key = ?`, [`captured:${order.paymentId}`]),
  ).toHaveLength(1);
  expect(await toldOf(PaymentCaptured, order)).toBe(1);
});

test('ten captures at once take the money once', async () => {
  const order = await payments.authorised();
  await Promise.allSettled(Array.from({ length: 10 }, () => payments.capture(order)));
  await payments.world.pass('10m');
  expect(await payments.stateOf(order)).toBe('succeeded');
  expect(await atProcessor(order)).toMatchObject({ captures: 1 });
  expect(await toldOf(PaymentCaptured, order)).toBe(1);
});

test.each(['drop_reply', 'error_after', 'error_before'] as const)(
  'a refund that ends in %s gives back once; what is on its way back cannot be released meanwhile',
  async (kind) => {
    const order = await payments.captured();
    payments.faults.add({ kind, on: 'refunds.create', times: kind === 'drop_reply' ? 2 : 1 });
    await expect(payments.cancel(order)).rejects.toThrow(PeerUnreachable);
    await payments.handedOver(order, 0);
    await payments.world.pass('1h');
    expect(await payments.stateOf(order)).toBe('refunded');
    expect(await atProcessor(order)).toMatchObject({ refunds: 1, refunded: 8960 });
    expect(await toldOf(PaymentCancelled, order)).toBe(1);
    const escrow = await payments.rows<{ state: string }>(
      'select distinct state from escrow_entries where itinerary_id = ?',
      [order.itineraryId],
    );
    expect(escrow).toEqual([{ state: 'refunded' }]);
  },
);

test('an attempt on a card whose answer was lost blocks the next one until it is known', async () => {
  const order = await payments.opened();
  payments.faults.add({ kind: 'drop_reply', on: 'payment_intents.confirm', times: 2 });
  expect((await payments.pay(order.paymentId)).codes).toEqual(['PAYMENT_OUTCOME_UNKNOWN']);
  // Another card is chosen, but the first one had been authorised: it is not charged twice.
  const { data } = await payments.pay(order.paymentId, 'pm_card_mastercard');
  expect(data.processPayment.state).toBe('REQUIRES_CAPTURE');
  expect(
    await payments.rows('select 1 from psp_operations where subject_id = ? and kind = ?', [
      order.paymentId,
      'try card',
    ]),
  ).toHaveLength(1);

  const declined = await payments.opened();
  payments.faults.add({ kind: 'drop_reply', on: 'payment_intents.confirm', times: 2 });
  expect((await payments.pay(declined.paymentId, 'pm_card_chargeDeclined')).codes).toEqual([
    'PAYMENT_OUTCOME_UNKNOWN',
  ]);
  await payments.world.pass('1m');
  expect(await payments.stateOf(declined)).toBe('requires_payment_method');
});

test('letting go a payment whose capture is unknown gives back what was taken', async () => {
  const order = await payments.authorised();
  payments.faults.add({ kind: 'drop_reply', on: 'payment_intents.capture', times: 2 });
  await expect(payments.capture(order)).rejects.toThrow(PeerUnreachable);
  await payments.cancel(order);
  expect(await payments.stateOf(order)).toBe('refunded');
  expect(await atProcessor(order)).toMatchObject({ captures: 1, refunds: 1, refunded: 8960 });
});

test('a payment that nobody opened at the processor yet is let go without asking it', async () => {
  const order = { ...anOrder(), payerId: stranger.userId };
  payments.faults.add({ kind: 'rate_limit', on: 'customers.create' });
  await expect(payments.opened(order)).rejects.toThrow(PeerUnreachable);
  await payments.cancel(order);
  expect(await payments.stateOf(order)).toBe('canceled');
  const again = await payments.opened(order);
  expect(await payments.stateOf(again)).toBe('canceled');
  expect((await payments.pay(again.paymentId, 'pm_card_visa', stranger)).codes).toEqual([
    'INVALID_TRANSITION',
  ]);
});
