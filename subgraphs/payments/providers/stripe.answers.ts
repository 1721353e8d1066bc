/** Stripe's objects in our words. */
import type Stripe from 'stripe';
import type {
  BalanceMovement,
  Decline,
  PaymentState,
  PayoutAccountStatus,
  ProcessorPayment,
  ProcessorPayout,
  ProcessorRefund,
  ProcessorReversal,
  ProcessorTransfer,
  SavedMethod,
  WebhookNotice,
  WebhookObjectKind,
} from './card-processor.ts';
import { fromStripeAmount } from './stripe.amounts.ts';

/** The metadata member that carries our operation key. */
export const OPERATION = 'operation';

const operationOf = (metadata: Stripe.Metadata | null): string | null => metadata?.[OPERATION] ?? null;

/** Instants are whole seconds at Stripe. */
export const instantOf = (seconds: number): Date => new Date(seconds * 1000);
export const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / 1000);

const paymentStates = new Map<string, PaymentState>([
  ['requires_payment_method', 'REQUIRES_METHOD'],
  ['requires_confirmation', 'REQUIRES_CONFIRMATION'],
  ['requires_action', 'REQUIRES_ACTION'],
  ['processing', 'PROCESSING'],
  ['requires_capture', 'AUTHORISED'],
  ['succeeded', 'CAPTURED'],
  ['canceled', 'CANCELLED'],
]);

const refundStates = new Map<string, ProcessorRefund['state']>([
  ['pending', 'PENDING'],
  ['requires_action', 'PENDING'],
  ['succeeded', 'SUCCEEDED'],
  ['failed', 'FAILED'],
  ['canceled', 'CANCELLED'],
]);

const payoutStates = new Map<string, ProcessorPayout['state']>([
  ['pending', 'PENDING'],
  ['in_transit', 'IN_TRANSIT'],
  ['paid', 'PAID'],
  ['failed', 'FAILED'],
  ['canceled', 'CANCELLED'],
]);

/** Stripe may add states; one that we do not know must stop us, not be taken for another. */
function stateOf<State>(states: ReadonlyMap<string, State>, status: string | null): State {
  const state = states.get(status ?? '');
  if (state === undefined) throw new Error(`Stripe answered with an unknown status: ${status}`);
  return state;
}

const idOf = (value: string | { id: string } | null | undefined): string | null =>
  typeof value === 'string' ? value : (value?.id ?? null);

const chargeOf = (intent: Stripe.PaymentIntent): Stripe.Charge | null =>
  typeof intent.latest_charge === 'string' ? null : intent.latest_charge;

function feeOf(charge: Stripe.Charge | null) {
  const transaction = charge?.balance_transaction;
  return transaction && typeof transaction !== 'string'
    ? fromStripeAmount(transaction.fee, transaction.currency)
    : null;
}

function redirectOf(intent: Stripe.PaymentIntent): string | null {
  return intent.status === 'requires_action' ? (intent.next_action?.redirect_to_url?.url ?? null) : null;
}

export function declineOf(error: {
  code?: string | undefined;
  decline_code?: string | undefined;
  message?: string | undefined;
}): Decline {
  return {
    code: error.code ?? 'card_declined',
    declineCode: error.decline_code ?? null,
    message: error.message ?? 'Your card was declined.',
  };
}

/** Expects `latest_charge.balance_transaction` to be expanded. */
export function paymentOf(intent: Stripe.PaymentIntent): ProcessorPayment {
  const state = stateOf(paymentStates, intent.status);
  const charge = chargeOf(intent);
  const before = charge?.payment_method_details?.card?.capture_before;
  const paid = state === 'AUTHORISED' || state === 'CAPTURED';
  return {
    id: intent.id,
    state,
    amount: fromStripeAmount(intent.amount, intent.currency),
    capturable: fromStripeAmount(intent.amount_capturable, intent.currency),
    captured: fromStripeAmount(intent.amount_received, intent.currency),
    captureBefore: state === 'AUTHORISED' && before !== undefined ? instantOf(before) : null,
    operationKey: operationOf(intent.metadata),
    redirectUrl: redirectOf(intent),
    clientSecret: intent.client_secret,
    chargeId: paid ? idOf(intent.latest_charge) : null,
    fee: state === 'CAPTURED' ? feeOf(charge) : null,
    declined: intent.last_payment_error ? declineOf(intent.last_payment_error) : null,
  };
}

export function refundOf(refund: Stripe.Refund): ProcessorRefund {
  return {
    id: refund.id,
    paymentId: idOf(refund.payment_intent),
    amount: fromStripeAmount(refund.amount, refund.currency),
    state: stateOf(refundStates, refund.status),
    operationKey: operationOf(refund.metadata),
  };
}

export function transferOf(transfer: Stripe.Transfer): ProcessorTransfer {
  return {
    id: transfer.id,
    payoutAccountId: idOf(transfer.destination) ?? '',
    amount: fromStripeAmount(transfer.amount, transfer.currency),
    reversed: fromStripeAmount(transfer.amount_reversed, transfer.currency),
    group: transfer.transfer_group,
    operationKey: operationOf(transfer.metadata),
  };
}

export function reversalOf(reversal: Stripe.TransferReversal): ProcessorReversal {
  return {
    id: reversal.id,
    transferId: idOf(reversal.transfer) ?? '',
    amount: fromStripeAmount(reversal.amount, reversal.currency),
    operationKey: operationOf(reversal.metadata),
  };
}

export function payoutOf(payout: Stripe.Payout, payoutAccountId: string): ProcessorPayout {
  return {
    id: payout.id,
    payoutAccountId,
    amount: fromStripeAmount(payout.amount, payout.currency),
    state: stateOf(payoutStates, payout.status),
    arrivesAt: instantOf(payout.arrival_date),
    failureCode: payout.failure_code,
    operationKey: operationOf(payout.metadata),
  };
}

export function payoutAccountOf(account: Stripe.Account): PayoutAccountStatus {
  const { currently_due: current, past_due: past, disabled_reason: reason } = account.requirements ?? {};
  return {
    id: account.id,
    transfersEnabled: account.capabilities?.transfers === 'active',
    payoutsEnabled: account.payouts_enabled,
    requirementsDue: [...new Set([...(past ?? []), ...(current ?? [])])].sort(),
    disabledReason: reason ?? null,
  };
}

export function savedMethodOf(method: Stripe.PaymentMethod): SavedMethod | null {
  if (!method.card) return null;
  return {
    id: method.id,
    brand: method.card.brand,
    last4: method.card.last4,
    expiresMonth: method.card.exp_month,
    expiresYear: method.card.exp_year,
  };
}

export function movementOf(transaction: Stripe.BalanceTransaction): BalanceMovement {
  const { currency } = transaction;
  return {
    id: transaction.id,
    type: transaction.type,
    amount: fromStripeAmount(transaction.amount, currency),
    fee: fromStripeAmount(transaction.fee, currency),
    net: fromStripeAmount(transaction.net, currency),
    sourceId: idOf(transaction.source),
    createdAt: instantOf(transaction.created),
    availableAt: instantOf(transaction.available_on),
  };
}

const objectKinds = new Map<string, WebhookObjectKind>([
  ['payment_intent', 'PAYMENT'],
  ['charge', 'PAYMENT'],
  ['refund', 'REFUND'],
  ['transfer', 'TRANSFER'],
  ['payout', 'PAYOUT'],
  ['account', 'PAYOUT_ACCOUNT'],
]);

/** What an event is about; null when it has not even an object with an id. */
export function noticeOf(event: Stripe.EventBase): WebhookNotice | null {
  const about: { id?: unknown; object?: unknown; payment_intent?: unknown } = event.data.object;
  if (typeof about.id !== 'string') return null;
  // The events of a charge are news of its payment, which is what we know.
  const ofCharge = about.object === 'charge' && typeof about.payment_intent === 'string';
  const kind = typeof about.object === 'string' ? objectKinds.get(about.object) : undefined;
  return {
    eventId: event.id,
    type: event.type,
    objectKind: about.object === 'charge' && !ofCharge ? 'OTHER' : (kind ?? 'OTHER'),
    objectId: ofCharge ? String(about.payment_intent) : about.id,
    payoutAccountId: event.account ?? null,
    createdAt: instantOf(event.created),
  };
}
