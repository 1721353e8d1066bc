import type Stripe from 'stripe';
import { type ApiError, invalidRequest, noSuch } from './api-error.ts';
import { type AttemptOptions, attempt, settle } from './attempts.ts';
import { releaseCharge } from './charges.ts';
import { type Context, tell } from './context.ts';
import { given, listOf } from './lists.ts';
import {
  checkAmount,
  checkChargeable,
  flag,
  integer,
  listOf as manyOf,
  metadata,
  oneOf,
  paging,
  range,
  required,
  shape,
  text,
} from './parameters.ts';
import { methodFromCard, newMethodParameters, resolveMethod } from './payment-methods.ts';
import { route } from './routes.ts';
import { type Row, stripeId } from './store.ts';

const unconfirmed = ['requires_payment_method', 'requires_confirmation', 'requires_action'];
const cancellable = [...unconfirmed, 'requires_capture', 'processing'];

function unexpectedState(intent: Stripe.PaymentIntent, verb: string, allowed: readonly string[]): ApiError {
  return invalidRequest(
    `This PaymentIntent could not be ${verb} because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be ${verb}: ${allowed.join(', ')}.`,
    { code: 'payment_intent_unexpected_state', payment_intent: intent },
  );
}

const idOf = (value: string | { id: string } | null): string | null =>
  typeof value === 'string' ? value : (value?.id ?? null);

const confirmation = {
  error_on_requires_action: flag,
  expand: manyOf(text),
  off_session: flag,
  payment_method: text,
  payment_method_data: shape<Stripe.PaymentIntentConfirmParams.PaymentMethodData>({
    type: newMethodParameters.type,
    billing_details: newMethodParameters.billing_details,
    metadata,
    allow_redisplay: text,
    // Undocumented and what Stripe.js sends: the numbers of the card.
    ...{ card: newMethodParameters.card },
  }),
  receipt_email: text,
  return_url: text,
  setup_future_usage: oneOf('off_session', 'on_session'),
};

interface Confirmation {
  readonly error_on_requires_action?: boolean;
  readonly off_session?: unknown;
  readonly payment_method?: string;
  readonly payment_method_data?: Parameters<typeof methodFromCard>[1];
  readonly return_url?: string;
}

async function methodFor(context: Context, params: Confirmation): Promise<Row<'payment_method'> | undefined> {
  if (params.payment_method_data) return methodFromCard(context, params.payment_method_data);
  if (params.payment_method) return resolveMethod(context, params.payment_method, 'payment_method');
  return undefined;
}

const attemptOptions = (params: Confirmation): AttemptOptions => ({
  offSession: params.off_session === true,
  errorOnAction: params.error_on_requires_action ?? false,
  returnUrl: params.return_url ?? null,
});

async function create(
  context: Context,
  params: Stripe.PaymentIntentCreateParams,
): Promise<Stripe.PaymentIntent> {
  const currency = checkAmount(params.amount, params.currency);
  checkChargeable(params.amount, currency);
  if (params.customer) await context.tx.get('customer', params.customer, context.account, 'customer');
  const id = stripeId('pi');
  const method = await methodFor(context, params as Confirmation);
  if (method?.doc.customer && method.doc.customer !== params.customer)
    throw invalidRequest(
      'The provided PaymentMethod cannot be attached to this PaymentIntent: it belongs to a Customer; please include the Customer in the `customer` parameter.',
      { param: 'payment_method' },
    );
  const allowed = params.allowed_payment_method_types ?? null;
  const intent: Stripe.PaymentIntent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: allowed,
    amount: params.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: params.automatic_payment_methods
      ? { allow_redirects: 'always', ...params.automatic_payment_methods }
      : null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: params.capture_method ?? 'automatic_async',
    client_secret: stripeId(`${id}_secret`, 25),
    confirmation_method: 'automatic',
    created: context.now,
    currency,
    customer: params.customer ?? null,
    customer_account: null,
    description: params.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: (params.metadata ?? {}) as Stripe.Metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: method?.doc.id ?? null,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: { installments: null, mandate_options: null, network: null, request_three_d_secure: 'automatic' },
    },
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: params.receipt_email ?? null,
    review: null,
    setup_future_usage: params.setup_future_usage ?? null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: params.statement_descriptor_suffix ?? null,
    status: method ? 'requires_confirmation' : 'requires_payment_method',
    transfer_data: null,
    transfer_group: params.transfer_group ?? null,
  };
  await context.tx.insert('payment_intent', context.account, intent, { created: context.now });
  await tell(context, 'payment_intent.created', intent);
  if (!params.confirm) return intent;
  if (!method)
    throw invalidRequest('You cannot confirm this PaymentIntent because it is missing a payment method.', {
      code: 'payment_intent_unexpected_state',
      payment_intent: intent,
    });
  return attempt(context, intent, method, attemptOptions(params as Confirmation));
}

type ConfirmParams = Stripe.PaymentIntentConfirmParams & { client_secret?: string };

/** A browser proves with the client secret that the payment is its own. */
function requireClientSecret(
  context: Context,
  intent: Stripe.PaymentIntent,
  secret: string | undefined,
): void {
  if ((context.publishable || secret !== undefined) && secret !== intent.client_secret)
    throw noSuch('payment_intent', intent.id, 'intent');
}

async function confirm(context: Context, params: ConfirmParams, id: string): Promise<Stripe.PaymentIntent> {
  const { doc } = await context.tx.lock('payment_intent', id, context.account, 'intent');
  requireClientSecret(context, doc, params.client_secret);
  if (!unconfirmed.includes(doc.status)) throw unexpectedState(doc, 'confirmed', unconfirmed);
  const current = idOf(doc.payment_method);
  const method =
    (await methodFor(context, params as Confirmation)) ??
    (current === null ? undefined : await context.tx.get('payment_method', current, context.account));
  if (!method)
    throw invalidRequest(
      'You cannot confirm this PaymentIntent because it is missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method.',
      { code: 'payment_intent_unexpected_state', payment_intent: doc },
    );
  const usage = params.setup_future_usage || doc.setup_future_usage;
  return attempt(
    context,
    { ...doc, setup_future_usage: usage },
    method,
    attemptOptions(params as Confirmation),
  );
}

async function capture(
  context: Context,
  params: Stripe.PaymentIntentCaptureParams,
  id: string,
): Promise<Stripe.PaymentIntent> {
  const { doc } = await context.tx.lock('payment_intent', id, context.account, 'intent');
  const chargeId = idOf(doc.latest_charge);
  if (doc.status !== 'requires_capture' || chargeId === null)
    throw unexpectedState(doc, 'captured', ['requires_capture']);
  const amount = params.amount_to_capture ?? doc.amount_capturable;
  checkAmount(amount, doc.currency, 'amount_to_capture');
  if (amount > doc.amount_capturable)
    throw invalidRequest(
      'The requested capture amount is greater than the amount you can capture for this charge.',
      { code: 'amount_too_large', param: 'amount_to_capture', payment_intent: doc },
    );
  const merged = { ...doc, metadata: { ...doc.metadata, ...((params.metadata || {}) as Stripe.Metadata) } };
  return settle(context, merged, chargeId, amount, 'charge.captured');
}

/** Ends an intent that took no money; a hold is let go. */
export async function endUnpaid(
  context: Context,
  intent: Stripe.PaymentIntent,
  reason: Stripe.PaymentIntent.CancellationReason | null,
  event: 'charge.refunded' | 'charge.expired',
): Promise<Stripe.PaymentIntent> {
  const chargeId = idOf(intent.latest_charge);
  if (intent.status === 'requires_capture' && chargeId !== null)
    await releaseCharge(context, chargeId, event);
  const canceled: Stripe.PaymentIntent = {
    ...intent,
    amount_capturable: 0,
    canceled_at: context.now,
    cancellation_reason: reason,
    next_action: null,
    status: 'canceled',
  };
  await context.tx.save<'payment_intent'>(canceled, { dueAt: null });
  await tell(context, 'payment_intent.canceled', canceled);
  return canceled;
}

/** `metadata['a']:'b' AND status:'succeeded'`: the part of Stripe's query language that finds by equality. */
function readQuery(query: string): object {
  const clauses = query.split(/ AND /i).map((clause) => {
    const match = /^\s*(?:metadata\[(['"])(.+?)\1\]|(status|currency|customer))\s*:\s*(['"])(.*)\4\s*$/.exec(
      clause,
    );
    if (!match) throw invalidRequest(`The query clause "${clause}" is not understood`, { param: 'query' });
    return { key: match[2], field: match[3], value: match[5] };
  });
  return {
    ...Object.fromEntries(clauses.filter((c) => c.field).map((c) => [c.field, c.value])),
    metadata: Object.fromEntries(clauses.filter((c) => c.key).map((c) => [c.key, c.value])),
  };
}

/** What a browser may see of an intent. */
function publicView(intent: Stripe.PaymentIntent): Stripe.PaymentIntent {
  return { ...intent, customer: null, latest_charge: null, metadata: {}, transfer_group: null };
}

const seenBy = (context: Context, intent: Stripe.PaymentIntent): Stripe.PaymentIntent =>
  context.publishable ? publicView(intent) : intent;

export const paymentIntentRoutes = [
  route<Stripe.PaymentIntentCreateParams, Stripe.PaymentIntent>({
    name: 'payment_intents.create',
    request: 'POST /v1/payment_intents',
    parameters: {
      ...confirmation,
      allowed_payment_method_types: manyOf(oneOf('card')),
      amount: required(integer),
      automatic_payment_methods: shape<Stripe.PaymentIntentCreateParams.AutomaticPaymentMethods>({
        allow_redirects: oneOf('always', 'never'),
        enabled: required(flag),
      }),
      capture_method: oneOf('automatic', 'automatic_async', 'manual'),
      confirm: flag,
      currency: required(text),
      customer: text,
      description: text,
      metadata,
      statement_descriptor_suffix: text,
      transfer_group: text,
    },
    handle: create,
  }),
  route<Stripe.PaymentIntentListParams, Stripe.ApiList<Stripe.PaymentIntent>>({
    name: 'payment_intents.list',
    request: 'GET /v1/payment_intents',
    parameters: { ...paging, created: range, customer: text },
    handle: (context, { customer, ...page }) =>
      listOf(context, 'payment_intent', '/v1/payment_intents', given({ customer }), page),
  }),
  route<Stripe.PaymentIntentSearchParams, Omit<Stripe.ApiSearchResult<Stripe.PaymentIntent>, 'total_count'>>({
    name: 'payment_intents.search',
    request: 'GET /v1/payment_intents/search',
    parameters: { expand: manyOf(text), limit: integer, page: text, query: required(text) },
    async handle(context, { query, limit, page: after }) {
      const page = await context.tx.list('payment_intent', context.account, readQuery(query), {
        limit: limit ?? 10,
        ...(after ? { startingAfter: after } : {}),
      });
      const data = page.rows.map((row) => row.doc);
      return {
        object: 'search_result',
        data,
        has_more: page.more,
        next_page: page.more ? (data.at(-1)?.id ?? null) : null,
        url: '/v1/payment_intents/search',
      };
    },
  }),
  route<Stripe.PaymentIntentRetrieveParams, Stripe.PaymentIntent>({
    name: 'payment_intents.retrieve',
    request: 'GET /v1/payment_intents/:id',
    publishable: true,
    parameters: { client_secret: text, expand: manyOf(text) },
    async handle(context, params, id) {
      const { doc } = await context.tx.get('payment_intent', id, context.account, 'intent');
      requireClientSecret(context, doc, params.client_secret);
      return seenBy(context, doc);
    },
  }),
  route<ConfirmParams, Stripe.PaymentIntent>({
    name: 'payment_intents.confirm',
    request: 'POST /v1/payment_intents/:id/confirm',
    publishable: true,
    parameters: { ...confirmation, client_secret: text },
    handle: async (context, params, id) => seenBy(context, await confirm(context, params, id)),
  }),
  route<Stripe.PaymentIntentCaptureParams, Stripe.PaymentIntent>({
    name: 'payment_intents.capture',
    request: 'POST /v1/payment_intents/:id/capture',
    parameters: { amount_to_capture: integer, expand: manyOf(text), metadata },
    handle: capture,
  }),
  route<Stripe.PaymentIntentCancelParams, Stripe.PaymentIntent>({
    name: 'payment_intents.cancel',
    request: 'POST /v1/payment_intents/:id/cancel',
    parameters: {
      cancellation_reason: oneOf('abandoned', 'duplicate', 'fraudulent', 'requested_by_customer'),
      expand: manyOf(text),
    },
    async handle(context, params, id) {
      const { doc } = await context.tx.lock('payment_intent', id, context.account, 'intent');
      if (!cancellable.includes(doc.status)) throw unexpectedState(doc, 'canceled', cancellable);
      return endUnpaid(context, doc, params.cancellation_reason ?? null, 'charge.refunded');
    },
  }),
];
