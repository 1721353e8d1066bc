/**
 * The card processor at Stripe, or at whatever speaks Stripe's language on another host. Owns nothing: it
 * translates. Promises the four endings of `card-processor.ts`. The payment and payout services call it,
 * never inside a database transaction.
 */

import Stripe from 'stripe';
import { Conflict, Invalid } from '#shared/kernel/errors.ts';
import { HOUR, SECOND } from '#shared/kernel/time.ts';
import type {
  AuthorisationResult,
  AuthoriseRequest,
  CardProcessor,
  ConfirmRequest,
  Period,
  WebhookHeaders,
} from './card-processor.ts';
import { toStripeAmount } from './stripe.amounts.ts';
import * as answers from './stripe.answers.ts';
import { asking, changing, type Meaning } from './stripe.refusals.ts';
import { verifyStripeWebhook } from './stripe.webhooks.ts';

export interface StripeOptions {
  readonly secretKey: string;
  /** The signing secrets of our webhook endpoint: one, or two while rotating. */
  readonly webhookSecrets: readonly string[];
  /** Where Stripe is; absent for Stripe itself. */
  readonly url?: string;
  readonly timeoutMs?: number;
  /** How often the client itself tries again, under the same key. */
  readonly maxNetworkRetries?: number;
}

const { OPERATION } = answers;
const expand = ['latest_charge.balance_transaction'];

const accountNotEnabled: Meaning = (error) =>
  error.code === 'insufficient_capabilities_for_transfer' || error.code === 'payouts_not_allowed'
    ? new Conflict('PAYOUT_ACCOUNT_NOT_ENABLED', 'The payout account is not ready to receive money')
    : undefined;

const transferMeaning: Meaning = (error) =>
  accountNotEnabled(error) ??
  (error.code === 'transfers_not_allowed'
    ? new Conflict('TRANSFER_REFUSED', 'The card processor does not allow this transfer')
    : undefined);

const captureMeaning: Meaning = (error) =>
  error.code === 'amount_too_large'
    ? new Conflict('CAPTURE_EXCEEDS_AUTHORISED', 'More was to be captured than is held')
    : undefined;

const refundMeaning: Meaning = (error) =>
  error.code === 'charge_already_refunded' || error.param === 'amount'
    ? new Conflict('REFUND_EXCEEDS_CAPTURED', 'More was to be refunded than is left of the payment')
    : undefined;

const reversalMeaning: Meaning = (error) =>
  error.param === 'amount'
    ? new Conflict('REVERSAL_EXCEEDS_TRANSFER', 'More was to be taken back than is left of the transfer')
    : undefined;

/** Members that are given: the client sends `undefined` as an empty text. */
function given<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** When the call that is looked for was made, with room for two clocks that differ. */
const around = (sentAt: Date) => ({
  gte: answers.secondsOf(sentAt) - HOUR / SECOND,
  lte: answers.secondsOf(sentAt) + HOUR / SECOND,
});

const during = ({ from, to }: Period) => ({ gte: answers.secondsOf(from), lte: answers.secondsOf(to) });

async function firstOf<T extends { metadata: Stripe.Metadata | null }>(
  list: AsyncIterable<T>,
  operationKey: string,
): Promise<T | null> {
  for await (const item of list) if (item.metadata?.[OPERATION] === operationKey) return item;
  return null;
}

async function allOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

/** @see CardProcessor */
export function createStripeProcessor(options: StripeOptions): CardProcessor {
  const stripe = new Stripe(options.secretKey, clientOptions(options));
  const key = (operationKey: string) => ({ idempotencyKey: operationKey });
  const metadata = (operationKey: string) => ({ [OPERATION]: operationKey });

  /** A declined card is an answer, and the payment that it leaves behind is part of it. */
  async function authorising(
    operationKey: string,
    call: () => Promise<Stripe.PaymentIntent>,
  ): Promise<AuthorisationResult> {
    return changing(operationKey, async () => {
      try {
        return resultOf(await call());
      } catch (error) {
        if (!(error instanceof Stripe.errors.StripeCardError && error.payment_intent)) throw error;
        const payment = answers.paymentOf(error.payment_intent);
        return { kind: 'REFUSED', payment, declined: answers.declineOf(error) };
      }
    });
  }

  return {
    authorise: (request) =>
      authorising(request.operationKey, () =>
        stripe.paymentIntents.create(authoriseParams(request), key(request.operationKey)),
      ),

    confirm: ({ operationKey, paymentId, methodId, returnUrl, saveMethod }: ConfirmRequest) =>
      authorising(operationKey, () =>
        stripe.paymentIntents.confirm(
          paymentId,
          given({
            payment_method: methodId,
            return_url: returnUrl,
            setup_future_usage: saveMethod ? ('off_session' as const) : undefined,
            expand,
          }),
          key(operationKey),
        ),
      ),

    capture: ({ operationKey, paymentId, amount }) =>
      changing(
        operationKey,
        async () => {
          const amount_to_capture = amount && toStripeAmount(amount);
          const params = given({ amount_to_capture, expand });
          return answers.paymentOf(await stripe.paymentIntents.capture(paymentId, params, key(operationKey)));
        },
        captureMeaning,
      ),

    cancel: ({ operationKey, paymentId }) =>
      changing(operationKey, async () =>
        answers.paymentOf(await stripe.paymentIntents.cancel(paymentId, { expand }, key(operationKey))),
      ),

    refund: ({ operationKey, paymentId, amount }) =>
      changing(
        operationKey,
        async () =>
          answers.refundOf(
            await stripe.refunds.create(
              {
                payment_intent: paymentId,
                amount: toStripeAmount(amount),
                metadata: metadata(operationKey),
              },
              key(operationKey),
            ),
          ),
        refundMeaning,
      ),

    retrieve: (paymentId) =>
      asking(async () => answers.paymentOf(await stripe.paymentIntents.retrieve(paymentId, { expand }))),

    retrieveRefund: (refundId) =>
      asking(async () => answers.refundOf(await stripe.refunds.retrieve(refundId))),

    // The list and not the search: what was made a moment ago is in no index yet.
    findByOperation: (operationKey, sentAt) =>
      asking(async () => {
        const list = stripe.paymentIntents.list({
          created: around(sentAt),
          limit: 100,
          expand: ['data.latest_charge.balance_transaction'],
        });
        const found = await firstOf(list, operationKey);
        return found && answers.paymentOf(found);
      }),

    findRefundByOperation: (operationKey, paymentId) =>
      asking(async () => {
        const found = await firstOf(
          stripe.refunds.list({ payment_intent: paymentId, limit: 100 }),
          operationKey,
        );
        return found && answers.refundOf(found);
      }),

    createCustomer: ({ operationKey, email, name }) =>
      changing(operationKey, async () => {
        const params = given({ email, name, metadata: metadata(operationKey) });
        return { id: (await stripe.customers.create(params, key(operationKey))).id };
      }),

    listPaymentMethods: (customerId) =>
      asking(async () => {
        const list = await stripe.paymentMethods.list({ customer: customerId, type: 'card', limit: 100 });
        return list.data.flatMap((method) => answers.savedMethodOf(method) ?? []);
      }),

    createPayoutAccount: ({ operationKey, country, email, currency }) =>
      changing(operationKey, async () =>
        answers.payoutAccountOf(
          await stripe.accounts.create(
            given({
              type: 'express' as const,
              business_type: 'individual' as const,
              country,
              email,
              default_currency: currency?.toLowerCase(),
              capabilities: { transfers: { requested: true } },
              settings: { payouts: { schedule: { interval: 'manual' as const } } },
              metadata: metadata(operationKey),
            }),
            key(operationKey),
          ),
        ),
      ),

    payoutAccountStatus: (payoutAccountId) =>
      asking(async () => answers.payoutAccountOf(await stripe.accounts.retrieve(payoutAccountId))),

    onboardingLink: ({ payoutAccountId, returnUrl, refreshUrl }) =>
      // A link changes nothing that matters: a lost one is simply made again.
      asking(async () => {
        const link = await stripe.accountLinks.create({
          account: payoutAccountId,
          type: 'account_onboarding',
          return_url: returnUrl,
          refresh_url: refreshUrl,
        });
        return { url: link.url, expiresAt: answers.instantOf(link.expires_at) };
      }),

    transfer: ({ operationKey, payoutAccountId, amount, chargeId, group }) =>
      changing(
        operationKey,
        async () => {
          const params = given({
            amount: toStripeAmount(amount),
            currency: amount.currency.toLowerCase(),
            destination: payoutAccountId,
            source_transaction: chargeId,
            transfer_group: group,
            metadata: metadata(operationKey),
          });
          return answers.transferOf(await stripe.transfers.create(params, key(operationKey)));
        },
        transferMeaning,
      ),

    reverseTransfer: ({ operationKey, transferId, amount }) =>
      changing(
        operationKey,
        async () => {
          const params = { amount: toStripeAmount(amount), metadata: metadata(operationKey) };
          return answers.reversalOf(
            await stripe.transfers.createReversal(transferId, params, key(operationKey)),
          );
        },
        reversalMeaning,
      ),

    retrieveTransfer: (transferId) =>
      asking(async () => answers.transferOf(await stripe.transfers.retrieve(transferId))),

    findTransferByOperation: (operationKey, { payoutAccountId, sentAt }) =>
      asking(async () => {
        const list = stripe.transfers.list({
          destination: payoutAccountId,
          created: around(sentAt),
          limit: 100,
        });
        const found = await firstOf(list, operationKey);
        return found && answers.transferOf(found);
      }),

    findReversalByOperation: (operationKey, transferId) =>
      asking(async () => {
        const found = await firstOf(stripe.transfers.listReversals(transferId, { limit: 100 }), operationKey);
        return found && answers.reversalOf(found);
      }),

    payOut: ({ operationKey, payoutAccountId, amount }) =>
      changing(
        operationKey,
        async () =>
          answers.payoutOf(
            await stripe.payouts.create(
              {
                amount: toStripeAmount(amount),
                currency: amount.currency.toLowerCase(),
                metadata: metadata(operationKey),
              },
              { ...key(operationKey), stripeAccount: payoutAccountId },
            ),
            payoutAccountId,
          ),
        accountNotEnabled,
      ),

    retrievePayout: (payoutAccountId, payoutId) =>
      asking(async () =>
        answers.payoutOf(
          await stripe.payouts.retrieve(payoutId, {}, { stripeAccount: payoutAccountId }),
          payoutAccountId,
        ),
      ),

    findPayoutByOperation: (operationKey, { payoutAccountId, sentAt }) =>
      asking(async () => {
        const list = stripe.payouts.list(
          { created: around(sentAt), limit: 100 },
          { stripeAccount: payoutAccountId },
        );
        const found = await firstOf(list, operationKey);
        return found && answers.payoutOf(found, payoutAccountId);
      }),

    async *balanceMovements(period) {
      const list = stripe.balanceTransactions.list({ created: during(period), limit: 100 });
      for (const transaction of (await asking(() => allOf(list))).reverse())
        yield answers.movementOf(transaction);
    },

    async *events(period) {
      const list = stripe.events.list({ created: during(period), limit: 100 });
      for (const event of await asking(() => allOf(list))) {
        const notice = answers.noticeOf(event);
        if (notice) yield notice;
      }
    },

    verifyWebhook: (rawBody: Uint8Array, headers: WebhookHeaders, now: Date) =>
      verifyStripeWebhook(stripe, options.webhookSecrets, rawBody, headers, now),
  };
}

function clientOptions({ url, timeoutMs = 10 * SECOND, maxNetworkRetries = 2 }: StripeOptions) {
  const address = url === undefined ? undefined : new URL(url);
  return {
    apiVersion: Stripe.API_VERSION,
    timeout: timeoutMs,
    maxNetworkRetries,
    telemetry: false,
    ...(address
      ? {
          host: address.hostname,
          port: address.port || (address.protocol === 'https:' ? 443 : 80),
          protocol: address.protocol === 'https:' ? ('https' as const) : ('http' as const),
        }
      : {}),
  };
}

function authoriseParams(request: AuthoriseRequest): Stripe.PaymentIntentCreateParams {
  const confirmed = request.methodId !== undefined;
  if (confirmed && !request.offSession && request.returnUrl === undefined)
    throw new Invalid('RETURN_URL_REQUIRED', 'The cardholder may have to authenticate and come back');
  return given({
    amount: toStripeAmount(request.amount),
    currency: request.amount.currency.toLowerCase(),
    capture_method: request.capture === 'LATER' ? ('manual' as const) : ('automatic' as const),
    allowed_payment_method_types: ['card' as const],
    customer: request.customerId,
    payment_method: request.methodId,
    confirm: confirmed || undefined,
    off_session: confirmed && request.offSession ? true : undefined,
    return_url: confirmed ? request.returnUrl : undefined,
    setup_future_usage: request.saveMethod ? ('off_session' as const) : undefined,
    transfer_group: request.group,
    description: request.description,
    metadata: { [OPERATION]: request.operationKey },
    expand,
  });
}

function resultOf(intent: Stripe.PaymentIntent): AuthorisationResult {
  const payment = answers.paymentOf(intent);
  if (payment.state !== 'REQUIRES_ACTION') return { kind: 'DONE', payment };
  if (payment.redirectUrl === null)
    throw new Error(`Stripe asks for an action without a page on ${payment.id}`);
  return { kind: 'REQUIRES_ACTION', payment, redirectUrl: payment.redirectUrl };
}
