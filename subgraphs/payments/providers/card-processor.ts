/**
 * The card processor in our words: cards are charged, payout accounts are filled. One adapter per vendor.
 *
 * Every call that changes something takes an `operationKey`. Sent again with the same key it changes nothing
 * and gives the first result; the processor keeps keys for 24 hours. The same key with another request is
 * refused with `OPERATION_KEY_REUSED`.
 *
 * A changing call ends in one of four ways, and callers must keep them apart:
 * - it resolves: done, refused by the card's issuer, or waiting for the cardholder;
 * - a `Refusal` is thrown: the processor answered no, nothing was changed, compensating is safe;
 * - `OutcomeUnknown` is thrown: it may or may not have happened. Never compensate: ask with
 *   `findByOperation` and its like, send the same key again only within 24 hours, and a new key only when
 *   the processor says it knows nothing of the old one;
 * - `ProcessorMisconfigured` is thrown: nothing was changed, an operator has to act.
 * Reads throw `Unavailable` (`PROCESSOR_UNAVAILABLE`) when there is no answer, `NotFound`
 * (`PROCESSOR_OBJECT_UNKNOWN`) when the processor does not know the id.
 */
import type { Money } from '#shared/kernel/money.ts';

/** Why there is no trustworthy answer. */
export type UnknownReason =
  /** No answer in time, or the connection was lost. */
  | 'NO_ANSWER'
  /** The processor failed after it was asked, perhaps after acting. */
  | 'PROCESSOR_FAILED'
  /** Too many requests; an earlier, unanswered attempt of this call may still have acted. */
  | 'PROCESSOR_BUSY'
  /** An earlier attempt of this operation is still running there. */
  | 'IN_PROGRESS';

/** The call was sent and nobody knows whether it acted. Not a `Refusal`: sagas must not compensate on it. */
export class OutcomeUnknown extends Error {
  readonly operationKey: string;
  readonly reason: UnknownReason;

  constructor(operationKey: string, reason: UnknownReason, cause: unknown) {
    super(`The outcome of ${operationKey} at the card processor is unknown (${reason})`, { cause });
    this.name = 'OutcomeUnknown';
    this.operationKey = operationKey;
    this.reason = reason;
  }
}

/** The processor does not accept our key or account. Nothing was changed. */
export class ProcessorMisconfigured extends Error {
  constructor(cause: unknown) {
    super('The card processor does not accept our credentials', { cause });
    this.name = 'ProcessorMisconfigured';
  }
}

export type PaymentState =
  | 'REQUIRES_METHOD'
  | 'REQUIRES_CONFIRMATION'
  | 'REQUIRES_ACTION'
  | 'PROCESSING'
  | 'AUTHORISED'
  | 'CAPTURED'
  | 'CANCELLED';

/** One payment as the processor knows it. */
export interface ProcessorPayment {
  readonly id: string;
  readonly state: PaymentState;
  /** What was asked for. */
  readonly amount: Money;
  /** What is held and can still be captured. */
  readonly capturable: Money;
  readonly captured: Money;
  /** The hold ends here by itself; null unless `AUTHORISED`. */
  readonly captureBefore: Date | null;
  /** The key that made the payment; null for payments that we did not make. */
  readonly operationKey: string | null;
  /** Where the cardholder authenticates; null unless `REQUIRES_ACTION`. */
  readonly redirectUrl: string | null;
  /** What a browser needs to confirm this payment; never logged. */
  readonly clientSecret: string | null;
  /** Funds transfers of this payment; null until `AUTHORISED`. */
  readonly chargeId: string | null;
  /** The processor's own fee; null until `CAPTURED` or while it is not known yet. */
  readonly fee: Money | null;
  /** Why the last attempt was refused, if it was. */
  readonly declined: Decline | null;
}

export interface Decline {
  /** For programs: `card_declined`, `expired_card`, `payment_intent_authentication_failure`, … */
  readonly code: string;
  /** The issuer's reason where it gave one: `insufficient_funds`, `generic_decline`, … */
  readonly declineCode: string | null;
  /** May be shown to the cardholder. */
  readonly message: string;
}

/**
 * How an attempt on a card ends when there is an answer. `DONE` means that nothing stands in the way; the
 * payment's state says how far it is: `PROCESSING` ends later, `REQUIRES_METHOD` waits for the browser.
 */
export type AuthorisationResult =
  | { readonly kind: 'DONE'; readonly payment: ProcessorPayment }
  | { readonly kind: 'REFUSED'; readonly payment: ProcessorPayment; readonly declined: Decline }
  | { readonly kind: 'REQUIRES_ACTION'; readonly payment: ProcessorPayment; readonly redirectUrl: string };

export interface AuthoriseRequest {
  readonly operationKey: string;
  readonly amount: Money;
  /** Held until captured, or taken at once. */
  readonly capture: 'LATER' | 'NOW';
  /** The method to try at once; without it a browser confirms with the client secret. */
  readonly methodId?: string;
  readonly customerId?: string;
  /** Keep the method for the customer. */
  readonly saveMethod?: boolean;
  /** The cardholder is not there: authentication is refused instead of asked for. */
  readonly offSession?: boolean;
  /** Where the cardholder comes back to after authenticating; required with `methodId` unless off session. */
  readonly returnUrl?: string;
  /** Ties payment and transfers together. */
  readonly group?: string;
  readonly description?: string;
}

export interface ConfirmRequest {
  readonly operationKey: string;
  readonly paymentId: string;
  /** Absent: the method that the payment has. */
  readonly methodId?: string;
  readonly returnUrl: string;
  /** Keep the method for the customer. */
  readonly saveMethod?: boolean;
}

export interface ProcessorRefund {
  readonly id: string;
  readonly paymentId: string | null;
  readonly amount: Money;
  readonly state: 'PENDING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly operationKey: string | null;
}

export interface ProcessorTransfer {
  readonly id: string;
  readonly payoutAccountId: string;
  readonly amount: Money;
  readonly reversed: Money;
  readonly group: string | null;
  readonly operationKey: string | null;
}

export interface ProcessorReversal {
  readonly id: string;
  readonly transferId: string;
  readonly amount: Money;
  readonly operationKey: string | null;
}

export interface ProcessorPayout {
  readonly id: string;
  readonly payoutAccountId: string;
  readonly amount: Money;
  /** `PAID` can still become `FAILED` when the bank returns the money. */
  readonly state: 'PENDING' | 'IN_TRANSIT' | 'PAID' | 'FAILED' | 'CANCELLED';
  readonly arrivesAt: Date;
  readonly failureCode: string | null;
  readonly operationKey: string | null;
}

export interface PayoutAccountStatus {
  readonly id: string;
  /** May money be moved to the account? */
  readonly transfersEnabled: boolean;
  /** May money leave the account for the bank? */
  readonly payoutsEnabled: boolean;
  /** What the holder still has to hand in, in the processor's names. */
  readonly requirementsDue: readonly string[];
  readonly disabledReason: string | null;
}

export interface SavedMethod {
  readonly id: string;
  readonly brand: string;
  readonly last4: string;
  readonly expiresMonth: number;
  readonly expiresYear: number;
}

/** One movement of our balance at the processor, for reconciliation. */
export interface BalanceMovement {
  readonly id: string;
  /** In the processor's names: `charge`, `refund`, `transfer`, … */
  readonly type: string;
  /** Signed: money in is positive. */
  readonly amount: Money;
  readonly fee: Money;
  readonly net: Money;
  /** The refund, charge, transfer … that moved it. */
  readonly sourceId: string | null;
  readonly createdAt: Date;
  readonly availableAt: Date;
}

export type WebhookObjectKind = 'PAYMENT' | 'REFUND' | 'TRANSFER' | 'PAYOUT' | 'PAYOUT_ACCOUNT' | 'OTHER';

/** What a webhook says happened: which object to fetch again, and never what its state is. */
export interface WebhookNotice {
  readonly eventId: string;
  /** The processor's name of the event, for logs. */
  readonly type: string;
  readonly objectKind: WebhookObjectKind;
  readonly objectId: string;
  /** The payout account concerned, for events of payout accounts. */
  readonly payoutAccountId: string | null;
  readonly createdAt: Date;
}

export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A stretch of time; both ends included, to the second. */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

export interface CardProcessor {
  /**
   * Makes a payment and, with a method, tries it. Refuses `AMOUNT_NOT_CHARGEABLE`, `RETURN_URL_REQUIRED`,
   * `PROCESSOR_REFUSED_REQUEST`, `OPERATION_KEY_REUSED`, `PROCESSOR_OBJECT_UNKNOWN`.
   */
  authorise(request: AuthoriseRequest): Promise<AuthorisationResult>;
  /** Tries a card on a payment. Refuses `PAYMENT_STATE_CONFLICT` and as `authorise`. */
  confirm(request: ConfirmRequest): Promise<AuthorisationResult>;
  /** Takes held money, all of it or a part; the rest is let go. Refuses `PAYMENT_STATE_CONFLICT`, `CAPTURE_EXCEEDS_AUTHORISED`. */
  capture(request: { operationKey: string; paymentId: string; amount?: Money }): Promise<ProcessorPayment>;
  /** Ends a payment that took no money. Refuses `PAYMENT_STATE_CONFLICT`. */
  cancel(request: { operationKey: string; paymentId: string }): Promise<ProcessorPayment>;
  /** Gives captured money back to the card. Refuses `REFUND_EXCEEDS_CAPTURED`, `PAYMENT_STATE_CONFLICT`. */
  refund(request: { operationKey: string; paymentId: string; amount: Money }): Promise<ProcessorRefund>;
  retrieve(paymentId: string): Promise<ProcessorPayment>;
  retrieveRefund(refundId: string): Promise<ProcessorRefund>;
  /** The payment that a key made, if any. @param sentAt when the call was made, to an hour */
  findByOperation(operationKey: string, sentAt: Date): Promise<ProcessorPayment | null>;
  findRefundByOperation(operationKey: string, paymentId: string): Promise<ProcessorRefund | null>;

  createCustomer(request: { operationKey: string; email?: string; name?: string }): Promise<{ id: string }>;
  listPaymentMethods(customerId: string): Promise<SavedMethod[]>;

  /** @param request.country ISO 3166 alpha-2 */
  createPayoutAccount(request: {
    operationKey: string;
    country: string;
    email?: string;
    currency?: string;
  }): Promise<PayoutAccountStatus>;
  payoutAccountStatus(payoutAccountId: string): Promise<PayoutAccountStatus>;
  /** A page of the processor, good for one visit, on which the holder hands in what is due. */
  onboardingLink(request: {
    payoutAccountId: string;
    returnUrl: string;
    refreshUrl: string;
  }): Promise<{ url: string; expiresAt: Date }>;

  /**
   * Moves our money to a payout account; `chargeId` funds it from one payment even before that settles.
   * Refuses `PAYOUT_ACCOUNT_NOT_ENABLED`, `PROCESSOR_BALANCE_INSUFFICIENT`, `TRANSFER_REFUSED`.
   */
  transfer(request: {
    operationKey: string;
    payoutAccountId: string;
    amount: Money;
    chargeId?: string;
    group?: string;
  }): Promise<ProcessorTransfer>;
  /** Takes a transfer back. Refuses `REVERSAL_EXCEEDS_TRANSFER`, `PROCESSOR_BALANCE_INSUFFICIENT`. */
  reverseTransfer(request: {
    operationKey: string;
    transferId: string;
    amount: Money;
  }): Promise<ProcessorReversal>;
  retrieveTransfer(transferId: string): Promise<ProcessorTransfer>;
  findTransferByOperation(
    operationKey: string,
    sentTo: { payoutAccountId: string; sentAt: Date },
  ): Promise<ProcessorTransfer | null>;
  findReversalByOperation(operationKey: string, transferId: string): Promise<ProcessorReversal | null>;

  /** Sends a payout account's balance to its bank. Refuses `PAYOUT_ACCOUNT_NOT_ENABLED`, `PROCESSOR_BALANCE_INSUFFICIENT`. */
  payOut(request: { operationKey: string; payoutAccountId: string; amount: Money }): Promise<ProcessorPayout>;
  retrievePayout(payoutAccountId: string, payoutId: string): Promise<ProcessorPayout>;
  findPayoutByOperation(
    operationKey: string,
    sentTo: { payoutAccountId: string; sentAt: Date },
  ): Promise<ProcessorPayout | null>;

  /** Every movement of our own balance in a period, oldest first. */
  balanceMovements(period: Period): AsyncIterable<BalanceMovement>;
  /** Every event of a period, for what webhooks lost, newest first. */
  events(period: Period): AsyncIterable<WebhookNotice>;

  /**
   * Checks that a webhook comes from the processor and is not older or newer than 300 seconds.
   * Refuses `WEBHOOK_SIGNATURE_INVALID`, `WEBHOOK_TIMESTAMP_OUTSIDE_TOLERANCE`, `WEBHOOK_MALFORMED`.
   */
  verifyWebhook(rawBody: Uint8Array, headers: WebhookHeaders, now: Date): WebhookNotice;
}
