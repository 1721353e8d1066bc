/**
 * A stand-in for Stripe that the unmodified `stripe` package talks to over HTTP. Its state is in PostgreSQL:
 * it survives restarts, and several simulators may serve one database. What it does not implement it refuses.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Stripe from 'stripe';
import { type Clock, DAY, HOUR, SECOND, systemClock } from '#shared/kernel/time.ts';
import type { Logger } from '#shared/runtime/logger.ts';
import { Api } from './api.ts';
import { ApiError, internalError, invalidRequest } from './api-error.ts';
import { type Delays, SELF } from './context.ts';
import { controlAccount, controlFaults, type SimulatorState, stateOf, unknownControl } from './control.ts';
import { Faults } from './faults.ts';
import { challengePage, onboardingPage, type PageAnswer } from './pages.ts';
import { Store } from './store.ts';
import { type Backoff, type Endpoint, WebhookSender } from './webhooks.ts';

export type { SimulatorState } from './control.ts';
export type { Fault, Faults } from './faults.ts';

export interface SimulatorOptions {
  readonly databaseUrl: string;
  readonly schema?: string;
  /** On 127.0.0.1; any free one when 0. */
  readonly port?: number;
  /** Address under which people reach the simulator's pages, when it is not the listening one. */
  readonly publicUrl?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly webhooks: readonly Endpoint[];
  readonly secretKey: string;
  readonly publishableKey: string;
  readonly delays?: Partial<Delays>;
  readonly webhookBackoff?: Backoff;
  /** How often, in real milliseconds, the simulator looks for what is due. */
  readonly pollMs?: number;
}

export interface StripeSimulator extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly faults: Faults;
  /** What happened so far, for assertions. */
  readonly state: () => Promise<SimulatorState>;
}

const LARGEST_BODY = 1_000_000;

/** Starts a simulator; resolves when it listens. */
export async function startStripeSimulator(options: SimulatorOptions): Promise<StripeSimulator> {
  const { logger, clock = systemClock, publicUrl } = options;
  const faults = new Faults();
  const stopping = new AbortController();
  const store = await Store.open(options.databaseUrl, options.schema ?? 'stripe_simulator', (error) =>
    logger?.warn({ err: error }, 'the simulator lost an idle connection'),
  );
  const api = new Api({
    store,
    faults,
    delays: { settlementMs: 2 * DAY, payoutMs: 2 * DAY, authorisationMs: 7 * DAY, ...options.delays },
    webhookUrls: options.webhooks.map(({ url }) => url),
    secretKey: options.secretKey,
    publishableKey: options.publishableKey,
    now: () => Math.floor(clock.now().getTime() / 1000),
    wait: (ms) => delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined),
    logger,
  });
  const sender = new WebhookSender({
    store,
    clock,
    faults,
    endpoints: options.webhooks,
    backoff: options.webhookBackoff ?? { firstMs: SECOND, longestMs: HOUR },
    stopping: stopping.signal,
  });

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    respond(request, response).catch((error: unknown) => {
      const known = error instanceof ApiError ? error : internalError();
      if (known.status === 500) logger?.error({ err: error }, 'the simulator failed');
      if (response.headersSent) response.destroy();
      else send(response, known.status, 'application/json', JSON.stringify({ error: known.error }));
    });
  });
  const url = () => publicUrl ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function send(response: ServerResponse, status: number, type: string, body: string, headers = {}): void {
    response.writeHead(status, { 'content-type': type, ...headers });
    response.end(body.replaceAll(SELF, url()));
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const { pathname, search } = new URL(request.url ?? '/', 'http://simulator');
    const method = request.method ?? 'GET';
    if (pathname.startsWith('/_simulator/')) return respondItself(request, response, method, pathname, body);
    const answer = await api.answer({
      method,
      path: pathname,
      query: search.slice(1),
      body,
      authorization: request.headers.authorization,
      account: header(request, 'stripe-account') ?? header(request, 'stripe-context') ?? '',
      idempotencyKey: header(request, 'idempotency-key'),
    });
    if (answer.dropped) return void response.destroy();
    send(response, answer.status, 'application/json', answer.body, {
      'stripe-version': Stripe.API_VERSION,
      ...answer.headers,
    });
  }

  async function respondItself(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    path: string,
    body: string,
  ): Promise<void> {
    const [section = '', first = '', second = ''] = path.split('/').slice(2);
    if ((section === '3ds' || section === 'onboarding') && (method === 'GET' || method === 'POST')) {
      const outcome = method === 'GET' ? null : (new URLSearchParams(body).get('outcome') ?? '');
      const show = section === '3ds' ? challengePage : onboardingPage;
      const page: PageAnswer = await store.transaction((tx) =>
        show(api.contextFor(tx), first, second, outcome),
      );
      return send(response, page.location ? 303 : page.status, 'text/html; charset=utf-8', page.html, {
        ...(page.location ? { location: page.location } : {}),
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      });
    }
    api.requireSecretKey(request.headers.authorization);
    const answer: object =
      section === 'faults' && first === ''
        ? controlFaults(faults, method, body)
        : section === 'state' && method === 'GET'
          ? await state()
          : section === 'accounts' && method === 'POST'
            ? await store.transaction((tx) => controlAccount(api.contextFor(tx), first, body))
            : unknownControl(path);
    send(response, 200, 'application/json', JSON.stringify(answer, null, 2));
  }

  async function state(): Promise<SimulatorState> {
    await api.settleDue('wait');
    return store.transaction((tx) => stateOf(api.contextFor(tx)));
  }

  async function live(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      try {
        await api.settleDue('skip');
        if ((await sender.sendDue()) > 0) continue;
      } catch (error) {
        if (!signal.aborted) logger?.warn({ err: error }, 'the simulator could not do what was due');
      }
      await delay(options.pollMs ?? 250, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  const living = live();

  return {
    url: url(),
    port: (server.address() as AddressInfo).port,
    faults,
    state,
    async [Symbol.asyncDispose]() {
      if (stopping.signal.aborted) return;
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Requests under way get a moment to end; a stalled or forgotten connection does not hold the simulator.
      await Promise.race([closed, delay(2_000, undefined, { ref: false })]);
      server.closeAllConnections();
      await Promise.all([closed, living]);
      await store[Symbol.asyncDispose]();
    },
  };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw invalidRequest('The request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
