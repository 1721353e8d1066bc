import Stripe from 'stripe';
import { createStripeProcessor } from '../stripe.ts';
import {
  type ReceivedWebhook,
  SECRET_KEY,
  type SimulatorWorld,
  simulatorWorld,
  until,
  WEBHOOK_SECRET,
} from './simulator.testing.ts';

const client = ({ port }: { port: number }) =>
  new Stripe(SECRET_KEY, { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0, timeout: 5_000 });

const pay = (world: SimulatorWorld) =>
  client(world.simulator).paymentIntents.create({
    amount: 1000,
    currency: 'eur',
    capture_method: 'manual',
    payment_method: 'pm_card_visa',
    confirm: true,
    return_url: 'https://baton.example/back',
  });

const types = (received: readonly ReceivedWebhook[]) => received.map(({ event }) => event.type);
const inOrder = ['payment_intent.created', 'charge.succeeded', 'payment_intent.amount_capturable_updated'];

test('what happens is told in order, once, and signed as our adapter expects', async () => {
  await using world = await simulatorWorld();
  const { id } = await pay(world);
  await until(() => world.webhooks.received.length === 3);
  expect(types(world.webhooks.received)).toEqual(inOrder);
  const processor = createStripeProcessor({ secretKey: SECRET_KEY, webhookSecrets: [WEBHOOK_SECRET] });
  for (const { body, headers } of world.webhooks.received)
    expect(processor.verifyWebhook(body, headers, world.clock.now())).toMatchObject({
      objectKind: 'PAYMENT',
      objectId: id,
    });
});

test('a refused delivery is repeated with growing pauses until it is taken', async () => {
  await using world = await simulatorWorld({ webhookBackoff: { firstMs: 60_000, longestMs: 3_600_000 } });
  const attempts = (count: number) =>
    until(async () => (await world.simulator.state()).webhooks.attempts === count);
  world.webhooks.status = 500;
  await client(world.simulator).customers.create({});
  await attempts(1);
  await world.clock.advance('60s');
  await attempts(2);
  await world.clock.advance('119s');
  world.webhooks.status = 200;
  expect((await world.simulator.state()).webhooks).toMatchObject({ waiting: 1, delivered: 0 });
  await world.clock.advance('1s');
  await attempts(3);
  expect((await world.simulator.state()).webhooks).toMatchObject({ waiting: 0, delivered: 1 });
  expect(new Set(world.webhooks.received.map(({ event }) => event.id)).size).toBe(1);
  expect(world.webhooks.received).toHaveLength(3);
});

test('what a stopped simulator left is sent by the next one', async () => {
  await using world = await simulatorWorld();
  world.simulator.faults.add({ kind: 'webhook_withhold' });
  await pay(world);
  expect((await world.simulator.state()).webhooks).toMatchObject({ waiting: 3, delivered: 0 });
  await world.simulator[Symbol.asyncDispose]();
  await using next = await world.start();
  await until(async () => (await next.state()).webhooks.delivered === 3);
  expect(types(world.webhooks.received)).toEqual(inOrder);
});

test('of two simulators one sends each event', async () => {
  await using world = await simulatorWorld();
  await using second = await world.start();
  for (let n = 0; n < 5; n += 1) await pay(world);
  await until(async () => (await second.state()).webhooks.waiting === 0);
  expect(world.webhooks.received).toHaveLength(15);
});

test('events can come twice, in another order, late', async () => {
  await using world = await simulatorWorld();
  const { faults } = world.simulator;
  const duplicate = faults.add({ kind: 'webhook_duplicate', copies: 3, on: 'charge.succeeded' });
  await pay(world);
  await until(() => world.webhooks.received.length === 5);
  expect(types(world.webhooks.received)).toEqual([
    inOrder[0],
    inOrder[1],
    inOrder[1],
    inOrder[1],
    inOrder[2],
  ]);
  faults.clear(duplicate);

  world.webhooks.received.length = 0;
  const reorder = faults.add({ kind: 'webhook_reorder', copies: 3 });
  await pay(world);
  await until(() => world.webhooks.received.length === 3);
  expect(types(world.webhooks.received)).toEqual(inOrder.toReversed());
  faults.clear(reorder);

  world.webhooks.received.length = 0;
  faults.add({ kind: 'webhook_delay', ms: 3_600_000, on: 'charge.succeeded' });
  await pay(world);
  await until(() => world.webhooks.received.length === 2);
  expect(types(world.webhooks.received)).not.toContain('charge.succeeded');
  await world.clock.advance('1h');
  await until(() => world.webhooks.received.length === 3);
});

test('events are kept and can be asked for', async () => {
  await using world = await simulatorWorld();
  world.simulator.faults.add({ kind: 'webhook_withhold' });
  const { id } = await pay(world);
  const events = await client(world.simulator).events.list({ type: 'charge.succeeded' });
  expect(events.data).toMatchObject([{ data: { object: { payment_intent: id } } }]);
  expect(await client(world.simulator).events.retrieve(events.data[0]?.id ?? '')).toMatchObject({
    type: 'charge.succeeded',
  });
});
