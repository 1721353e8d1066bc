import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PaymentsContract } from '#shared/contracts/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { Secrets } from '#shared/runtime/secrets.ts';
import { ManualClock } from '#shared/testing/clock.ts';
import { testDatabase } from '#shared/testing/postgres.ts';
import { startWorld } from '../../testing/world.ts';
import { readPaymentsConfig } from '../payments.config.ts';
import { anOrder, sender } from '../testing/payment-world.ts';
import { openProcessor } from './open-processor.ts';

const depsFor = (databaseUrl: string, env: Record<string, string>) => ({
  config: readPaymentsConfig(env),
  databaseUrl,
  publicUrl: 'http://baton.test',
  secrets: new Secrets(Buffer.alloc(32, 7).toString('base64url')),
  clock: new ManualClock(),
  logger: createLogger('silent'),
});

test('without a key the platform pays with its own simulator, with nothing to set up', async () => {
  await using world = await startWorld({ subgraphs: ['payments'], env: { SIMULATOR_PORT: '0' } });
  const order = anOrder();
  const { paymentId } = await world.ask(PaymentsContract).openPayment(order, { key: newId() });
  const { data } = await world.execute(
    'payments',
    `mutation ($input: ProcessPaymentInput!) {
       processPayment(input: $input) { ... on Payment { state publishableKey } } }`,
    { input: { paymentId, paymentMethodId: 'pm_card_visa', returnUrl: 'https://app.example/' } },
    sender,
  );
  expect(data.processPayment).toEqual({
    state: 'REQUIRES_CAPTURE',
    publishableKey: expect.stringMatching(/^pk_test_/),
  });
});

test('processes of one database share a simulator; a stranger on the port is told', async () => {
  await using database = await testDatabase();
  const stranger = createServer((_, response) => response.writeHead(200).end('hello'));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { port } = stranger.address() as AddressInfo;
  const deps = depsFor(database.url, { SIMULATOR_PORT: String(port) });
  try {
    // It answers everything with 200, and what it answers is no list of faults.
    await expect(openProcessor(deps)).rejects.toThrow(`SIMULATOR_PORT: ${port} is taken`);
  } finally {
    await new Promise((resolve) => stranger.close(resolve));
  }
  await using first = await openProcessor(deps);
  await using second = await openProcessor(deps);
  const { payment } = await first.processor.authorise({
    operationKey: newId(),
    amount: anOrder().total,
    capture: 'LATER',
  });
  expect(await second.processor.retrieve(payment.id)).toMatchObject({ id: payment.id });
  await using other = await testDatabase();
  await expect(openProcessor({ ...deps, databaseUrl: other.url })).rejects.toThrow('is taken');
});

test('a key without webhook secrets is a fault of the configuration, and so are delays that are none', async () => {
  await using database = await testDatabase();
  await expect(openProcessor(depsFor(database.url, { STRIPE_SECRET_KEY: 'sk_test_1' }))).rejects.toThrow(
    'STRIPE_WEBHOOK_SECRETS',
  );
  expect(() => readPaymentsConfig({ SIMULATOR_DELAYS: 'settlement=soon' })).toThrow('SIMULATOR_DELAYS');
  expect(() => readPaymentsConfig({ SIMULATOR_DELAYS: 'holiday=2d' })).toThrow('SIMULATOR_DELAYS');
  expect(readPaymentsConfig({ SIMULATOR_DELAYS: 'settlement=2s,payout=1m' }).SIMULATOR_DELAYS).toEqual({
    settlementMs: 2_000,
    payoutMs: 60_000,
  });
});
