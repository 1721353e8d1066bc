import Stripe from 'stripe';
import type { Faults } from './faults.ts';
import { stripeId, type Transaction } from './store.ts';

/** How long things take, in milliseconds of the simulator's clock. */
export interface Delays {
  /** From charge to available balance. */
  readonly settlementMs: number;
  /** From payout to the bank account. */
  readonly payoutMs: number;
  /** From authorisation to its expiry. */
  readonly authorisationMs: number;
}

/** What a handler works with: one transaction at one instant for one account. */
export interface Context {
  readonly tx: Transaction;
  /** Unix seconds. */
  readonly now: number;
  /** The connected account of the `Stripe-Account` header; empty for the platform. */
  readonly account: string;
  readonly faults: Faults;
  readonly delays: Delays;
  /** Where webhooks go. */
  readonly webhookUrls: readonly string[];
  readonly requestId: string | null;
  readonly idempotencyKey: string | null;
  /** True for a request signed by a browser's publishable key. */
  readonly publishable: boolean;
}

/** In a document: the simulator's own address, which a restart may change. Filled in when answered. */
export const SELF = 'simulator-address:';

/** Records an event and its deliveries in the same transaction as the change it tells. */
export async function tell(
  context: Context,
  type: Stripe.Event.Type,
  object: Stripe.Event.Data.Object,
  { account = context.account, previous }: { account?: string; previous?: object } = {},
): Promise<void> {
  const event: Stripe.EventBase = {
    id: stripeId('evt'),
    object: 'event',
    api_version: Stripe.API_VERSION,
    created: context.now,
    data: { object, ...(previous ? { previous_attributes: previous } : {}) },
    livemode: false,
    pending_webhooks: context.webhookUrls.length,
    request: { id: context.requestId, idempotency_key: context.idempotencyKey },
    type,
    ...(account === '' ? {} : { account }),
  };
  await context.tx.insert('event', '', event as Stripe.Event, { created: context.now });
  for (const url of context.webhookUrls)
    await context.tx.client.query(
      `INSERT INTO ${context.tx.schema}.deliveries (event_id, url, emitted_at_ms, next_at_ms) VALUES ($1, $2, $3, $3)`,
      [event.id, url, context.now * 1000],
    );
}

/** The unix second `ms` later, rounded up. */
export const secondsAfter = (now: number, ms: number): number => now + Math.ceil(ms / 1000);
