/** What the unmodified `stripe` client meets at the simulator, beyond what our port needs. */
import Stripe from 'stripe';
import {
  answerChallenge,
  PUBLISHABLE_KEY,
  SECRET_KEY,
  type SimulatorWorld,
  simulatorWorld,
  until,
} from './simulator.testing.ts';

let world: SimulatorWorld;
beforeAll(async () => {
  world = await simulatorWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
afterEach(() => world.simulator.faults.clear());

const client = (key = SECRET_KEY, { port } = world.simulator) =>
  new Stripe(key, { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0, timeout: 5_000 });

const card = (more: Partial<Stripe.PaymentIntentCreateParams> = {}): Stripe.PaymentIntentCreateParams => ({
  amount: 8960,
  currency: 'eur',
  capture_method: 'manual',
  payment_method: 'pm_card_visa',
  confirm: true,
  return_url: 'https://baton.example/back',
  ...more,
});

/** A request that the client's types would not let through. */
async function post(path: string, body: string, key = SECRET_KEY) {
  const response = await fetch(`${world.simulator.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body,
    signal: AbortSignal.timeout(5_000),
  });
  return { status: response.status, body: (await response.json()) as { error: Record<string, unknown> } };
}

describe('parameters', () => {
  test.each([
    ['amuont=5', 'parameter_unknown', 'amuont', 'Received unknown parameter: amuont'],
    [
      'amount=5&currency=eur&payment_method_data[kard]=1',
      'parameter_unknown',
      'payment_method_data[kard]',
      '',
    ],
    ['currency=eur', 'parameter_missing', 'amount', 'Missing required param: amount.'],
    ['amount=5.5&currency=eur', 'parameter_invalid_integer', 'amount', 'Invalid integer: 5.5'],
    ['amount=49&currency=eur', 'amount_too_small', 'amount', ''],
    ['amount=1001&currency=kwd', 'parameter_invalid_integer', 'amount', ''],
  ])('%s is refused as %s', async (body, code, param, message) => {
    const refused = await post('/v1/payment_intents', body);
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_request_error', code, param } },
    });
    if (message) expect(refused.body.error.message).toBe(message);
  });

  test('a request that Stripe does not have is unrecognized', async () => {
    expect(await post('/v1/parcels', '')).toMatchObject({ status: 404 });
  });

  test('a field name cannot reach a prototype', async () => {
    expect(await post('/v1/payment_intents', '__proto__[x]=1&constructor=2')).toMatchObject({ status: 400 });
  });

  test('expanded members are objects, and what is not there cannot be expanded', async () => {
    const paid = await client().paymentIntents.create(
      card({ capture_method: 'automatic', expand: ['latest_charge.balance_transaction'] }),
    );
    const charge = paid.latest_charge as Stripe.Charge;
    expect(charge.balance_transaction).toMatchObject({
      amount: 8960,
      fee: 150,
      net: 8810,
      status: 'pending',
    });
    await expect(client().paymentIntents.retrieve(paid.id, { expand: ['parcel'] })).rejects.toMatchObject({
      type: 'StripeInvalidRequestError',
      param: 'expand',
    });
  });

  test('lists are paged by cursor, newest first', async () => {
    const { id: customer } = await client().customers.create({});
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1)
      made.unshift((await client().paymentIntents.create({ amount: 100, currency: 'eur', customer })).id);
    const listed: string[] = [];
    for await (const intent of client().paymentIntents.list({ customer, limit: 2 })) listed.push(intent.id);
    expect(listed).toEqual(made);
  });

  test('payments are searched by metadata', async () => {
    const { id } = await client().paymentIntents.create(card({ metadata: { operation: "it's:1" } }));
    const found = await client().paymentIntents.search({ query: "metadata['operation']:'it's:1'" });
    expect(found.data.map((intent) => intent.id)).toEqual([id]);
  });
});

describe('keys', () => {
  test('a wrong key is no key', async () => {
    await expect(client('sk_test_wrong').balance.retrieve()).rejects.toMatchObject({
      type: 'StripeAuthenticationError',
      statusCode: 401,
    });
  });

  test('a browser confirms its own payment and does nothing else', async () => {
    const browser = client(PUBLISHABLE_KEY);
    const { id, client_secret } = await client().paymentIntents.create({
      amount: 1000,
      currency: 'eur',
      capture_method: 'manual',
      metadata: { operation: 'secret' },
    });
    await expect(browser.paymentIntents.retrieve(id)).rejects.toMatchObject({ statusCode: 404 });
    await expect(browser.paymentIntents.capture(id)).rejects.toMatchObject({ statusCode: 401 });
    const { id: payment_method } = await browser.paymentMethods.create({
      type: 'card',
      card: { number: '4242424242424242', exp_month: 12, exp_year: 2030, cvc: '123' },
    });
    const confirmed = await browser.paymentIntents.confirm(id, {
      payment_method,
      ...{ client_secret: client_secret ?? '' },
    });
    expect(confirmed).toMatchObject({ status: 'requires_capture', metadata: {}, latest_charge: null });
  });

  test('a real card number is not taken', async () => {
    await expect(
      client().paymentMethods.create({
        type: 'card',
        card: { number: '4111111111111111', exp_month: 12, exp_year: 2030, cvc: '123' },
      }),
    ).rejects.toMatchObject({ type: 'StripeCardError', decline_code: 'test_mode_live_card' });
  });

  test('the simulator’s own controls want the secret key', async () => {
    expect(await post('/_simulator/faults', '{"kind":"drop_reply"}', PUBLISHABLE_KEY)).toMatchObject({
      status: 401,
    });
    expect(await post('/_simulator/faults', '{"kind":"earthquake"}')).toMatchObject({ status: 400 });
    expect(await post('/_simulator/faults', '{"kind":"rate_limit","on":"customers.create"}')).toMatchObject({
      status: 200,
    });
    await expect(client().customers.create({})).rejects.toMatchObject({ type: 'StripeRateLimitError' });
  });
});

describe('idempotency', () => {
  const key = () => ({ idempotencyKey: crypto.randomUUID() });

  test.each([
    ['error_before', 0],
    ['error_after', 1],
  ] as const)('a 500 (%s) is kept and answered again, with %i effect', async (kind, effects) => {
    const options = key();
    const params = card({ metadata: { operation: options.idempotencyKey } });
    world.simulator.faults.add({ kind, on: 'payment_intents.create' });
    for (const _ of [1, 2])
      await expect(client().paymentIntents.create(params, options)).rejects.toMatchObject({
        statusCode: 500,
      });
    const made = Object.values((await world.simulator.state()).paymentIntents);
    expect(made.filter(({ metadata }) => metadata.operation === options.idempotencyKey)).toHaveLength(
      effects,
    );
  });

  test('a repeated request says so, and a key is good for one request only', async () => {
    const options = key();
    const first = await client().paymentIntents.create(card(), options);
    const again = await client().paymentIntents.create(card(), options);
    expect(again).toEqual(first);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    expect(again.lastResponse.headers['original-request']).toBe(first.lastResponse.requestId);
    await expect(client().paymentIntents.create(card({ amount: 1 + 8960 }), options)).rejects.toMatchObject({
      type: 'StripeIdempotencyError',
      statusCode: 400,
    });
  });

  test('what was refused before it began is not kept', async () => {
    const options = key();
    await expect(client().paymentIntents.create(card({ amount: -1 }), options)).rejects.toThrow();
    world.simulator.faults.add({ kind: 'rate_limit', on: 'payment_intents.create' });
    await expect(client().paymentIntents.create(card(), key())).rejects.toMatchObject({ statusCode: 429 });
  });

  test('while the first request runs, the second gets 409', async () => {
    const options = key();
    world.simulator.faults.add({ kind: 'stall_before', on: 'payment_intents.create', ms: 400 });
    const first = client().paymentIntents.create(card(), options);
    await until(() => world.simulator.faults.list().length === 0);
    await expect(client().paymentIntents.create(card(), options)).rejects.toMatchObject({
      statusCode: 409,
      code: 'idempotency_key_in_use',
    });
    expect((await first).status).toBe('requires_capture');
  });

  test('a key is forgotten after a day', async () => {
    const options = key();
    const first = await client().paymentIntents.create(card(), options);
    await world.clock.advance('25h');
    expect((await client().paymentIntents.create(card({ amount: 100 }), options)).id).not.toBe(first.id);
  });
});

describe('money', () => {
  test('of many captures at once, through two simulators, one takes the money', async () => {
    await using second = await world.start();
    const { id } = await client().paymentIntents.create(card());
    const attempts = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) =>
        client(SECRET_KEY, n % 2 ? second : world.simulator).paymentIntents.capture(id),
      ),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await world.simulator.state()).paymentIntents[id]).toMatchObject({ captures: 1, captured: 8960 });
  });

  test('of many refunds at once, no more comes back than was paid', async () => {
    const { id } = await client().paymentIntents.create(card({ capture_method: 'automatic' }));
    await Promise.allSettled(
      Array.from({ length: 8 }, () => client().refunds.create({ payment_intent: id, amount: 2000 })),
    );
    expect((await world.simulator.state()).paymentIntents[id]).toMatchObject({ refunds: 4, refunded: 8000 });
  });

  test('of many transfers at once, no more leaves than is available', async () => {
    const { id: destination } = await client().accounts.create({
      type: 'express',
      capabilities: { transfers: { requested: true } },
    });
    await world.control('POST', `accounts/${destination}`, { payoutsEnabled: true });
    const available = (await world.simulator.state()).balance.gbp?.available ?? 0;
    await client().paymentIntents.create(
      card({
        currency: 'gbp',
        amount: 1000,
        capture_method: 'automatic',
        payment_method: 'pm_card_bypassPending',
      }),
    );
    const sent = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        client().transfers.create({ amount: 300, currency: 'gbp', destination }),
      ),
    );
    // 1000 less the fee of 39 leaves 961.
    expect(available).toBe(0);
    expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    const { balance, connectedBalances } = await world.simulator.state();
    expect(balance.gbp).toEqual({ available: 61, pending: 0 });
    expect(connectedBalances[destination]).toEqual({ gbp: { available: 900, pending: 0 } });
  });

  test('a charge is pending until it settles by the clock', async () => {
    const sums = async () =>
      (await client().balance.retrieve()).pending.find((b) => b.currency === 'usd')?.amount;
    await client().paymentIntents.create(card({ currency: 'usd', capture_method: 'automatic' }));
    expect(await sums()).toBe(8810);
    await world.clock.advance('2d');
    expect(await sums()).toBe(0);
  });
});

test('a restarted simulator knows everything, at a new address', async () => {
  await using own = await simulatorWorld();
  const first = await own.start();
  const payment = await client(SECRET_KEY, first).paymentIntents.create(
    card({ payment_method: 'pm_card_threeDSecure2Required' }),
    { idempotencyKey: 'booking-1' },
  );
  await first[Symbol.asyncDispose]();
  await using second = await own.start();
  const stripe = client(SECRET_KEY, second);
  const replayed = await stripe.paymentIntents.create(
    card({ payment_method: 'pm_card_threeDSecure2Required' }),
    { idempotencyKey: 'booking-1' },
  );
  expect(replayed.id).toBe(payment.id);
  const page = replayed.next_action?.redirect_to_url?.url ?? '';
  expect(page).toContain(second.url);
  await answerChallenge(page, 'complete');
  expect(await stripe.paymentIntents.retrieve(payment.id)).toMatchObject({ status: 'requires_capture' });
});
