import type Stripe from 'stripe';
import { invalidRequest } from './api-error.ts';
import { move } from './balance.ts';
import { type Context, tell } from './context.ts';
import { given, listOf } from './lists.ts';
import {
  checkAmount,
  integer,
  listOf as manyOf,
  metadata,
  oneOf,
  paging,
  range,
  text,
} from './parameters.ts';
import { route } from './routes.ts';
import { type Row, stripeId } from './store.ts';

async function chargeToRefund(context: Context, params: Stripe.RefundCreateParams): Promise<Row<'charge'>> {
  if (params.charge) return context.tx.lock('charge', params.charge, context.account, 'charge');
  if (!params.payment_intent)
    throw invalidRequest(
      'One of the following params should be provided for this request: payment_intent or charge.',
      {
        code: 'parameter_missing',
      },
    );
  const { doc } = await context.tx.lock(
    'payment_intent',
    params.payment_intent,
    context.account,
    'payment_intent',
  );
  if (doc.status !== 'succeeded' || typeof doc.latest_charge !== 'string')
    throw invalidRequest(`This PaymentIntent (${doc.id}) does not have a successful charge to refund.`, {
      code: 'payment_intent_unexpected_state',
      param: 'payment_intent',
    });
  return context.tx.lock('charge', doc.latest_charge, context.account);
}

async function create(context: Context, params: Stripe.RefundCreateParams): Promise<Stripe.Refund> {
  const { doc: charge } = await chargeToRefund(context, params);
  const left = charge.amount - charge.amount_refunded;
  if (!charge.captured)
    throw invalidRequest(`Charge ${charge.id} has not been captured.`, { param: 'charge' });
  if (left === 0)
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, {
      code: 'charge_already_refunded',
    });
  const amount = params.amount ?? left;
  checkAmount(amount, charge.currency);
  if (amount > left)
    throw invalidRequest(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, {
      param: 'amount',
    });
  const paidIn =
    typeof charge.balance_transaction === 'string'
      ? (await context.tx.get('balance_transaction', charge.balance_transaction, context.account)).doc
      : undefined;
  const id = stripeId('re');
  const transaction = await move(context, {
    account: context.account,
    type: 'refund',
    amount: -amount,
    currency: charge.currency,
    source: id,
    availableOn: Math.max(context.now, paidIn?.available_on ?? 0),
  });
  const refund: Stripe.Refund = {
    id,
    object: 'refund',
    amount,
    balance_transaction: transaction.id,
    charge: charge.id,
    created: context.now,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: {
      card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
      type: 'card',
    },
    metadata: (params.metadata || {}) as Stripe.Metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: params.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
  const refunded: Stripe.Charge = {
    ...charge,
    amount_refunded: charge.amount_refunded + amount,
    refunded: charge.amount_refunded + amount === charge.amount,
  };
  await context.tx.insert('refund', context.account, refund, { created: context.now });
  await context.tx.save<'charge'>(refunded);
  await tell(context, 'refund.created', refund);
  await tell(context, 'charge.refunded', refunded);
  return refund;
}

export const refundRoutes = [
  route<Stripe.RefundCreateParams, Stripe.Refund>({
    name: 'refunds.create',
    request: 'POST /v1/refunds',
    parameters: {
      amount: integer,
      charge: text,
      expand: manyOf(text),
      metadata,
      payment_intent: text,
      reason: oneOf('duplicate', 'fraudulent', 'requested_by_customer'),
    },
    handle: create,
  }),
  route<Stripe.RefundListParams, Stripe.ApiList<Stripe.Refund>>({
    name: 'refunds.list',
    request: 'GET /v1/refunds',
    parameters: { ...paging, charge: text, created: range, payment_intent: text },
    handle: (context, { charge, payment_intent, ...page }) =>
      listOf(context, 'refund', '/v1/refunds', given({ charge, payment_intent }), page),
  }),
  route<Stripe.RefundRetrieveParams, Stripe.Refund>({
    name: 'refunds.retrieve',
    request: 'GET /v1/refunds/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('refund', id, context.account)).doc,
  }),
];
