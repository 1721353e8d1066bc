/** The simulator's own requests, which Stripe does not have: faults, verdicts on accounts, and what happened. */
import type Stripe from 'stripe';
import { verifyAccount } from './accounts.ts';
import { invalidRequest, noSuch } from './api-error.ts';
import { balanceOf } from './balance.ts';
import type { Context } from './context.ts';
import { type Faults, readFault } from './faults.ts';

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw invalidRequest('The body is not JSON');
  }
}

/** `/_simulator/faults`: list, add, clear. */
export function controlFaults(faults: Faults, method: string, body: string): object {
  if (method === 'DELETE') faults.clear();
  if (method === 'POST') return { id: faults.add(readFault(parseJson(body))) };
  return { faults: faults.list() };
}

/** `POST /_simulator/accounts/:id`: `{ "payoutsEnabled": true, "transfersEnabled"?, "currentlyDue"?: [] }`. */
export async function controlAccount(context: Context, id: string, body: string): Promise<Stripe.Account> {
  const verdict = parseJson(body);
  if (typeof verdict !== 'object' || verdict === null) throw invalidRequest('A verdict is a JSON object');
  const fields = new Map<string, unknown>(Object.entries(verdict));
  const payoutsEnabled = fields.get('payoutsEnabled');
  const transfersEnabled = fields.get('transfersEnabled');
  const due = fields.get('currentlyDue');
  if (typeof payoutsEnabled !== 'boolean') throw invalidRequest('payoutsEnabled must be a boolean');
  if (transfersEnabled !== undefined && typeof transfersEnabled !== 'boolean')
    throw invalidRequest('transfersEnabled must be a boolean');
  if (due !== undefined && !(Array.isArray(due) && due.every((entry) => typeof entry === 'string')))
    throw invalidRequest('currentlyDue must be a list of strings');
  return verifyAccount(context, id, {
    payoutsEnabled,
    ...(transfersEnabled === undefined ? {} : { transfersEnabled }),
    ...(due === undefined ? {} : { currentlyDue: due }),
  });
}

/** One payment as the money movements tell it. */
export interface PaymentSummary {
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly metadata: Stripe.Metadata;
  /** How often money was taken: never more than once. */
  readonly captures: number;
  readonly captured: number;
  readonly refunds: number;
  readonly refunded: number;
}

export interface SimulatorState {
  readonly paymentIntents: Readonly<Record<string, PaymentSummary>>;
  readonly transfers: Readonly<
    Record<
      string,
      Pick<Stripe.Transfer, 'amount' | 'amount_reversed' | 'currency' | 'destination' | 'metadata'>
    >
  >;
  readonly balance: Readonly<Record<string, { readonly available: number; readonly pending: number }>>;
  readonly connectedBalances: Readonly<
    Record<string, Readonly<Record<string, { available: number; pending: number }>>>
  >;
  readonly webhooks: { readonly waiting: number; readonly delivered: number; readonly attempts: number };
}

/** `GET /_simulator/state`: counted from the balance transactions, not from what the objects claim. */
export async function stateOf(context: Context): Promise<SimulatorState> {
  const { client, schema } = context.tx;
  const intents = await client.query<PaymentSummary & { id: string }>(
    `SELECT p.id, p.doc->>'status' AS status, (p.doc->>'amount')::float8 AS amount, p.doc->>'currency' AS currency,
            p.doc->'metadata' AS metadata,
            count(b.id) FILTER (WHERE b.doc->>'type' = 'charge')::int AS captures,
            coalesce(sum((b.doc->>'amount')::float8) FILTER (WHERE b.doc->>'type' = 'charge'), 0) AS captured,
            count(b.id) FILTER (WHERE b.doc->>'type' = 'refund')::int AS refunds,
            coalesce(-sum((b.doc->>'amount')::float8) FILTER (WHERE b.doc->>'type' = 'refund'), 0) AS refunded
     FROM ${schema}.objects p
     LEFT JOIN ${schema}.objects s ON s.object IN ('charge', 'refund') AND s.doc->>'payment_intent' = p.id
     LEFT JOIN ${schema}.objects b ON b.object = 'balance_transaction' AND b.doc->>'source' = s.id
     WHERE p.object = 'payment_intent' GROUP BY p.id ORDER BY p.sequence`,
  );
  const transfers = await client.query<{ doc: Stripe.Transfer }>(
    `SELECT doc FROM ${schema}.objects WHERE object = 'transfer' ORDER BY sequence`,
  );
  const accounts = await client.query<{ id: string }>(
    `SELECT id FROM ${schema}.objects WHERE object = 'account' ORDER BY sequence`,
  );
  const webhooks = await client.query<SimulatorState['webhooks']>(
    `SELECT count(*) FILTER (WHERE delivered_at IS NULL)::int AS waiting, count(delivered_at)::int AS delivered, coalesce(sum(attempts), 0)::int AS attempts FROM ${schema}.deliveries`,
  );
  const balanceFor = async (account: string) =>
    Object.fromEntries(
      (await balanceOf(context, account)).map(({ currency, available, pending }) => [
        currency,
        { available, pending },
      ]),
    );
  const connected: [string, Awaited<ReturnType<typeof balanceFor>>][] = [];
  for (const { id } of accounts.rows) connected.push([id, await balanceFor(id)]);
  return {
    paymentIntents: Object.fromEntries(intents.rows.map(({ id, ...summary }) => [id, summary])),
    transfers: Object.fromEntries(
      transfers.rows.map(({ doc: { id, amount, amount_reversed, currency, destination, metadata } }) => [
        id,
        { amount, amount_reversed, currency, destination, metadata },
      ]),
    ),
    balance: await balanceFor(''),
    connectedBalances: Object.fromEntries(connected),
    webhooks: webhooks.rows[0] ?? { waiting: 0, delivered: 0, attempts: 0 },
  };
}

/** Refuses what is no request of the simulator's own. */
export function unknownControl(path: string): never {
  throw noSuch('page', path);
}
