/** What happens because time passes: holds expire, slow payments finish, payouts arrive. */
import { ApiError } from './api-error.ts';
import { attempt } from './attempts.ts';
import type { Context } from './context.ts';
import { endUnpaid } from './payment-intents.ts';
import { arrive } from './payouts.ts';
import type { Kind } from './store.ts';

/**
 * Lets one due object happen; false when nothing was due. What another transaction has in hand is skipped,
 * or waited for by a request: its answer must not be older than the clock.
 */
export async function settleOneDue(base: Context, inHand: 'skip' | 'wait'): Promise<boolean> {
  const { rows } = await base.tx.client.query<{ id: string; object: Kind; account: string }>(
    `SELECT id, object, account FROM ${base.tx.schema}.objects WHERE due_at <= $1 ORDER BY due_at LIMIT 1 FOR UPDATE ${inHand === 'skip' ? 'SKIP LOCKED' : ''}`,
    [base.now],
  );
  const due = rows[0];
  if (!due) return false;
  const context: Context = { ...base, account: due.account };
  if (due.object === 'payout') await arrive(context, await context.tx.get('payout', due.id, due.account));
  else await settleIntent(context, due.id);
  return true;
}

async function settleIntent(context: Context, id: string): Promise<void> {
  const { doc, hidden } = await context.tx.get('payment_intent', id, context.account);
  if (doc.status === 'requires_capture') {
    await endUnpaid(context, doc, 'automatic', 'charge.expired');
    return;
  }
  await context.tx.save<'payment_intent'>(doc, { dueAt: null });
  if (doc.status !== 'processing' || typeof doc.payment_method !== 'string') return;
  const method = await context.tx.get('payment_method', doc.payment_method, context.account);
  try {
    await attempt(context, doc, method, { authenticated: hidden.authenticated === true, processed: true });
  } catch (error) {
    // A decline is already on the intent, and nobody waits for the answer.
    if (!(error instanceof ApiError && error.keepsEffects)) throw error;
  }
}
