/** What goes wrong with a call to Stripe, in our words. See the four endings in `card-processor.ts`. */

import Stripe from 'stripe';
import { Conflict, Invalid, NotFound, type Refusal, Unavailable } from '#shared/kernel/errors.ts';
import { OutcomeUnknown, ProcessorMisconfigured, type UnknownReason } from './card-processor.ts';

const { errors } = Stripe;

/** A call's own refusal: what one of Stripe's errors means for it. */
export type Meaning = (error: Stripe.errors.StripeError) => Refusal | undefined;

/**
 * Only an answer of the processor is a refusal. A lost connection proves nothing, not even a refused one:
 * the client has tried before it gave up, and an earlier attempt may have acted. The same holds for 429.
 */
function unknownReason(error: unknown): UnknownReason | undefined {
  if (error instanceof errors.StripeConnectionError) return 'NO_ANSWER';
  if (error instanceof errors.StripeRateLimitError) return 'PROCESSOR_BUSY';
  if (!(error instanceof errors.StripeError)) return undefined;
  if (error.statusCode === 409) return 'IN_PROGRESS';
  if (error instanceof errors.StripeAPIError || (error.statusCode ?? 500) >= 500) return 'PROCESSOR_FAILED';
  return undefined;
}

/** How Stripe says that it knows no such account of ours. */
const UNKNOWN_ACCOUNT = 'account_invalid';

const isMisconfigured = (error: unknown): boolean =>
  error instanceof errors.StripeAuthenticationError ||
  (error instanceof errors.StripePermissionError && error.code !== UNKNOWN_ACCOUNT);

function refusalOf(error: Stripe.errors.StripeError, meaning: Meaning): Refusal {
  const details = { processorCode: error.code ?? null, parameter: error.param ?? null };
  if (error instanceof errors.StripeIdempotencyError)
    return new Conflict('OPERATION_KEY_REUSED', 'This operation key was used for another request', details);
  const own = meaning(error);
  if (own) return own;
  if (error.code === 'resource_missing' || error.code === UNKNOWN_ACCOUNT)
    return new NotFound('PROCESSOR_OBJECT_UNKNOWN', 'The card processor does not know this object', details);
  if (error.code === 'payment_intent_unexpected_state')
    return new Conflict('PAYMENT_STATE_CONFLICT', 'The payment is not in a state that allows this', {
      ...details,
      status: error.payment_intent?.status ?? null,
    });
  if (error.code === 'balance_insufficient')
    return new Conflict('PROCESSOR_BALANCE_INSUFFICIENT', 'There is not enough money for this', details);
  if (error.code === 'amount_too_small' || error.code === 'amount_too_large')
    return new Invalid('AMOUNT_NOT_CHARGEABLE', 'The card processor cannot move this amount', details);
  return new Invalid(
    'PROCESSOR_REFUSED_REQUEST',
    `The card processor refused the request: ${error.message}`,
    details,
  );
}

/** Runs a call that changes something. */
export async function changing<T>(
  operationKey: string,
  call: () => Promise<T>,
  meaning: Meaning = () => undefined,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isMisconfigured(error)) throw new ProcessorMisconfigured(error);
    const reason = unknownReason(error);
    if (reason) throw new OutcomeUnknown(operationKey, reason, error);
    if (error instanceof errors.StripeError) throw refusalOf(error, meaning);
    throw error;
  }
}

/** Runs a call that only asks. */
export async function asking<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isMisconfigured(error)) throw new ProcessorMisconfigured(error);
    if (unknownReason(error))
      throw new Unavailable('PROCESSOR_UNAVAILABLE', 'The card processor does not answer');
    if (error instanceof errors.StripeError) throw refusalOf(error, () => undefined);
    throw error;
  }
}
