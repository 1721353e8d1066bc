import type Stripe from 'stripe';
import { chargeFee, move } from './balance.ts';
import { type Context, secondsAfter, tell } from './context.ts';
import { given, listOf } from './lists.ts';
import { listOf as manyOf, paging, range, text } from './parameters.ts';
import { route } from './routes.ts';
import { stripeId } from './store.ts';
import type { CardBehaviour, Decline } from './test-cards.ts';

interface NewCharge {
  readonly intent: Stripe.PaymentIntent;
  readonly method: Stripe.PaymentMethod;
  readonly behaviour: CardBehaviour;
  readonly decline?: Decline;
  readonly authenticated: boolean;
  /** Set when the amount is only held. */
  readonly captureBefore?: number;
}

/** Records an attempt on a card: held or refused. Money moves only with `captureCharge`. */
export async function recordCharge(context: Context, attempt: NewCharge): Promise<Stripe.Charge> {
  const { intent, method, decline } = attempt;
  const charge: Stripe.Charge = {
    id: stripeId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'SIMULATOR',
    captured: false,
    created: context.now,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: decline ? 'declined_by_network' : 'approved_by_network',
      reason: decline?.declineCode ?? null,
      risk_level: 'normal',
      risk_score: 12,
      seller_message: decline ? 'The bank returned a decline code.' : 'Payment complete.',
      type: decline ? 'issuer_declined' : 'authorized',
    },
    paid: decline === undefined,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: {
      card: {
        amount_authorized: decline ? null : intent.amount,
        authorization_code: decline ? null : '123456',
        brand: attempt.behaviour.brand,
        ...(attempt.captureBefore === undefined ? {} : { capture_before: attempt.captureBefore }),
        checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
        country: 'US',
        electronic_commerce_indicator: null,
        exp_month: method.card?.exp_month ?? 12,
        exp_year: method.card?.exp_year ?? 2099,
        extended_authorization: { status: 'disabled' },
        fingerprint: method.card?.fingerprint ?? null,
        funding: 'credit',
        incremental_authorization: { status: 'unavailable' },
        installments: null,
        last4: attempt.behaviour.last4,
        mandate: null,
        multicapture: { status: 'unavailable' },
        network: attempt.behaviour.brand,
        network_token: { used: false },
        network_transaction_id: stripeId('', 15).slice(1),
        overcapture: { maximum_amount_capturable: intent.amount, status: 'unavailable' },
        regulated_status: 'unregulated',
        three_d_secure: attempt.authenticated
          ? {
              authentication_flow: 'challenge',
              electronic_commerce_indicator: '05',
              exemption_indicator: null,
              result: 'authenticated',
              result_reason: null,
              transaction_id: stripeId('', 36).slice(1),
              version: '2.2.0',
            }
          : null,
        transaction_link_id: null,
        wallet: null,
      },
      type: 'card',
    },
    radar_options: {},
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: decline ? 'failed' : 'succeeded',
    transfer_data: null,
    transfer_group: intent.transfer_group,
  };
  await context.tx.insert('charge', context.account, charge, {
    hidden: { bypassPending: attempt.behaviour.bypassPending },
    created: context.now,
  });
  return charge;
}

/** Takes the money of a held charge; the rest of the hold is let go. */
export async function captureCharge(
  context: Context,
  chargeId: string,
  amount: number,
): Promise<Stripe.Charge> {
  const { doc, hidden } = await context.tx.lock('charge', chargeId, context.account);
  const transaction = await move(context, {
    account: context.account,
    type: 'charge',
    amount,
    fee: chargeFee(amount),
    currency: doc.currency,
    source: doc.id,
    availableOn: hidden.bypassPending ? context.now : secondsAfter(context.now, context.delays.settlementMs),
  });
  const captured: Stripe.Charge = {
    ...doc,
    amount_captured: amount,
    amount_refunded: doc.amount - amount,
    balance_transaction: transaction.id,
    captured: true,
  };
  await context.tx.save<'charge'>(captured);
  return captured;
}

/** Lets a held charge go, by cancellation or by age. */
export async function releaseCharge(
  context: Context,
  chargeId: string,
  event: 'charge.refunded' | 'charge.expired',
): Promise<void> {
  const { doc } = await context.tx.lock('charge', chargeId, context.account);
  const released: Stripe.Charge = { ...doc, amount_refunded: doc.amount, refunded: true };
  await context.tx.save<'charge'>(released);
  await tell(context, event, released);
}

export const chargeRoutes = [
  route<Stripe.ChargeListParams, Stripe.ApiList<Stripe.Charge>>({
    name: 'charges.list',
    request: 'GET /v1/charges',
    parameters: { ...paging, created: range, customer: text, payment_intent: text, transfer_group: text },
    handle: (context, { customer, payment_intent, transfer_group, ...page }) =>
      listOf(context, 'charge', '/v1/charges', given({ customer, payment_intent, transfer_group }), page),
  }),
  route<Stripe.ChargeRetrieveParams, Stripe.Charge>({
    name: 'charges.retrieve',
    request: 'GET /v1/charges/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('charge', id, context.account)).doc,
  }),
];
