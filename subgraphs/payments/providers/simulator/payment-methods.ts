import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import { ApiError, invalidRequest, noSuch } from './api-error.ts';
import { type Context, tell } from './context.ts';
import { given, listOf } from './lists.ts';
import {
  flag,
  integer,
  listOf as manyOf,
  metadata,
  oneOf,
  paging,
  required,
  shape,
  text,
} from './parameters.ts';
import { route } from './routes.ts';
import { type Row, stripeId } from './store.ts';
import { type CardBehaviour, cardOfNumber, cardOfToken } from './test-cards.ts';

interface NewCard {
  readonly behaviour: CardBehaviour;
  readonly expMonth: number;
  readonly expYear: number;
  readonly customer?: string | null;
  readonly billing?: Partial<Stripe.PaymentMethod.BillingDetails>;
  readonly metadata?: Stripe.Metadata;
}

function buildCard(context: Context, card: NewCard): Stripe.PaymentMethod {
  return {
    id: stripeId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null, ...card.billing },
    card: {
      brand: card.behaviour.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.behaviour.brand,
      exp_month: card.expMonth,
      exp_year: card.expYear,
      fingerprint: createHash('sha256').update(card.behaviour.last4).digest('base64url').slice(0, 16),
      funding: 'credit',
      generated_from: null,
      last4: card.behaviour.last4,
      networks: { available: [card.behaviour.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: context.now,
    customer: card.customer ?? null,
    customer_account: null,
    livemode: false,
    metadata: card.metadata ?? {},
    type: 'card',
  };
}

async function insertCard(context: Context, card: NewCard): Promise<Row<'payment_method'>> {
  const doc = buildCard(context, card);
  const hidden = { behaviour: card.behaviour };
  await context.tx.insert('payment_method', context.account, doc, { hidden, created: context.now });
  return { kind: 'payment_method', account: context.account, doc, hidden };
}

/** The method that a request names; a test token such as `pm_card_visa` becomes a new method each time. */
export async function resolveMethod(
  context: Context,
  id: string,
  param: string,
): Promise<Row<'payment_method'>> {
  const behaviour = cardOfToken(id);
  if (!behaviour) return context.tx.get('payment_method', id, context.account, param);
  const expYear = new Date(context.now * 1000).getUTCFullYear() + 1;
  return insertCard(context, { behaviour, expMonth: 12, expYear });
}

/** How a stored card behaves. */
export function behaviourOf(row: Row<'payment_method'>): CardBehaviour {
  return row.hidden.behaviour as CardBehaviour;
}

export const newMethodParameters = {
  type: oneOf('card'),
  card: shape<Stripe.PaymentMethodCreateParams.Card>({
    cvc: text,
    exp_month: integer,
    exp_year: integer,
    number: text,
    token: text,
  }),
  billing_details: shape<Stripe.PaymentMethodCreateParams.BillingDetails>({
    email: text,
    name: text,
    phone: text,
  }),
  metadata,
  allow_redisplay: text,
};

type NewMethodParams = Pick<Stripe.PaymentMethodCreateParams, 'card' | 'billing_details' | 'metadata'>;

/** Makes a method of the numbers that a browser sends. Refuses cards that are no test card, as test mode does. */
export async function methodFromCard(
  context: Context,
  params: NewMethodParams,
): Promise<Row<'payment_method'>> {
  const { number, token, exp_month: expMonth = 12, exp_year: year } = params.card ?? {};
  const behaviour = token ? cardOfToken(token) : number ? cardOfNumber(number) : undefined;
  if (!number && !token)
    throw invalidRequest('Missing required param: card[number].', { param: 'card[number]' });
  if (!behaviour)
    throw new ApiError(402, {
      type: 'card_error',
      code: 'card_declined',
      decline_code: 'test_mode_live_card',
      message:
        'Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test cards, visit: https://stripe.com/docs/testing.',
    });
  const today = new Date(context.now * 1000);
  const expYear = year ?? today.getUTCFullYear() + 1;
  if (
    expMonth < 1 ||
    expMonth > 12 ||
    expYear * 12 + expMonth <= today.getUTCFullYear() * 12 + today.getUTCMonth()
  )
    throw new ApiError(402, {
      type: 'card_error',
      code: expMonth < 1 || expMonth > 12 ? 'invalid_expiry_month' : 'invalid_expiry_year',
      message: "Your card's expiration date is invalid.",
      param: 'card[exp_year]',
    });
  const { email, name, phone } = params.billing_details ?? {};
  return insertCard(context, {
    behaviour,
    expMonth,
    expYear,
    billing: { email: email || null, name: name || null, phone: phone || null },
    metadata: (params.metadata ?? {}) as Stripe.Metadata,
  });
}

/** Saves a method for a customer; the same again changes nothing. */
export async function attach(
  context: Context,
  methodId: string,
  customerId: string,
): Promise<Stripe.PaymentMethod> {
  const { doc } = await context.tx.lock('payment_method', methodId, context.account, 'payment_method');
  if (doc.customer === customerId) return doc;
  if (doc.customer !== null)
    throw invalidRequest('The payment method you provided has already been attached to a customer.', {
      code: 'payment_method_unexpected_state',
      param: 'payment_method',
    });
  const attached = { ...doc, customer: customerId };
  await context.tx.save<'payment_method'>(attached);
  await tell(context, 'payment_method.attached', attached);
  return attached;
}

export const paymentMethodRoutes = [
  route<Stripe.PaymentMethodCreateParams, Stripe.PaymentMethod>({
    name: 'payment_methods.create',
    request: 'POST /v1/payment_methods',
    publishable: true,
    parameters: { ...newMethodParameters, type: required(oneOf('card')), expand: manyOf(text) },
    handle: async (context, params) => (await methodFromCard(context, params)).doc,
  }),
  route<Stripe.PaymentMethodListParams, Stripe.ApiList<Stripe.PaymentMethod>>({
    name: 'payment_methods.list',
    request: 'GET /v1/payment_methods',
    parameters: { ...paging, customer: text, type: oneOf('card') },
    handle: (context, { customer, type, ...page }) =>
      listOf(context, 'payment_method', '/v1/payment_methods', given({ customer, type }), page),
  }),
  route<Stripe.PaymentMethodRetrieveParams, Stripe.PaymentMethod>({
    name: 'payment_methods.retrieve',
    request: 'GET /v1/payment_methods/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('payment_method', id, context.account)).doc,
  }),
  route<Stripe.PaymentMethodAttachParams, Stripe.PaymentMethod>({
    name: 'payment_methods.attach',
    request: 'POST /v1/payment_methods/:id/attach',
    parameters: { customer: required(text), expand: manyOf(text) },
    async handle(context, { customer = '' }, id) {
      await context.tx.get('customer', customer, context.account, 'customer');
      const method = await resolveMethod(context, id, 'payment_method');
      return attach(context, method.doc.id, customer);
    },
  }),
  route<Stripe.PaymentMethodDetachParams, Stripe.PaymentMethod>({
    name: 'payment_methods.detach',
    request: 'POST /v1/payment_methods/:id/detach',
    parameters: { expand: manyOf(text) },
    async handle(context, _, id) {
      const { doc } = await context.tx.lock('payment_method', id, context.account);
      if (doc.customer === null)
        throw invalidRequest(
          'The payment method you provided is not attached to a customer so detachment is impossible.',
        );
      const detached = { ...doc, customer: null };
      await context.tx.save<'payment_method'>(detached);
      await tell(context, 'payment_method.detached', detached, { previous: { customer: doc.customer } });
      return detached;
    },
  }),
];

const customerParameters = {
  description: text,
  email: text,
  expand: manyOf(text),
  metadata,
  name: text,
  payment_method: text,
  phone: text,
  validate: flag,
};

export const customerRoutes = [
  route<Stripe.CustomerCreateParams, Stripe.Customer>({
    name: 'customers.create',
    request: 'POST /v1/customers',
    parameters: customerParameters,
    async handle(context, params) {
      const customer: Stripe.Customer = {
        id: stripeId('cus', 14),
        object: 'customer',
        address: null,
        balance: 0,
        created: context.now,
        currency: null,
        default_source: null,
        delinquent: false,
        description: params.description ?? null,
        discount: null,
        email: params.email ?? null,
        invoice_prefix: stripeId('', 8).slice(1).toUpperCase(),
        invoice_settings: {
          custom_fields: null,
          default_payment_method: null,
          footer: null,
          rendering_options: null,
        },
        livemode: false,
        metadata: (params.metadata || {}) as Stripe.Metadata,
        name: params.name ?? null,
        phone: params.phone ?? null,
        preferred_locales: [],
        shipping: null,
        tax_exempt: 'none',
        test_clock: null,
      };
      await context.tx.insert('customer', context.account, customer, { created: context.now });
      await tell(context, 'customer.created', customer);
      if (params.payment_method) {
        const method = await resolveMethod(context, params.payment_method, 'payment_method');
        await attach(context, method.doc.id, customer.id);
      }
      return customer;
    },
  }),
  route<Stripe.CustomerRetrieveParams, Stripe.Customer>({
    name: 'customers.retrieve',
    request: 'GET /v1/customers/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('customer', id, context.account)).doc,
  }),
  route<Stripe.CustomerListParams, Stripe.ApiList<Stripe.Customer>>({
    name: 'customers.list',
    request: 'GET /v1/customers',
    parameters: { ...paging, email: text },
    handle: (context, { email, ...page }) =>
      listOf(context, 'customer', '/v1/customers', given({ email }), page),
  }),
  route<Stripe.PaymentMethodListParams, Stripe.ApiList<Stripe.PaymentMethod>>({
    name: 'customers.list_payment_methods',
    request: 'GET /v1/customers/:id/payment_methods',
    parameters: { ...paging, type: oneOf('card') },
    async handle(context, page, id) {
      if (!(await context.tx.find('customer', id, context.account))) throw noSuch('customer', id);
      return listOf(context, 'payment_method', `/v1/customers/${id}/payment_methods`, { customer: id }, page);
    },
  }),
];
