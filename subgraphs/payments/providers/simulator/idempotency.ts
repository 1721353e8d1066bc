/**
 * Stripe's promise on `Idempotency-Key`: the first request's status and body are kept, 500s included, and
 * answered again to every request with the same key; another request under the key is refused; while the
 * first one runs, the others get 409. Keys are forgotten after 24 hours.
 */
import { createHash } from 'node:crypto';
import { ApiError } from './api-error.ts';
import { canonicalForm, type FormTree } from './form.ts';
import type { Transaction } from './store.ts';

const KEPT_SECONDS = 24 * 60 * 60;

export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
}

export interface KeyedRequest {
  readonly account: string;
  readonly key: string;
  readonly requestHash: string;
  readonly requestId: string;
  readonly now: number;
}

export function hashRequest(method: string, path: string, form: FormTree): string {
  return createHash('sha256')
    .update(`${method} ${path}\n${canonicalForm(form)}`)
    .digest('hex');
}

/**
 * Takes the key for this transaction and gives the answer it already has, if any.
 * Refuses 409 `idempotency_key_in_use` and 400 `idempotency_error`.
 */
export async function claimKey(tx: Transaction, request: KeyedRequest): Promise<KeptAnswer | undefined> {
  // The lock ends with its transaction, also when the process dies: no key stays taken.
  if (!(await tx.tryHoldName(`key:${request.account}:${request.key}`)))
    throw new ApiError(409, {
      type: 'idempotency_error',
      code: 'idempotency_key_in_use',
      message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${request.key}.`,
    });
  await tx.client.query(
    `DELETE FROM ${tx.schema}.idempotency WHERE account = $1 AND key = $2 AND created < $3`,
    [request.account, request.key, request.now - KEPT_SECONDS],
  );
  const { rows } = await tx.client.query<{
    request_hash: string;
    request_id: string;
    status: number;
    body: string;
  }>(
    `SELECT request_hash, request_id, status, body FROM ${tx.schema}.idempotency WHERE account = $1 AND key = $2`,
    [request.account, request.key],
  );
  const kept = rows[0];
  if (!kept) return undefined;
  if (kept.request_hash !== request.requestHash)
    throw new ApiError(400, {
      type: 'idempotency_error',
      message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${request.key}' if you meant to execute a different request.`,
    });
  return { status: kept.status, body: kept.body, requestId: kept.request_id };
}

/** Keeps the answer under the key, in the transaction of its effect. */
export async function keepAnswer(
  tx: Transaction,
  request: KeyedRequest,
  status: number,
  body: string,
): Promise<void> {
  await tx.client.query(
    `INSERT INTO ${tx.schema}.idempotency (account, key, request_hash, request_id, status, body, created) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
    [request.account, request.key, request.requestHash, request.requestId, status, body, request.now],
  );
}
