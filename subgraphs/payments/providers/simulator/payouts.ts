import type Stripe from 'stripe';
import { invalidRequest } from './api-error.ts';
import { move, requireBalance } from './balance.ts';
import { type Context, secondsAfter, tell } from './context.ts';
import { given, listOf } from './lists.ts';
import {
  checkAmount,
  integer,
  listOf as manyOf,
  metadata,
  paging,
  range,
  required,
  text,
} from './parameters.ts';
import { route } from './routes.ts';
import { type Row, stripeId } from './store.ts';

async function create(context: Context, params: Stripe.PayoutCreateParams): Promise<Stripe.Payout> {
  const currency = checkAmount(params.amount, params.currency);
  if (context.account !== '') {
    const { doc } = await context.tx.get('account', context.account);
    if (!doc.payouts_enabled)
      throw invalidRequest('Payouts are not enabled for this account. Look at its requirements.', {
        code: 'payouts_not_allowed',
      });
  }
  await requireBalance(context, context.account, params.amount, currency);
  const id = stripeId('po');
  const arrival = secondsAfter(context.now, context.delays.payoutMs);
  const out = await move(context, {
    account: context.account,
    type: 'payout',
    amount: -params.amount,
    currency,
    source: id,
    availableOn: context.now,
  });
  const payout: Stripe.Payout = {
    id,
    object: 'payout',
    amount: params.amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: arrival,
    automatic: false,
    balance_transaction: out.id,
    created: context.now,
    currency,
    description: params.description ?? null,
    destination: null,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: (params.metadata ?? {}) as Stripe.Metadata,
    method: 'standard',
    original_payout: null,
    payout_method: null,
    reconciliation_status: 'not_applicable',
    reversed_by: null,
    source_type: 'card',
    statement_descriptor: null,
    status: 'in_transit',
    trace_id: { status: 'pending', value: null },
    type: 'bank_account',
  };
  const fails = context.faults.strike('fail', 'payouts.create') !== undefined;
  await context.tx.insert('payout', context.account, payout, {
    hidden: { fails },
    dueAt: arrival,
    created: context.now,
  });
  await tell(context, 'payout.created', payout);
  return payout;
}

/** The bank answers: the money arrived, or it comes back. */
export async function arrive(context: Context, row: Row<'payout'>): Promise<void> {
  if (row.hidden.fails !== true) {
    const paid: Stripe.Payout = {
      ...row.doc,
      status: 'paid',
      trace_id: { status: 'supported', value: row.doc.id },
    };
    await context.tx.save<'payout'>(paid, { dueAt: null });
    await tell(context, 'payout.paid', paid);
    return;
  }
  const back = await move(context, {
    account: context.account,
    type: 'payout_failure',
    amount: row.doc.amount,
    currency: row.doc.currency,
    source: row.doc.id,
    availableOn: context.now,
  });
  const failed: Stripe.Payout = {
    ...row.doc,
    failure_balance_transaction: back.id,
    failure_code: 'account_closed',
    failure_message: 'The bank account has been closed.',
    status: 'failed',
  };
  await context.tx.save<'payout'>(failed, { dueAt: null });
  await tell(context, 'payout.failed', failed);
}

export const payoutRoutes = [
  route<Stripe.PayoutCreateParams, Stripe.Payout>({
    name: 'payouts.create',
    request: 'POST /v1/payouts',
    parameters: {
      amount: required(integer),
      currency: required(text),
      description: text,
      expand: manyOf(text),
      metadata,
    },
    handle: create,
  }),
  route<Stripe.PayoutListParams, Stripe.ApiList<Stripe.Payout>>({
    name: 'payouts.list',
    request: 'GET /v1/payouts',
    parameters: { ...paging, created: range, status: text },
    handle: (context, { status, ...page }) =>
      listOf(context, 'payout', '/v1/payouts', given({ status }), page),
  }),
  route<Stripe.PayoutRetrieveParams, Stripe.Payout>({
    name: 'payouts.retrieve',
    request: 'GET /v1/payouts/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('payout', id, context.account)).doc,
  }),
];
