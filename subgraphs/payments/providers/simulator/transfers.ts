import type Stripe from 'stripe';
import { invalidRequest, noSuch } from './api-error.ts';
import { move, requireBalance } from './balance.ts';
import { type Context, tell } from './context.ts';
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
import { stripeId } from './store.ts';

const idOf = (value: string | { id: string } | null): string =>
  typeof value === 'string' ? value : (value?.id ?? '');

/** When the money of a charge can be spent; refuses what a charge cannot fund. */
async function fundedBy(
  context: Context,
  chargeId: string,
  amount: number,
  currency: string,
): Promise<number> {
  const { doc: charge } = await context.tx.lock('charge', chargeId, '', 'source_transaction');
  if (!charge.captured || typeof charge.balance_transaction !== 'string')
    throw invalidRequest(`The charge ${chargeId} has not been captured.`, { param: 'source_transaction' });
  if (charge.currency !== currency)
    throw invalidRequest(
      `The currency of source_transaction's balance transaction (${charge.currency}) must be the same as the transfer currency (${currency})`,
      { param: 'currency' },
    );
  const { rows } = await context.tx.client.query<{ used: string }>(
    `SELECT coalesce(sum((doc->>'amount')::bigint - (doc->>'amount_reversed')::bigint), 0) AS used
     FROM ${context.tx.schema}.objects WHERE object = 'transfer' AND doc @> $1::jsonb`,
    [JSON.stringify({ source_transaction: chargeId })],
  );
  if (Number(rows[0]?.used) + amount > charge.amount_captured)
    throw invalidRequest('The transfers from this source_transaction would exceed its amount.', {
      code: 'balance_insufficient',
      param: 'amount',
    });
  return (await context.tx.get('balance_transaction', charge.balance_transaction)).doc.available_on;
}

async function create(context: Context, params: Stripe.TransferCreateParams): Promise<Stripe.Transfer> {
  const amount = params.amount ?? 0;
  const currency = checkAmount(amount, params.currency);
  const destination = await context.tx.find('account', params.destination);
  if (!destination) throw noSuch('destination', params.destination, 'destination');
  if (destination.doc.capabilities?.transfers !== 'active')
    throw invalidRequest(
      'Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments',
      { code: 'insufficient_capabilities_for_transfer' },
    );
  if (context.faults.strike('fail', 'transfers.create'))
    throw invalidRequest('Transfers are not allowed at the moment.', { code: 'transfers_not_allowed' });
  const charge = params.source_transaction ?? null;
  let availableOn = context.now;
  if (charge === null) await requireBalance(context, '', amount, currency);
  else availableOn = Math.max(context.now, await fundedBy(context, charge, amount, currency));
  const id = stripeId('tr');
  const paymentId = stripeId('py');
  const out = await move(context, {
    account: '',
    type: 'transfer',
    amount: -amount,
    currency,
    source: id,
    availableOn,
  });
  await move(context, {
    account: destination.doc.id,
    type: 'payment',
    amount,
    currency,
    source: paymentId,
    availableOn,
  });
  const transfer: Stripe.Transfer = {
    id,
    object: 'transfer',
    amount,
    amount_reversed: 0,
    balance_transaction: out.id,
    created: context.now,
    currency,
    description: params.description ?? null,
    destination: destination.doc.id,
    destination_payment: paymentId,
    livemode: false,
    metadata: (params.metadata ?? {}) as Stripe.Metadata,
    reversals: { object: 'list', data: [], has_more: false, url: `/v1/transfers/${id}/reversals` },
    reversed: false,
    source_transaction: charge,
    source_type: 'card',
    transfer_group: params.transfer_group ?? (charge === null ? null : `group_${charge}`),
  };
  await context.tx.insert('transfer', '', transfer, { hidden: { availableOn }, created: context.now });
  await tell(context, 'transfer.created', transfer);
  return transfer;
}

async function reverse(
  context: Context,
  params: Stripe.TransferCreateReversalParams,
  transferId: string,
): Promise<Stripe.TransferReversal> {
  const { doc: transfer, hidden } = await context.tx.lock('transfer', transferId);
  const left = transfer.amount - transfer.amount_reversed;
  const amount = params.amount ?? left;
  if (left === 0 || amount > left)
    throw invalidRequest(`Transfer ${transferId} has only ${left} left to reverse.`, { param: 'amount' });
  checkAmount(amount, transfer.currency);
  const destination = idOf(transfer.destination);
  await requireBalance(context, destination, amount, transfer.currency, { countPending: true });
  const id = stripeId('trr');
  const availableOn = Math.max(context.now, Number(hidden.availableOn));
  const { currency } = transfer;
  const back = await move(context, {
    account: '',
    type: 'transfer_refund',
    amount,
    currency,
    source: id,
    availableOn,
  });
  await move(context, {
    account: destination,
    type: 'payment_refund',
    amount: -amount,
    currency,
    source: idOf(transfer.destination_payment ?? null),
    availableOn,
  });
  const reversal: Stripe.TransferReversal = {
    id,
    object: 'transfer_reversal',
    amount,
    balance_transaction: back.id,
    created: context.now,
    currency,
    destination_payment_refund: null,
    metadata: (params.metadata || {}) as Stripe.Metadata,
    source_refund: null,
    transfer: transferId,
  };
  const reversed: Stripe.Transfer = {
    ...transfer,
    amount_reversed: transfer.amount_reversed + amount,
    reversals: { ...transfer.reversals, data: [reversal, ...transfer.reversals.data].slice(0, 10) },
    reversed: transfer.amount_reversed + amount === transfer.amount,
  };
  await context.tx.insert('transfer_reversal', '', reversal, { created: context.now });
  await context.tx.save<'transfer'>(reversed);
  await tell(context, 'transfer.reversed', reversed);
  return reversal;
}

export const transferRoutes = [
  route<Stripe.TransferCreateParams, Stripe.Transfer>({
    name: 'transfers.create',
    request: 'POST /v1/transfers',
    parameters: {
      amount: required(integer),
      currency: required(text),
      description: text,
      destination: required(text),
      expand: manyOf(text),
      metadata,
      source_transaction: text,
      transfer_group: text,
    },
    handle: create,
  }),
  route<Stripe.TransferListParams, Stripe.ApiList<Stripe.Transfer>>({
    name: 'transfers.list',
    request: 'GET /v1/transfers',
    parameters: { ...paging, created: range, destination: text, transfer_group: text },
    handle: (context, { destination, transfer_group, ...page }) =>
      listOf(context, 'transfer', '/v1/transfers', given({ destination, transfer_group }), page),
  }),
  route<Stripe.TransferRetrieveParams, Stripe.Transfer>({
    name: 'transfers.retrieve',
    request: 'GET /v1/transfers/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('transfer', id)).doc,
  }),
  route<Stripe.TransferCreateReversalParams, Stripe.TransferReversal>({
    name: 'transfers.reverse',
    request: 'POST /v1/transfers/:id/reversals',
    parameters: { amount: integer, description: text, expand: manyOf(text), metadata },
    handle: reverse,
  }),
  route<Stripe.TransferListReversalsParams, Stripe.ApiList<Stripe.TransferReversal>>({
    name: 'transfers.list_reversals',
    request: 'GET /v1/transfers/:id/reversals',
    parameters: paging,
    handle: (context, page, id) =>
      listOf(context, 'transfer_reversal', `/v1/transfers/${id}/reversals`, { transfer: id }, page),
  }),
];
