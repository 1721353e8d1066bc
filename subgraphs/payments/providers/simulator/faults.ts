/**
 * What a test or an operator can make the simulator do wrong. Faults live in the process, not in the
 * database: a restarted simulator is a healthy one.
 */
import { invalidRequest } from './api-error.ts';

/** What goes wrong with a request. `name` of a request is as in `payment_intents.capture`. */
export type RequestFault =
  /** The effect is committed and the connection closed without an answer. */
  | 'drop_reply'
  /** 500 and no effect; the answer is kept for the idempotency key, as Stripe does. */
  | 'error_before'
  /** 500 although the effect is committed; kept for the key too. */
  | 'error_after'
  /** 429, no effect, not kept. */
  | 'rate_limit'
  /** Waits `ms` while the request holds its idempotency key and before it acts. */
  | 'stall_before'
  /** Waits `ms` after the effect is committed. */
  | 'stall_after'
  /** The payment stays `processing` for `ms` of the simulator's clock. */
  | 'processing'
  /** A transfer is refused, or a payout fails at the bank on its arrival date. */
  | 'fail';

/** What goes wrong with deliveries. `type` of an event is as in `payment_intent.succeeded`. */
export type WebhookFault =
  /** Each event is sent `copies` times. */
  | 'webhook_duplicate'
  /** Nothing is sent until `copies` events wait; then newest first. */
  | 'webhook_reorder'
  /** Sent `ms` of the simulator's clock after the event. */
  | 'webhook_delay'
  /** Not sent while the fault stands. */
  | 'webhook_withhold';

export interface Fault {
  readonly kind: RequestFault | WebhookFault;
  /** The request's or event's name; every one when absent (of requests: every one that changes something). */
  readonly on?: string;
  /** How many requests it strikes, 1 when absent. Webhook faults stand until cleared. */
  readonly times?: number;
  readonly ms?: number;
  readonly copies?: number;
}

const kinds: readonly string[] = [
  'drop_reply',
  'error_before',
  'error_after',
  'rate_limit',
  'stall_before',
  'stall_after',
  'processing',
  'fail',
  'webhook_duplicate',
  'webhook_reorder',
  'webhook_delay',
  'webhook_withhold',
] satisfies Fault['kind'][];

interface Standing extends Fault {
  readonly id: number;
  left: number;
}

export class Faults {
  #standing: Standing[] = [];
  #lastId = 0;

  /** Adds a fault and gives its id. */
  add(fault: Fault): number {
    this.#lastId += 1;
    this.#standing.push({ ...fault, id: this.#lastId, left: fault.times ?? 1 });
    return this.#lastId;
  }

  /** Takes away one fault, or all. */
  clear(id?: number): void {
    this.#standing = id === undefined ? [] : this.#standing.filter((fault) => fault.id !== id);
  }

  list(): readonly (Fault & { readonly id: number; readonly left: number })[] {
    return this.#standing;
  }

  /** Takes one strike of a request fault, when one stands for this request. */
  strike(kind: RequestFault, on: string): Fault | undefined {
    const fault = this.#standing.find((f) => f.kind === kind && (f.on === undefined || f.on === on));
    if (!fault) return undefined;
    fault.left -= 1;
    if (fault.left <= 0) this.clear(fault.id);
    return fault;
  }

  /** The webhook fault that stands for an event type, if any. */
  standing(kind: WebhookFault, type?: string): Fault | undefined {
    return this.#standing.find(
      (f) => f.kind === kind && (f.on === undefined || type === undefined || f.on === type),
    );
  }
}

/** Reads a fault from the body of `POST /_simulator/faults`. */
export function readFault(body: unknown): Fault {
  if (typeof body !== 'object' || body === null) throw invalidRequest('A fault is a JSON object');
  const fields = new Map(Object.entries(body));
  const kind = fields.get('kind');
  if (typeof kind !== 'string' || !kinds.includes(kind))
    throw invalidRequest(`kind must be one of ${kinds.join(', ')}`, { param: 'kind' });
  const on = fields.get('on');
  if (on !== undefined && typeof on !== 'string')
    throw invalidRequest('on must be a string', { param: 'on' });
  const count = (name: string) => {
    const value = fields.get(name);
    if (value !== undefined && !(Number.isSafeInteger(value) && Number(value) >= 1))
      throw invalidRequest(`${name} must be a positive integer`, { param: name });
    return value === undefined ? {} : { [name]: Number(value) };
  };
  return {
    kind: kind as Fault['kind'],
    ...(on === undefined ? {} : { on }),
    ...count('times'),
    ...count('ms'),
    ...count('copies'),
  };
}
