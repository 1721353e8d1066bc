/**
 * What happens to a PaymentIntent when a card is asked: authentication, decline, hold or capture.
 * Every function here works on an intent that its caller has locked, and saves it.
 */
import type Stripe from 'stripe';
import { ApiError } from './api-error.ts';
import { captureCharge, recordCharge } from './charges.ts';
import { type Context, SELF, secondsAfter, tell } from './context.ts';
import { attach, behaviourOf } from './payment-methods.ts';
import type { Row } from './store.ts';
import { stripeId } from './store.ts';
import type { Decline } from './test-cards.ts';

export interface AttemptOptions {
  readonly offSession?: boolean;
  readonly errorOnAction?: boolean;
  readonly returnUrl?: string | null;
  readonly authenticated?: boolean;
  /** Do not fall into `processing` again. */
  readonly processed?: boolean;
}

const authenticationRequired: Decline = {
  code: 'authentication_required',
  declineCode: 'authentication_required',
  message: 'Your card was declined. This transaction requires authentication.',
};

/** Asks the card. Throws Stripe's `card_error`, keeping the failed charge, where it is refused. */
export async function attempt(
  context: Context,
  intent: Stripe.PaymentIntent,
  method: Row<'payment_method'>,
  options: AttemptOptions = {},
): Promise<Stripe.PaymentIntent> {
  const behaviour = behaviourOf(method);
  const authenticated = options.authenticated ?? false;
  const asked: Stripe.PaymentIntent = { ...intent, payment_method: method.doc.id, next_action: null };
  if (behaviour.challenge && !authenticated) {
    if (options.offSession || options.errorOnAction)
      throw await refuse(context, asked, method, authenticationRequired, authenticated);
    return challenge(context, asked, options.returnUrl ?? null);
  }
  if (!options.processed) {
    const slow = context.faults.strike('processing', 'payment_intents.confirm');
    if (slow) return process(context, asked, authenticated, slow.ms ?? 1_000);
  }
  if (behaviour.decline) throw await refuse(context, asked, method, behaviour.decline, authenticated);
  return approve(context, asked, method, authenticated);
}

async function challenge(
  context: Context,
  intent: Stripe.PaymentIntent,
  returnUrl: string | null,
): Promise<Stripe.PaymentIntent> {
  const challengeId = stripeId('payatt');
  const url = `${SELF}/_simulator/3ds/${intent.id}/${challengeId}`;
  const waiting: Stripe.PaymentIntent = {
    ...intent,
    last_payment_error: null,
    next_action:
      returnUrl === null
        ? { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: url } }
        : { type: 'redirect_to_url', redirect_to_url: { return_url: returnUrl, url } },
    status: 'requires_action',
  };
  await context.tx.save<'payment_intent'>(waiting, { hidden: { challengeId, returnUrl } });
  await tell(context, 'payment_intent.requires_action', waiting);
  return waiting;
}

async function process(
  context: Context,
  intent: Stripe.PaymentIntent,
  authenticated: boolean,
  ms: number,
): Promise<Stripe.PaymentIntent> {
  const processing: Stripe.PaymentIntent = { ...intent, last_payment_error: null, status: 'processing' };
  await context.tx.save<'payment_intent'>(processing, {
    dueAt: secondsAfter(context.now, ms),
    hidden: { authenticated },
  });
  await tell(context, 'payment_intent.processing', processing);
  return processing;
}

async function refuse(
  context: Context,
  intent: Stripe.PaymentIntent,
  method: Row<'payment_method'>,
  decline: Decline,
  authenticated: boolean,
): Promise<ApiError> {
  const behaviour = behaviourOf(method);
  const charge = await recordCharge(context, {
    intent,
    method: method.doc,
    behaviour,
    decline,
    authenticated,
  });
  const error = {
    type: 'card_error',
    code: decline.code,
    decline_code: decline.declineCode,
    doc_url: `https://docs.stripe.com/error-codes/${decline.code.replaceAll('_', '-')}`,
    message: decline.message,
    charge: charge.id,
  } as const;
  const refused: Stripe.PaymentIntent = {
    ...intent,
    last_payment_error: { ...error, payment_method: method.doc },
    latest_charge: charge.id,
    payment_method: null,
    status: 'requires_payment_method',
  };
  await context.tx.save<'payment_intent'>(refused, { dueAt: null });
  await tell(context, 'charge.failed', charge);
  await tell(context, 'payment_intent.payment_failed', refused);
  return new ApiError(402, { ...error, payment_intent: refused, payment_method: method.doc }, true);
}

async function approve(
  context: Context,
  intent: Stripe.PaymentIntent,
  method: Row<'payment_method'>,
  authenticated: boolean,
): Promise<Stripe.PaymentIntent> {
  const held = intent.capture_method === 'manual';
  const captureBefore = secondsAfter(context.now, context.delays.authorisationMs);
  const charge = await recordCharge(context, {
    intent,
    method: method.doc,
    behaviour: behaviourOf(method),
    authenticated,
    ...(held ? { captureBefore } : {}),
  });
  if (
    typeof intent.customer === 'string' &&
    intent.setup_future_usage !== null &&
    method.doc.customer === null
  )
    await attach(context, method.doc.id, intent.customer);
  const authorised: Stripe.PaymentIntent = {
    ...intent,
    amount_capturable: held ? intent.amount : 0,
    last_payment_error: null,
    latest_charge: charge.id,
    next_action: null,
    status: 'requires_capture',
  };
  if (held) {
    await context.tx.save<'payment_intent'>(authorised, { dueAt: captureBefore });
    await tell(context, 'charge.succeeded', charge);
    await tell(context, 'payment_intent.amount_capturable_updated', authorised);
    return authorised;
  }
  return settle(context, authorised, charge.id, intent.amount, 'charge.succeeded');
}

/** Takes the money of an authorised intent and ends it. */
export async function settle(
  context: Context,
  intent: Stripe.PaymentIntent,
  chargeId: string,
  amount: number,
  event: 'charge.succeeded' | 'charge.captured',
): Promise<Stripe.PaymentIntent> {
  const charge = await captureCharge(context, chargeId, amount);
  const succeeded: Stripe.PaymentIntent = {
    ...intent,
    amount_capturable: 0,
    amount_received: amount,
    status: 'succeeded',
  };
  await context.tx.save<'payment_intent'>(succeeded, { dueAt: null });
  await tell(context, event, charge);
  await tell(context, 'payment_intent.succeeded', succeeded);
  return succeeded;
}

/** The cardholder failed or refused the authentication. */
export async function failChallenge(
  context: Context,
  intent: Stripe.PaymentIntent,
): Promise<Stripe.PaymentIntent> {
  const failed: Stripe.PaymentIntent = {
    ...intent,
    last_payment_error: {
      code: 'payment_intent_authentication_failure',
      doc_url: 'https://docs.stripe.com/error-codes/payment-intent-authentication-failure',
      message:
        'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
      type: 'invalid_request_error',
    },
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method',
  };
  await context.tx.save<'payment_intent'>(failed);
  await tell(context, 'payment_intent.payment_failed', failed);
  return failed;
}
