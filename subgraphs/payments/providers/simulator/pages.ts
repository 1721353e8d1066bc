/** The pages that people see on the card issuer's and the processor's side: 3-D Secure and onboarding. */

import { verifyAccount } from './accounts.ts';
import { ApiError, invalidRequest, noSuch } from './api-error.ts';
import { attempt, failChallenge } from './attempts.ts';
import type { Context } from './context.ts';

export interface PageAnswer {
  readonly status: number;
  readonly html: string;
  readonly location?: string;
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => escapes[character] ?? '');

function page(
  title: string,
  text: string,
  buttons: readonly (readonly [value: string, label: string])[],
): string {
  const forms = buttons
    .map(
      ([value, label]) =>
        `<form method="post"><button name="outcome" value="${value}">${label}</button></form>`,
    )
    .join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>body{font:16px system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem;margin:.3rem 0}</style><h1>${title}</h1><p>${escapeHtml(text)}</p>${forms}</html>`;
}

/** Only web addresses: a `javascript:` return address must not become a redirect. */
function backTo(returnUrl: unknown, query: Record<string, string>): { location?: string } {
  if (typeof returnUrl !== 'string' || !URL.canParse(returnUrl)) return {};
  const url = new URL(returnUrl);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return ['http:', 'https:'].includes(url.protocol) ? { location: url.href } : {};
}

/** The issuer's challenge of one payment; `outcome` is null to show it, else `complete` or `fail`. */
export async function challengePage(
  context: Context,
  intentId: string,
  challengeId: string,
  outcome: string | null,
): Promise<PageAnswer> {
  const { doc, hidden, account } = await context.tx.lock('payment_intent', intentId);
  if (hidden.challengeId !== challengeId) throw noSuch('authentication', challengeId);
  if (doc.status !== 'requires_action')
    return { status: 409, html: page('3-D Secure', `This payment is ${doc.status} already.`, []) };
  if (outcome === null)
    return {
      status: 200,
      html: page('3-D Secure', `Test payment of ${doc.amount} ${doc.currency.toUpperCase()} (minor units).`, [
        ['complete', 'Complete'],
        ['fail', 'Fail'],
      ]),
    };
  if (outcome !== 'complete' && outcome !== 'fail') throw invalidRequest('outcome is complete or fail');
  let succeeded = outcome === 'complete';
  if (!succeeded || typeof doc.payment_method !== 'string') await failChallenge(context, doc);
  else {
    const method = await context.tx.get('payment_method', doc.payment_method, account);
    try {
      await attempt(context, doc, method, { authenticated: true });
    } catch (error) {
      if (!(error instanceof ApiError && error.keepsEffects)) throw error;
      succeeded = false;
    }
  }
  return {
    status: 200,
    html: page(
      '3-D Secure',
      succeeded ? 'Authenticated. You may close this page.' : 'The payment failed.',
      [],
    ),
    ...backTo(hidden.returnUrl, {
      payment_intent: doc.id,
      payment_intent_client_secret: doc.client_secret ?? '',
      redirect_status: succeeded ? 'succeeded' : 'failed',
    }),
  };
}

/** Hosted onboarding of a connected account; `outcome` is null to show it, else `complete`. */
export async function onboardingPage(
  context: Context,
  accountId: string,
  linkId: string,
  outcome: string | null,
): Promise<PageAnswer> {
  const { hidden } = await context.tx.lock('account', accountId);
  const link = (hidden.link ?? {}) as { linkId?: string; returnUrl?: string; expires?: number };
  if (link.linkId !== linkId) throw noSuch('account_link', linkId);
  if ((link.expires ?? 0) < context.now)
    return { status: 410, html: page('Payout account', 'This link has expired.', []) };
  if (outcome === null)
    return {
      status: 200,
      html: page('Payout account', 'Hand in the identity document and bank account of a test person.', [
        ['complete', 'Hand in'],
      ]),
    };
  if (outcome !== 'complete') throw invalidRequest('outcome is complete');
  await verifyAccount(context, accountId, { payoutsEnabled: true });
  return {
    status: 200,
    html: page('Payout account', 'Done. You may close this page.', []),
    ...backTo(link.returnUrl, {}),
  };
}
