/**
 * Answers Stripe's API: who asks, what is asked, is it a repetition, what goes wrong on purpose, and then the
 * effect, its events and its kept answer in one transaction.
 */
import type { Logger } from '#shared/runtime/logger.ts';
import { accountRoutes } from './accounts.ts';
import { ApiError, internalError, noAccess, rateLimited, unauthorized } from './api-error.ts';
import { balanceRoutes } from './balance.ts';
import { chargeRoutes } from './charges.ts';
import type { Context, Delays } from './context.ts';
import { settleOneDue } from './due.ts';
import { eventRoutes } from './events.ts';
import type { Faults } from './faults.ts';
import { type FormTree, parseForm } from './form.ts';
import { claimKey, hashRequest, type KeyedRequest, keepAnswer } from './idempotency.ts';
import { expandAnswer } from './lists.ts';
import { paymentIntentRoutes } from './payment-intents.ts';
import { customerRoutes, paymentMethodRoutes } from './payment-methods.ts';
import { payoutRoutes } from './payouts.ts';
import { refundRoutes } from './refunds.ts';
import { type Answer, type Match, matchRoute, type Route } from './routes.ts';
import { type Store, stripeId, type Transaction } from './store.ts';
import { transferRoutes } from './transfers.ts';

const routes: readonly Route[] = [
  ...paymentIntentRoutes,
  ...paymentMethodRoutes,
  ...customerRoutes,
  ...chargeRoutes,
  ...refundRoutes,
  ...accountRoutes,
  ...transferRoutes,
  ...payoutRoutes,
  ...balanceRoutes,
  ...eventRoutes,
];

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: string;
  readonly authorization: string | undefined;
  readonly account: string;
  readonly idempotencyKey: string | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Close the connection instead of answering. */
  readonly dropped: boolean;
}

export interface ApiOptions {
  readonly store: Store;
  readonly faults: Faults;
  readonly delays: Delays;
  readonly webhookUrls: readonly string[];
  readonly secretKey: string;
  readonly publishableKey: string;
  /** Unix seconds. */
  readonly now: () => number;
  /** Waits in real time; ends early when the simulator stops. */
  readonly wait: (ms: number) => Promise<void>;
  readonly logger: Logger | undefined;
}

interface Kept {
  readonly status: number;
  readonly body: string;
  readonly replayOf?: string;
}

const render = (body: object): string => JSON.stringify(body, null, 2);
const failed = (error: ApiError): Kept => ({ status: error.status, body: render({ error: error.error }) });

/** The key of `Authorization: Bearer sk_…` or of Basic with the key as the user's name. */
function keyOf(authorization: string | undefined): string | undefined {
  const [scheme, value] = authorization?.split(' ') ?? [];
  if (scheme?.toLowerCase() === 'bearer') return value;
  if (scheme?.toLowerCase() === 'basic' && value)
    return Buffer.from(value, 'base64').toString().split(':')[0];
  return undefined;
}

export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  async answer(request: ApiRequest): Promise<ApiAnswer> {
    const requestId = stripeId('req', 14);
    const match = matchRoute(routes, request.method, request.path);
    const kept = await this.#decide(request, requestId, match).catch((error: unknown) => this.#fault(error));
    const changes = match?.route.method === 'POST';
    const name = match?.route.name ?? '';
    const stall = changes ? this.#options.faults.strike('stall_after', name) : undefined;
    if (stall) await this.#options.wait(stall.ms ?? 1_000);
    return {
      status: kept.status,
      body: kept.body,
      dropped: changes && this.#options.faults.strike('drop_reply', name) !== undefined,
      headers: {
        'request-id': requestId,
        ...(request.idempotencyKey ? { 'idempotency-key': request.idempotencyKey } : {}),
        ...(kept.replayOf ? { 'idempotent-replayed': 'true', 'original-request': kept.replayOf } : {}),
        // A kept 500 would only be answered again.
        ...(kept.status >= 500 ? { 'stripe-should-retry': 'false' } : {}),
      },
    };
  }

  /** May the bearer of this header use the simulator's own controls? Refuses 401. */
  requireSecretKey(authorization: string | undefined): void {
    if (keyOf(authorization) !== this.#options.secretKey) throw unauthorized('Invalid API Key provided.');
  }

  /** Lets everything happen that is due by the clock. */
  async settleDue(inHand: 'skip' | 'wait'): Promise<void> {
    const { store } = this.#options;
    while (await store.transaction((tx) => settleOneDue(this.contextFor(tx), inHand)));
  }

  /** What a handler works with when nobody asked over the API. */
  contextFor(tx: Transaction, request: Partial<Context> = {}): Context {
    return {
      tx,
      now: this.#options.now(),
      account: '',
      faults: this.#options.faults,
      delays: this.#options.delays,
      webhookUrls: this.#options.webhookUrls,
      requestId: null,
      idempotencyKey: null,
      publishable: false,
      ...request,
    };
  }

  #fault(error: unknown): Kept {
    if (error instanceof ApiError) return failed(error);
    this.#options.logger?.error({ err: error }, 'the simulator failed');
    return failed(internalError());
  }

  #publishable(request: ApiRequest): boolean {
    const key = keyOf(request.authorization);
    if (key === undefined || key === '')
      throw unauthorized(
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      );
    if (key === this.#options.secretKey) return false;
    if (key === this.#options.publishableKey) return true;
    throw unauthorized(`Invalid API Key provided: ${key.slice(0, 7)}${'*'.repeat(8)}`);
  }

  async #decide(request: ApiRequest, requestId: string, match: Match | undefined): Promise<Kept> {
    const publishable = this.#publishable(request);
    if (!match)
      throw new ApiError(404, {
        type: 'invalid_request_error',
        message: `Unrecognized request URL (${request.method}: ${request.path}).`,
      });
    if (publishable && !match.route.publishable)
      throw new ApiError(401, {
        type: 'invalid_request_error',
        code: 'secret_key_required',
        message: 'This API call cannot be made with a publishable API key. Please use a secret API key.',
      });
    const form = parseForm(match.route.method === 'GET' ? request.query : request.body);
    const { answer, expand } = match.route.prepare(form, match.ids);
    const base = {
      account: request.account,
      requestId,
      publishable,
      idempotencyKey: request.idempotencyKey ?? null,
    };
    await this.settleDue('wait');
    const { store } = this.#options;
    if (request.account !== '')
      await store.transaction(async (tx) => {
        if (!(await tx.find('account', request.account))) throw noAccess(request.account);
      });
    if (match.route.method === 'GET')
      return store.transaction(async (tx) => {
        const context = this.contextFor(tx, base);
        return { status: 200, body: render(await expandAnswer(context, await answer(context), expand)) };
      });
    if (this.#options.faults.strike('rate_limit', match.route.name)) throw rateLimited();
    return this.#change(request, match.route, form, base, answer, expand);
  }

  async #change(
    request: ApiRequest,
    { name }: Route,
    form: FormTree,
    base: Pick<Context, 'account' | 'requestId' | 'publishable' | 'idempotencyKey'>,
    answer: Answer,
    expand: readonly string[],
  ): Promise<Kept> {
    const { faults, now } = this.#options;
    return this.#options.store.transaction(async (tx) => {
      const context = this.contextFor(tx, base);
      const keyed: KeyedRequest | undefined =
        request.idempotencyKey === undefined
          ? undefined
          : {
              account: request.account,
              key: request.idempotencyKey,
              requestHash: hashRequest(request.method, request.path, form),
              requestId: base.requestId ?? '',
              now: now(),
            };
      const before = keyed && (await claimKey(tx, keyed));
      if (before) return { status: before.status, body: before.body, replayOf: before.requestId };
      const stall = faults.strike('stall_before', name);
      if (stall) await this.#options.wait(stall.ms ?? 1_000);
      const kept = faults.strike('error_before', name)
        ? failed(internalError())
        : await this.#run(context, answer, expand);
      const told = faults.strike('error_after', name) ? failed(internalError()) : kept;
      if (keyed) await keepAnswer(tx, keyed, told.status, told.body);
      return told;
    });
  }

  async #run(context: Context, answer: Answer, expand: readonly string[]): Promise<Kept> {
    try {
      return await context.tx.savepoint(
        async () => ({
          status: 200,
          body: render(await expandAnswer(context, await answer(context), expand)),
        }),
        (error) => error instanceof ApiError && error.keepsEffects,
      );
    } catch (error) {
      if (error instanceof ApiError) return failed(error);
      throw error;
    }
  }
}
