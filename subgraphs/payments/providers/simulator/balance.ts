/**
 * The money itself. Every movement is one balance transaction; a balance is their sum and is stored nowhere.
 * Whoever spends holds the account's balance until the end of the transaction.
 */
import type Stripe from 'stripe';
import { invalidRequest } from './api-error.ts';
import type { Context } from './context.ts';
import { given, listOf } from './lists.ts';
import { listOf as manyOf, paging, range, text } from './parameters.ts';
import { route } from './routes.ts';
import { stripeId } from './store.ts';

/** 1.4 % and 25 minor units, rounded half up. */
export const chargeFee = (amount: number): number => Math.floor((amount * 14 + 500) / 1000) + 25;

interface Movement {
  readonly account: string;
  readonly type:
    | 'charge'
    | 'payment'
    | 'refund'
    | 'payment_refund'
    | 'transfer'
    | 'transfer_refund'
    | 'payout'
    | 'payout_failure';
  /** Signed: money in is positive. */
  readonly amount: number;
  readonly fee?: number;
  readonly currency: string;
  readonly source: string;
  readonly availableOn: number;
}

/** Moves money. */
export async function move(context: Context, movement: Movement): Promise<Stripe.BalanceTransaction> {
  const { account, amount, fee = 0, currency, type } = movement;
  const transaction: Stripe.BalanceTransaction = {
    id: stripeId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: movement.availableOn,
    balance_type: 'payments',
    created: context.now,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency,
              description: 'Stripe processing fees',
              type: 'stripe_fee',
            },
          ],
    net: amount - fee,
    reporting_category: type === 'payment' ? 'charge' : type === 'payment_refund' ? 'refund' : type,
    source: movement.source,
    status: movement.availableOn <= context.now ? 'available' : 'pending',
    type,
  };
  await context.tx.insert('balance_transaction', account, transaction, { created: context.now });
  return transaction;
}

interface Sums {
  readonly currency: string;
  readonly available: number;
  readonly pending: number;
}

/** The sums per currency of an account. */
export async function balanceOf(context: Context, account: string): Promise<Sums[]> {
  const { rows } = await context.tx.client.query<{ currency: string; available: string; pending: string }>(
    `SELECT doc->>'currency' AS currency,
            coalesce(sum((doc->>'net')::bigint) FILTER (WHERE (doc->>'available_on')::bigint <= $2), 0) AS available,
            coalesce(sum((doc->>'net')::bigint) FILTER (WHERE (doc->>'available_on')::bigint > $2), 0) AS pending
     FROM ${context.tx.schema}.objects WHERE object = 'balance_transaction' AND account = $1 GROUP BY 1 ORDER BY 1`,
    [account, context.now],
  );
  return rows.map((row) => ({
    currency: row.currency,
    available: Number(row.available),
    pending: Number(row.pending),
  }));
}

/**
 * Holds an account's balance and makes sure it covers an amount. Refuses `balance_insufficient`.
 * @param countPending for movements that become available together with what they take
 */
export async function requireBalance(
  context: Context,
  account: string,
  amount: number,
  currency: string,
  { countPending = false } = {},
): Promise<void> {
  await context.tx.holdName(`balance:${account}`);
  const sums = (await balanceOf(context, account)).find((sum) => sum.currency === currency);
  const covered = (sums?.available ?? 0) + (countPending ? (sums?.pending ?? 0) : 0);
  if (covered < amount)
    throw invalidRequest(
      account === ''
        ? 'You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance by creating Charges using the 4000000000000077 test card. See: https://docs.stripe.com/testing#available-balance'
        : 'The connected account has insufficient funds for this.',
      { code: 'balance_insufficient' },
    );
}

/** The transaction as of now: pending money becomes available by the clock alone. */
const asOf = (now: number, transaction: Stripe.BalanceTransaction): Stripe.BalanceTransaction => ({
  ...transaction,
  status: transaction.available_on <= now ? 'available' : 'pending',
});

export const balanceRoutes = [
  route<Stripe.BalanceRetrieveParams, Stripe.Balance>({
    name: 'balance.retrieve',
    request: 'GET /v1/balance',
    parameters: { expand: manyOf(text) },
    async handle(context) {
      const sums = await balanceOf(context, context.account);
      const list = (part: 'available' | 'pending') =>
        sums.map((sum) => ({ amount: sum[part], currency: sum.currency, source_types: { card: sum[part] } }));
      return { object: 'balance', available: list('available'), livemode: false, pending: list('pending') };
    },
  }),
  route<Stripe.BalanceTransactionListParams, Stripe.ApiList<Stripe.BalanceTransaction>>({
    name: 'balance_transactions.list',
    request: 'GET /v1/balance_transactions',
    parameters: { ...paging, created: range, currency: text, source: text, type: text },
    async handle(context, { currency, source, type, ...page }) {
      const where = given({ currency, source, type });
      const list = await listOf(context, 'balance_transaction', '/v1/balance_transactions', where, page);
      return { ...list, data: list.data.map((transaction) => asOf(context.now, transaction)) };
    },
  }),
  route<Stripe.BalanceTransactionRetrieveParams, Stripe.BalanceTransaction>({
    name: 'balance_transactions.retrieve',
    request: 'GET /v1/balance_transactions/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) =>
      asOf(context.now, (await context.tx.get('balance_transaction', id, context.account)).doc),
  }),
];
