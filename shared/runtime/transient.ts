/**
 * Tells trouble of the infrastructure from everything else. Transient trouble is retried, never compensated:
 * a saga that undoes a booking because the database restarted harms its users.
 */
const sqlStates = /^(08|57P|53|40001|40P01|55P03|57014|25006)/;
const systemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const messages =
  /connection terminated|terminated unexpectedly|not queryable|timeout exceeded when trying to connect|Query read timeout|Connection ended|fetch failed|socket hang up|Client has encountered a connection error/i;

/** Base of our own errors for a peer that did not answer; always transient. */
export class PeerUnreachable extends Error {
  constructor(peer: string, options?: ErrorOptions) {
    super(`${peer} did not answer`, options);
    this.name = 'PeerUnreachable';
  }
}

export function isTransient(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    const code = String((each as { code?: unknown }).code ?? '');
    if (each instanceof PeerUnreachable || each.name === 'TimeoutError') return true;
    if (sqlStates.test(code) || systemCodes.has(code) || messages.test(each.message)) return true;
  }
  return false;
}
