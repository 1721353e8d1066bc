import type Stripe from 'stripe';

/** The `error` member of a refused request, in Stripe's words. */
export interface ErrorBody {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly code?: string;
  readonly decline_code?: string;
  readonly message: string;
  readonly param?: string;
  readonly charge?: string;
  readonly doc_url?: string;
  readonly payment_intent?: Stripe.PaymentIntent;
  readonly payment_method?: Stripe.PaymentMethod;
}

/** A request answered with an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly error: ErrorBody;
  /** A declined card is an error to the caller and still leaves a failed charge behind. */
  readonly keepsEffects: boolean;

  constructor(status: number, error: ErrorBody, keepsEffects = false) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.keepsEffects = keepsEffects;
  }
}

/** 400 `invalid_request_error`. */
export function invalidRequest(message: string, more: Partial<ErrorBody> = {}): ApiError {
  return new ApiError(400, { type: 'invalid_request_error', message, ...more });
}

/** 404 in Stripe's wording, `resource_missing`. */
export function noSuch(object: string, id: string, param = 'id'): ApiError {
  return new ApiError(404, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${object}: '${id}'`,
    param,
    doc_url: 'https://docs.stripe.com/error-codes/resource-missing',
  });
}

/** 403: Stripe does not tell an account of others from one that does not exist. */
export function noAccess(account: string): ApiError {
  return new ApiError(403, {
    type: 'invalid_request_error',
    code: 'account_invalid',
    message: `The provided key does not have access to account '${account}' (or that account does not exist). Application access may have been revoked.`,
  });
}

export function unauthorized(message: string): ApiError {
  return new ApiError(401, { type: 'invalid_request_error', message });
}

export function rateLimited(): ApiError {
  return new ApiError(429, {
    type: 'invalid_request_error',
    code: 'rate_limit',
    message:
      'Too many requests hit the API too quickly. We recommend an exponential backoff of your requests.',
  });
}

export function internalError(): ApiError {
  return new ApiError(500, {
    type: 'api_error',
    message: 'An unknown error occurred. We have been notified.',
  });
}
