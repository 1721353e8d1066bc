/**
 * Owns the card processor's events (`psp_events`). Promises that an event is believed only with its signature,
 * kept once, answered at once and never trusted for a state: whatever it is about is asked for again. An event
 * about something that we do not know yet is parked and tried again, since our own commit may be later.
 */
import type { Logger } from 'pino';
import { after, type Clock, HOUR, MINUTE } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { Route } from '#shared/runtime/routes.ts';
import type { PaymentsConfig } from '../payments.config.ts';
import type { CardProcessor, WebhookObjectKind } from '../providers/card-processor.ts';
import { PspEventEntity } from './payment.entities.ts';
import { pspEventJob } from './payment.jobs.ts';

/** Learns about an object of the processor; false where it is none of ours, so far. */
export type Learner = (objectId: string) => Promise<boolean>;

const tryAgainAfter = (attempts: number): number => Math.min(MINUTE * 2 ** (attempts - 1), HOUR);

export class PaymentWebhooks {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #logger: Logger;
  readonly #processor: CardProcessor;
  readonly #config: PaymentsConfig;
  readonly #learners: Partial<Record<WebhookObjectKind, Learner>>;

  constructor(
    deps: {
      db: Database;
      clock: Clock;
      durable: Durable;
      logger: Logger;
      processor: CardProcessor;
      config: PaymentsConfig;
    },
    learners: Partial<Record<WebhookObjectKind, Learner>>,
  ) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#logger = deps.logger;
    this.#processor = deps.processor;
    this.#config = deps.config;
    this.#learners = learners;
  }

  readonly routes: readonly Route[] = [
    {
      method: 'POST',
      path: '/webhooks/stripe',
      handle: async (request) => {
        await this.receive(new Uint8Array(await request.arrayBuffer()), request.headers);
        return Response.json({ received: true });
      },
    },
  ];

  /**
   * Keeps an event for later. Refuses `WEBHOOK_SIGNATURE_INVALID`, `WEBHOOK_TIMESTAMP_OUTSIDE_TOLERANCE`,
   * `WEBHOOK_MALFORMED`.
   */
  async receive(rawBody: Uint8Array, headers: Headers): Promise<void> {
    const now = this.#clock.now();
    const notice = this.#processor.verifyWebhook(rawBody, Object.fromEntries(headers), now);
    const { eventId, type, objectKind, objectId } = notice;
    await this.#db.transaction(async (tx) => {
      const kept = await tx.sql(
        `insert into psp_events (id, type, object_kind, object_id, state, attempts, received_at)
         values (?, ?, ?, ?, 'received', 0, ?) on conflict (id) do nothing returning 1`,
        [eventId, type, objectKind, objectId, now],
      );
      if (kept.length > 0)
        await this.#durable.schedule(tx, pspEventJob, { id: eventId, runAt: now }, { eventId });
    });
  }

  /** Learns what an event is about. */
  async process(eventId: string): Promise<void> {
    const event = await this.#db.read((em) => em.findOneOrFail(PspEventEntity, { id: eventId }));
    if (event.state !== 'received' && event.state !== 'parked') return;
    const learn = this.#learners[event.objectKind as WebhookObjectKind];
    const known = learn ? await learn(event.objectId) : undefined;
    const now = this.#clock.now();
    await this.#db.transaction(async (tx) => {
      const kept = await tx.em.findOneOrFail(PspEventEntity, { id: eventId });
      kept.attempts += 1;
      if (known !== false) {
        kept.state = known ? 'processed' : 'ignored';
        kept.processedAt = now;
        return;
      }
      const nextTry = after(now, tryAgainAfter(kept.attempts));
      if (nextTry > after(kept.receivedAt, this.#config.PARKED_EVENT_PATIENCE)) {
        kept.state = 'given_up';
        this.#logger.warn(
          { event: eventId, type: kept.type, object: kept.objectId },
          'event about nothing of ours',
        );
        return;
      }
      kept.state = 'parked';
      const at = { id: `${eventId}:${kept.attempts}`, runAt: nextTry };
      await this.#durable.schedule(tx, pspEventJob, at, { eventId });
    });
  }
}
