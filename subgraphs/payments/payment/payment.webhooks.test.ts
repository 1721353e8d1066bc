import fc from 'fast-check';
import { PaymentAuthorised, PaymentCaptured } from '#shared/events/payments.ts';
import { type ReceivedWebhook, WEBHOOK_SECRET } from '../providers/simulator/simulator.testing.ts';
import { signatureHeader } from '../providers/simulator/webhooks.ts';
import { type PaymentWorld, startPaymentWorld } from '../testing/payment-world.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
});
afterAll(() => payments[Symbol.asyncDispose]());

/** An event as the processor would sign it. */
function anEvent(
  object: object,
  { id = `evt_${crypto.randomUUID()}`, secret = WEBHOOK_SECRET, at = 0 } = {},
) {
  const seconds = Math.floor(payments.world.clock.now().getTime() / 1000) + at;
  const event = { id, object: 'event', type: 'payment_intent.succeeded', created: seconds, data: { object } };
  const body = Buffer.from(JSON.stringify(event));
  return { id, body, headers: { 'stripe-signature': signatureHeader(body.toString(), secret, seconds) } };
}

const codeOf = (answer: unknown) => (answer as { code: string }).code;

const kept = async (id: string) =>
  (
    await payments.rows<{ state: string; attempts: number }>(
      'select state, attempts from psp_events where id = ?',
      [id],
    )
  )[0];

test('an event sent twenty times at once is kept and processed once', async () => {
  const order = await payments.authorised();
  const webhook = (await payments.webhooks()).find(
    ({ event }) => event.type === 'payment_intent.amount_capturable_updated',
  )!;
  const answers = await Promise.all(Array.from({ length: 20 }, () => payments.deliver(webhook)));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  await payments.world.settle();
  expect(await kept(webhook.event.id)).toEqual({ state: 'processed', attempts: 1 });
  expect(await payments.stateOf(order)).toBe('requires_capture');
});

test('a forged, altered, stale or early event is refused and nothing is kept', async () => {
  const object = { id: 'pi_1', object: 'payment_intent' };
  const forged = anEvent(object, { secret: 'whsec_of_somebody' });
  const altered = { ...anEvent(object), body: anEvent({ ...object, id: 'pi_2' }).body };
  for (const event of [forged, altered]) {
    const answer = await payments.deliver(event);
    expect([answer.status, codeOf(await answer.json())]).toEqual([403, 'WEBHOOK_SIGNATURE_INVALID']);
  }
  for (const at of [-301, 301]) {
    const answer = await payments.deliver(anEvent(object, { at }));
    expect(codeOf(await answer.json())).toBe('WEBHOOK_TIMESTAMP_OUTSIDE_TOLERANCE');
  }
  expect(await kept(forged.id)).toBeUndefined();
});

test('an event never carries truth: a payment that is not captured there is not captured here', async () => {
  const order = await payments.authorised();
  const [row] = await payments.rows<{ id: string }>(
    'select processor_payment_id as id from payment_intents where id = ?',
    [order.paymentId],
  );
  await payments.deliver(anEvent({ id: row!.id, object: 'payment_intent', status: 'succeeded' }));
  await payments.world.settle();
  expect(await payments.stateOf(order)).toBe('requires_capture');
});

test('an event about a payment that we do not know yet is parked until we do', async () => {
  const order = await payments.opened();
  const forget = async (id: string | null) =>
    payments.world
      .database('payments')
      .transaction((tx) =>
        tx.sql('update payment_intents set processor_payment_id = ? where id = ?', [id, order.paymentId]),
      );
  const [row] = await payments.rows<{ id: string }>(
    'select processor_payment_id as id from payment_intents where id = ?',
    [order.paymentId],
  );
  await forget(null);
  const event = anEvent({ id: row!.id, object: 'payment_intent' });
  expect((await payments.deliver(event)).status).toBe(200);
  await payments.world.settle();
  expect(await kept(event.id)).toEqual({ state: 'parked', attempts: 1 });
  await forget(row!.id);
  await payments.world.pass('2m');
  expect(await kept(event.id)).toEqual({ state: 'processed', attempts: 2 });
});

test('an event about nothing of ours is given up after a day; one of no interest is kept and ignored', async () => {
  const strange = anEvent({ id: 'pi_never_made', object: 'payment_intent' });
  const dull = anEvent({ id: 'cus_1', object: 'customer' });
  await payments.deliver(strange);
  await payments.deliver(dull);
  await payments.world.pass('25h');
  expect((await kept(strange.id))!.state).toBe('given_up');
  expect((await kept(dull.id))!.state).toBe('ignored');
});

test('any order of any events, with repetitions, ends in the same state', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const before = new Set((await payments.webhooks()).map(({ event }) => event.id));
      const order = await payments.captured();
      const sent = (await payments.webhooks()).filter(({ event }) => !before.has(event.id));
      for (const webhook of shuffled([...sent, ...sent.slice(0, 3)], seed)) {
        await payments.deliver(webhook);
        if (seed % 2 === 0) await payments.world.settle();
      }
      await payments.world.settle();
      expect(await payments.stateOf(order)).toBe('succeeded');
      const facts = [
        ...(await payments.world.told(PaymentAuthorised)),
        ...(await payments.world.told(PaymentCaptured)),
      ].filter(({ itineraryId }) => itineraryId === order.itineraryId);
      expect(facts).toHaveLength(2);
    }),
    { numRuns: 6 },
  );
  await payments.requireSoundBooks();
});

function shuffled(webhooks: readonly ReceivedWebhook[], seed: number): ReceivedWebhook[] {
  const rank = ({ event }: ReceivedWebhook, index: number) =>
    [...`${event.id}${index}${seed}`].reduce(
      (sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0,
      seed >>> 0,
    );
  return webhooks
    .map((webhook, index) => ({ webhook, rank: rank(webhook, index) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ webhook }) => webhook);
}
