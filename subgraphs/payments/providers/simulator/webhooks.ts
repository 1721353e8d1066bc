/**
 * Sends events to the platform until each is answered with 2xx. What is to be sent is in PostgreSQL, written
 * in the transaction of the change; a delivery is leased, so of several simulators one sends, and what a
 * killed one left is sent by the next.
 */
import { createHmac } from 'node:crypto';
import type { Clock } from '#shared/kernel/time.ts';
import type { Fault, Faults } from './faults.ts';
import type { Store } from './store.ts';

export interface Endpoint {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
}

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

interface Delivery {
  readonly id: string;
  readonly url: string;
  readonly attempts: number;
  readonly doc: { readonly type: string };
}

const ANSWER_WITHIN_MS = 10_000;
const BATCH = 20;

/** The header of a delivery, in Stripe's scheme. */
export function signatureHeader(payload: string, secret: string, unixSeconds: number): string {
  const signature = createHmac('sha256', secret).update(`${unixSeconds}.${payload}`).digest('hex');
  return `t=${unixSeconds},v1=${signature}`;
}

export class WebhookSender {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #faults: Faults;
  readonly #endpoints: ReadonlyMap<string, string>;
  readonly #backoff: Backoff;
  readonly #stopping: AbortSignal;

  constructor(options: {
    store: Store;
    clock: Clock;
    faults: Faults;
    endpoints: readonly Endpoint[];
    backoff: Backoff;
    stopping: AbortSignal;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#faults = options.faults;
    this.#endpoints = new Map(options.endpoints.map(({ url, secret }) => [url, secret]));
    this.#backoff = options.backoff;
    this.#stopping = options.stopping;
  }

  /** Sends what is due now, in one batch; gives how many were sent. */
  async sendDue(): Promise<number> {
    if (this.#endpoints.size === 0) return 0;
    const deliveries = await this.#lease();
    // One after the other: without a fault the platform sees events in their order.
    for (const delivery of deliveries) {
      if (this.#stopping.aborted) break;
      await this.#send(delivery);
    }
    return deliveries.length;
  }

  async #lease(): Promise<Delivery[]> {
    const now = this.#clock.now().getTime();
    const reorder = this.#faults.standing('webhook_reorder');
    const delay = this.#faults.standing('webhook_delay');
    const withheld = this.#faults.standing('webhook_withhold');
    const table = `${this.#store.schema}.deliveries`;
    return this.#store.transaction(async ({ client }) => {
      const { rows } = await client.query<Delivery>(
        `SELECT d.id, d.url, d.attempts, e.doc FROM ${table} d JOIN ${this.#store.schema}.objects e ON e.id = d.event_id
         WHERE d.delivered_at IS NULL AND d.next_at_ms <= $1 AND d.url = ANY($2)
           AND (d.leased_until IS NULL OR d.leased_until < now())
           AND ($3::bigint IS NULL OR d.emitted_at_ms + $3 <= $1 OR ($4::text IS NOT NULL AND e.doc->>'type' <> $4))
           AND ($5::boolean IS NOT TRUE OR ($6::text IS NOT NULL AND e.doc->>'type' <> $6))
         ORDER BY d.id ${reorder ? 'DESC' : 'ASC'} LIMIT ${BATCH} FOR UPDATE OF d SKIP LOCKED`,
        [
          now,
          [...this.#endpoints.keys()],
          delay?.ms ?? null,
          delay?.on ?? null,
          withheld !== undefined,
          withheld?.on ?? null,
        ],
      );
      if (reorder && rows.length < (reorder.copies ?? 2)) return [];
      await client.query(
        `UPDATE ${table} SET leased_until = now() + make_interval(secs => $2) WHERE id = ANY($1)`,
        [rows.map((row) => row.id), (ANSWER_WITHIN_MS / 1000 + 1) * rows.length],
      );
      return rows;
    });
  }

  async #send(delivery: Delivery): Promise<void> {
    const payload = JSON.stringify(delivery.doc, null, 2);
    const duplicate: Fault | undefined = this.#faults.standing('webhook_duplicate', delivery.doc.type);
    let failure: string | null = null;
    for (let copy = 0; copy < (duplicate?.copies ?? (duplicate ? 2 : 1)); copy += 1)
      failure = await this.#post(delivery.url, payload);
    const wait = Math.min(
      this.#backoff.firstMs * 2 ** Math.min(delivery.attempts, 30),
      this.#backoff.longestMs,
    );
    await this.#store.transaction(({ client }) =>
      client.query(
        `UPDATE ${this.#store.schema}.deliveries
         SET attempts = attempts + 1, leased_until = NULL, last_error = $2,
             delivered_at = CASE WHEN $2::text IS NULL THEN now() END, next_at_ms = $3 WHERE id = $1`,
        [delivery.id, failure, this.#clock.now().getTime() + wait],
      ),
    );
  }

  /** Gives what went wrong, or null. */
  async #post(url: string, payload: string): Promise<string | null> {
    const secret = this.#endpoints.get(url) ?? '';
    const seconds = Math.floor(this.#clock.now().getTime() / 1000);
    try {
      const response = await fetch(url, {
        method: 'POST',
        body: payload,
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'stripe-signature': signatureHeader(payload, secret, seconds),
          'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        },
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_WITHIN_MS), this.#stopping]),
      });
      await response.body?.cancel();
      return response.ok ? null : `HTTP ${response.status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
