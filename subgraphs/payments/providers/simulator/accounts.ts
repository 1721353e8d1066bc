import type Stripe from 'stripe';
import { invalidRequest, noAccess } from './api-error.ts';
import { type Context, SELF, tell } from './context.ts';
import { listOf } from './lists.ts';
import {
  flag,
  listOf as manyOf,
  metadata,
  oneOf,
  paging,
  range,
  required,
  shape,
  text,
} from './parameters.ts';
import { route } from './routes.ts';
import { stripeId } from './store.ts';

const LINK_SECONDS = 300;

/** What a person has to hand in before money may leave. */
const everythingDue = ['external_account', 'individual.verification.document', 'tos_acceptance.date'];

function requirements(due: readonly string[]): Stripe.Account.Requirements {
  return {
    alternatives: [],
    current_deadline: null,
    currently_due: [...due],
    disabled_reason: due.length > 0 ? 'requirements.past_due' : null,
    errors: [],
    eventually_due: [...due],
    past_due: [...due],
    pending_verification: [],
  };
}

async function create(context: Context, params: Stripe.AccountCreateParams): Promise<Stripe.Account> {
  const country = params.country ?? 'US';
  if (!/^[A-Z]{2}$/.test(country))
    throw invalidRequest(`Country '${country}' is unknown.`, { param: 'country' });
  const account: Stripe.Account = {
    id: stripeId('acct', 16),
    object: 'account',
    business_type: 'individual',
    capabilities: { transfers: params.capabilities?.transfers?.requested ? 'inactive' : 'unrequested' },
    charges_enabled: false,
    country,
    created: context.now,
    default_currency: params.default_currency ?? 'eur',
    details_submitted: false,
    email: params.email ?? null,
    future_requirements: requirements([]),
    metadata: (params.metadata || {}) as Stripe.Metadata,
    payouts_enabled: false,
    requirements: requirements(everythingDue),
    tos_acceptance: { date: null, ip: null, user_agent: null },
    type: params.type ?? 'express',
  };
  await context.tx.insert('account', '', account, { created: context.now });
  return account;
}

/** What an operator of the simulator may decide about an account. */
export interface Verification {
  readonly payoutsEnabled: boolean;
  /** May money be moved to the account? As `payoutsEnabled` when absent. */
  readonly transfersEnabled?: boolean;
  /** What is still asked for; everything when payouts are off and this is absent. */
  readonly currentlyDue?: readonly string[];
}

/** Grants or takes away what an account may do, and tells the platform. */
export async function verifyAccount(
  context: Context,
  id: string,
  verdict: Verification,
): Promise<Stripe.Account> {
  const { doc } = await context.tx.lock('account', id);
  const transfers = verdict.transfersEnabled ?? verdict.payoutsEnabled;
  const verified: Stripe.Account = {
    ...doc,
    capabilities: { ...doc.capabilities, transfers: transfers ? 'active' : 'inactive' },
    details_submitted: true,
    payouts_enabled: verdict.payoutsEnabled,
    requirements: requirements(verdict.currentlyDue ?? (verdict.payoutsEnabled ? [] : everythingDue)),
  };
  await context.tx.save<'account'>(verified);
  await tell(context, 'account.updated', verified, {
    account: id,
    previous: { payouts_enabled: doc.payouts_enabled, requirements: doc.requirements },
  });
  return verified;
}

export const accountRoutes = [
  route<Stripe.AccountCreateParams, Stripe.Account>({
    name: 'accounts.create',
    request: 'POST /v1/accounts',
    parameters: {
      business_type: oneOf('individual'),
      capabilities: shape<Stripe.AccountCreateParams.Capabilities>({
        transfers: shape<Stripe.AccountCreateParams.Capabilities.Transfers>({ requested: flag }),
      }),
      country: text,
      default_currency: text,
      email: text,
      expand: manyOf(text),
      metadata,
      settings: shape<Stripe.AccountCreateParams.Settings>({
        payouts: shape<Stripe.AccountCreateParams.Settings.Payouts>({
          schedule: shape<Stripe.AccountCreateParams.Settings.Payouts.Schedule>({
            interval: oneOf('manual'),
          }),
        }),
      }),
      type: oneOf('express', 'custom', 'standard'),
    },
    handle: create,
  }),
  route<Stripe.AccountListParams, Stripe.ApiList<Stripe.Account>>({
    name: 'accounts.list',
    request: 'GET /v1/accounts',
    parameters: { ...paging, created: range },
    handle: (context, page) => listOf(context, 'account', '/v1/accounts', {}, page),
  }),
  route<Stripe.AccountRetrieveParams, Stripe.Account>({
    name: 'accounts.retrieve',
    request: 'GET /v1/accounts/:id',
    parameters: { expand: manyOf(text) },
    async handle(context, _, id) {
      const row = await context.tx.find('account', id);
      if (!row) throw noAccess(id);
      return row.doc;
    },
  }),
  route<Stripe.AccountLinkCreateParams, Stripe.AccountLink>({
    name: 'account_links.create',
    request: 'POST /v1/account_links',
    parameters: {
      account: required(text),
      expand: manyOf(text),
      refresh_url: required(text),
      return_url: required(text),
      type: required(oneOf('account_onboarding')),
    },
    async handle(context, { account, return_url: returnUrl = '' }) {
      const { doc, hidden } = await context.tx.lock('account', account, '', 'account');
      const linkId = stripeId('link', 16);
      const expires = context.now + LINK_SECONDS;
      await context.tx.save<'account'>(doc, { hidden: { ...hidden, link: { linkId, returnUrl, expires } } });
      return {
        object: 'account_link',
        created: context.now,
        expires_at: expires,
        url: `${SELF}/_simulator/onboarding/${account}/${linkId}`,
      };
    },
  }),
];
