/**
 * Tells trouble of the infrastructure from everything else. Transient trouble is retried, never compensated:
 * a saga that undoes a booking because the database restarted harms its users.
 */
import { Refusal } from '../kernel/errors.ts';

const sqlStates = /^(08|57P|53|40001|40P01|55P03|57014|25006|25P03|25P04)/;
const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const messages =
  /connection terminated|terminated unexpectedly|not queryable|timeout exceeded when trying to connect|Query read timeout|Connection ended|fetch failed|socket hang up|Client has encountered a connection error|connection has been discarded/i;

/** Base of our own errors for a peer that did not answer; always transient. */
export class PeerUnreachable extends Error {
  constructor(peer: string, options?: ErrorOptions) {
    super(`${peer} did not answer`, options);
    this.name = 'PeerUnreachable';
  }
}

const deepestCause = 8;

/** Whether an error, or one that caused it, says that the same attempt may succeed later. A refusal never does. */
export function isTransient(error: unknown): boolean {
  let each = error as Partial<Error & { code: unknown }> | null | undefined;
  for (let depth = 0; each && typeof each === 'object' && depth < deepestCause; depth += 1) {
    if (each instanceof Refusal) return false;
    if (each instanceof PeerUnreachable || each.name === 'TimeoutError') return true;
    const code = String(each.code ?? '');
    if (sqlStates.test(code) || systemCodes.has(code) || messages.test(String(each.message))) return true;
    each = each.cause as typeof each;
  }
  return false;
}
