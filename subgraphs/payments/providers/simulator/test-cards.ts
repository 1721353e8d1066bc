/** Stripe's published test cards: https://docs.stripe.com/testing */

export interface Decline {
  readonly code: string;
  readonly declineCode: string;
  readonly message: string;
}

export interface CardBehaviour {
  readonly brand: 'visa' | 'mastercard' | 'amex';
  readonly last4: string;
  /** Does the issuer ask for 3-D Secure? */
  readonly challenge: boolean;
  readonly decline?: Decline;
  /** Charges are available at once instead of after settlement. */
  readonly bypassPending: boolean;
}

const visa: CardBehaviour = { brand: 'visa', last4: '4242', challenge: false, bypassPending: false };

const declined = (
  declineCode: string,
  message = 'Your card was declined.',
  code = 'card_declined',
): Decline => ({
  code,
  declineCode,
  message,
});

const tokens = new Map<string, CardBehaviour>(
  Object.entries({
    visa,
    mastercard: { ...visa, brand: 'mastercard', last4: '4444' },
    amex: { ...visa, brand: 'amex', last4: '8431' },
    bypassPending: { ...visa, last4: '0077', bypassPending: true },
    chargeDeclined: { ...visa, last4: '0002', decline: declined('generic_decline') },
    visa_chargeDeclined: { ...visa, last4: '0002', decline: declined('generic_decline') },
    chargeCustomerFail: { ...visa, last4: '0341', decline: declined('generic_decline') },
    chargeDeclinedInsufficientFunds: {
      ...visa,
      last4: '9995',
      decline: declined('insufficient_funds', 'Your card has insufficient funds.'),
    },
    chargeDeclinedLostCard: { ...visa, last4: '9987', decline: declined('lost_card') },
    chargeDeclinedStolenCard: { ...visa, last4: '9979', decline: declined('stolen_card') },
    chargeDeclinedFraudulent: { ...visa, last4: '0019', decline: declined('fraudulent') },
    chargeDeclinedVelocityLimitExceeded: {
      ...visa,
      last4: '6975',
      decline: declined('card_velocity_exceeded'),
    },
    chargeDeclinedExpiredCard: {
      ...visa,
      last4: '0069',
      decline: declined('expired_card', 'Your card has expired.', 'expired_card'),
    },
    chargeDeclinedIncorrectCvc: {
      ...visa,
      last4: '0127',
      decline: declined('incorrect_cvc', "Your card's security code is incorrect.", 'incorrect_cvc'),
    },
    chargeDeclinedProcessingError: {
      ...visa,
      last4: '0119',
      decline: declined(
        'processing_error',
        'An error occurred while processing your card. Try again in a little bit.',
        'processing_error',
      ),
    },
    authenticationRequired: { ...visa, last4: '3184', challenge: true },
    threeDSecureRequired: { ...visa, last4: '3220', challenge: true },
    threeDSecure2Required: { ...visa, last4: '3220', challenge: true },
    threeDSecureRequiredChargeDeclined: {
      ...visa,
      last4: '1629',
      challenge: true,
      decline: declined('generic_decline'),
    },
    authenticationRequiredChargeDeclinedInsufficientFunds: {
      ...visa,
      last4: '3178',
      challenge: true,
      decline: declined('insufficient_funds', 'Your card has insufficient funds.'),
    },
  } satisfies Record<string, CardBehaviour>),
);

const numbers = new Map<string, string>([
  ['4242424242424242', 'visa'],
  ['5555555555554444', 'mastercard'],
  ['378282246310005', 'amex'],
  ['4000000000000077', 'bypassPending'],
  ['4000000000000002', 'chargeDeclined'],
  ['4000000000000341', 'chargeCustomerFail'],
  ['4000000000009995', 'chargeDeclinedInsufficientFunds'],
  ['4000000000009987', 'chargeDeclinedLostCard'],
  ['4000000000009979', 'chargeDeclinedStolenCard'],
  ['4100000000000019', 'chargeDeclinedFraudulent'],
  ['4000000000006975', 'chargeDeclinedVelocityLimitExceeded'],
  ['4000000000000069', 'chargeDeclinedExpiredCard'],
  ['4000000000000127', 'chargeDeclinedIncorrectCvc'],
  ['4000000000000119', 'chargeDeclinedProcessingError'],
  ['4000002760003184', 'authenticationRequired'],
  ['4000000000003220', 'threeDSecure2Required'],
  ['4000008400001629', 'threeDSecureRequiredChargeDeclined'],
  ['4000008260003178', 'authenticationRequiredChargeDeclinedInsufficientFunds'],
]);

/** The behaviour of `pm_card_…` and `tok_…`, if there is such a test token. */
export function cardOfToken(token: string): CardBehaviour | undefined {
  const name = /^(?:pm_card|tok)_(.+)$/.exec(token)?.[1];
  return name === undefined ? undefined : tokens.get(name);
}

/** The behaviour of a test card number. */
export function cardOfNumber(number: string): CardBehaviour | undefined {
  const name = numbers.get(number.replaceAll(' ', ''));
  return name === undefined ? undefined : tokens.get(name);
}
