/**
 * Owns where browsers want to be woken by web push (`push_subscriptions`). Promises that an endpoint belongs to
 * whoever registered it last and that nobody sees another's. Called by resolvers; no sender reads it yet.
 */
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { PushSubscriptionEntity, type PushSubscriptionRow } from './notification.entities.ts';

export type PushSubscriptionView = PushSubscriptionRow;

const maxPerUser = 20;

export class PushSubscriptionService {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(deps: { db: Database; clock: Clock }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
  }

  /** Keeps a browser's subscription; the same endpoint again is the same one. Refuses `SIGN_IN_REQUIRED`, `PUSH_SUBSCRIPTION_INVALID`, `TOO_MANY_SUBSCRIPTIONS`. */
  async subscribe(
    viewer: Viewer,
    { endpoint, p256dh, auth }: { endpoint: string; p256dh: string; auth: string },
  ): Promise<PushSubscriptionRow> {
    const { userId } = requireUser(viewer);
    // RFC 8291: an uncompressed P-256 point and a secret of 16 bytes.
    if (!isHttps(endpoint) || bytesOf(p256dh) !== 65 || bytesOf(auth) !== 16)
      throw new Invalid('PUSH_SUBSCRIPTION_INVALID', "Give a browser's push subscription as it made it");
    return this.#db.transaction(async ({ em }) => {
      const others = await em.count(PushSubscriptionEntity, { userId, endpoint: { $ne: endpoint } });
      if (others >= maxPerUser)
        throw new Conflict('TOO_MANY_SUBSCRIPTIONS', 'Remove a browser first', { max: maxPerUser });
      const row = { id: newId(), userId, endpoint, p256dh, auth, createdAt: this.#clock.now() };
      return em.upsert(PushSubscriptionEntity, row, {
        onConflictFields: ['endpoint'],
        onConflictMergeFields: ['userId', 'p256dh', 'auth', 'createdAt'],
      });
    });
  }

  /** Forgets a subscription. Refuses `SIGN_IN_REQUIRED`, `PUSH_SUBSCRIPTION_NOT_FOUND`. */
  async unsubscribe(viewer: Viewer, subscriptionId: string): Promise<PushSubscriptionRow> {
    const { userId } = requireUser(viewer);
    const id = requireId(subscriptionId, 'subscriptionId');
    return this.#db.transaction(async ({ em }) => {
      const row = await em.findOne(PushSubscriptionEntity, { id, userId });
      if (!row) throw new NotFound('PUSH_SUBSCRIPTION_NOT_FOUND', 'There is no such subscription of yours');
      await em.nativeDelete(PushSubscriptionEntity, { id });
      return row;
    });
  }
}

function isHttps(text: string): boolean {
  return text.length <= 2_000 && URL.canParse(text) && new URL(text).protocol === 'https:';
}

const bytesOf = (text: string): number =>
  /^[\w-]{1,200}={0,2}$/.test(text) ? Buffer.from(text, 'base64url').length : 0;
