/** Stripe's webhook signatures, with two secrets during a rotation and a window that is closed on both sides. */

import Stripe from 'stripe';
import { Forbidden, Invalid } from '#shared/kernel/errors.ts';
import { SECOND } from '#shared/kernel/time.ts';
import type { WebhookHeaders, WebhookNotice } from './card-processor.ts';
import { noticeOf } from './stripe.answers.ts';

const TOLERANCE_MS = 300 * SECOND;

const invalid = () =>
  new Forbidden('WEBHOOK_SIGNATURE_INVALID', 'The webhook is not signed by the card processor');

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof value !== 'string') throw invalid();
  return value;
}

/** Refuses as `CardProcessor.verifyWebhook` says. @param secrets the current one and, while rotating, the other */
export function verifyStripeWebhook(
  stripe: Stripe,
  secrets: readonly string[],
  rawBody: Uint8Array,
  headers: WebhookHeaders,
  now: Date,
): WebhookNotice {
  const signature = headerOf(headers, 'stripe-signature');
  // Exactly one instant: of two, this check and the client's might each read another.
  const [signedAt, ...more] = signature.split(',').filter((part) => part.trim().startsWith('t='));
  const seconds = Number(/^t=(\d{1,12})$/.exec(signedAt ?? '')?.[1]);
  if (more.length > 0 || Number.isNaN(seconds)) throw invalid();
  const body = Buffer.from(rawBody);
  const event = firstVerified(stripe, secrets, body, signature, now);
  // The client only looks for signatures that are too old; one from the future can be kept and replayed later.
  if (Math.abs(now.getTime() - seconds * SECOND) > TOLERANCE_MS)
    throw new Forbidden('WEBHOOK_TIMESTAMP_OUTSIDE_TOLERANCE', 'The webhook was not signed just now');
  const notice = noticeOf(event);
  if (!notice) throw new Invalid('WEBHOOK_MALFORMED', 'The webhook names no object');
  return notice;
}

function firstVerified(
  stripe: Stripe,
  secrets: readonly string[],
  body: Buffer,
  signature: string,
  now: Date,
): Stripe.Event {
  for (const secret of secrets) {
    try {
      return stripe.webhooks.constructEvent(body, signature, secret, 0, undefined, now.getTime());
    } catch (error) {
      if (error instanceof SyntaxError) throw new Invalid('WEBHOOK_MALFORMED', 'The webhook is not JSON');
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) throw error;
    }
  }
  throw invalid();
}
