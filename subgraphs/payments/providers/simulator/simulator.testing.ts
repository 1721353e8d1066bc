/** Simulators for tests: each on a database of its own, with a hand-moved clock and a webhook receiver. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ManualClock } from '#shared/testing/clock.ts';
import { testDatabase } from '#shared/testing/postgres.ts';
import { type SimulatorOptions, type StripeSimulator, startStripeSimulator } from './simulator.ts';

export const SECRET_KEY = 'sk_test_simulator';
export const PUBLISHABLE_KEY = 'pk_test_simulator';
export const WEBHOOK_SECRET = 'whsec_simulator';

export interface ReceivedWebhook {
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
  readonly event: { readonly id: string; readonly type: string };
}

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** What is answered; 200 until changed. */
  status: number;
}

/** A platform that only writes down which webhooks reach it. */
export async function receiveWebhooks(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    received.push({ body, headers: request.headers, event: JSON.parse(body.toString()) });
    response.writeHead(receiver.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`,
    received,
    status: 200,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

export interface SimulatorWorld extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly webhooks: WebhookReceiver;
  readonly simulator: StripeSimulator;
  /** Another simulator on the same database. */
  start(options?: Partial<SimulatorOptions>): Promise<StripeSimulator>;
  /** A request of the simulator's own. */
  control(method: string, path: string, body?: object): Promise<unknown>;
}

/** A simulator on an empty database. */
export async function simulatorWorld(options: Partial<SimulatorOptions> = {}): Promise<SimulatorWorld> {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await testDatabase());
  const webhooks = opened.use(await receiveWebhooks());
  const clock = new ManualClock();
  const start = (more: Partial<SimulatorOptions> = {}) =>
    startStripeSimulator({
      databaseUrl: database.url,
      clock,
      webhooks: [{ url: webhooks.url, secret: WEBHOOK_SECRET }],
      secretKey: SECRET_KEY,
      publishableKey: PUBLISHABLE_KEY,
      pollMs: 10,
      ...options,
      ...more,
    });
  const simulator = opened.use(await start());
  const kept = opened.move();
  return {
    clock,
    webhooks,
    simulator,
    start,
    async control(method, path, body) {
      const response = await fetch(`${simulator.url}/_simulator/${path}`, {
        method,
        headers: { authorization: `Bearer ${SECRET_KEY}` },
        signal: AbortSignal.timeout(5_000),
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      if (!response.ok) throw new Error(await response.text());
      return response.json();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Resolves when a condition holds; fails after `withinMs` of real time. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition did not come true in time');
    await delay(10);
  }
}

/** The cardholder's browser on the issuer's page: shows it, presses a button, gives where it is sent back to. */
export async function answerChallenge(
  redirectUrl: string,
  outcome: 'complete' | 'fail',
): Promise<string | null> {
  const signal = AbortSignal.timeout(5_000);
  const shown = await fetch(redirectUrl, { signal });
  if (!shown.ok || !(await shown.text()).includes(`value="${outcome}"`))
    throw new Error('no challenge is shown');
  const answered = await fetch(redirectUrl, {
    method: 'POST',
    body: new URLSearchParams({ outcome }),
    redirect: 'manual',
    signal,
  });
  await answered.body?.cancel();
  return answered.headers.get('location');
}
