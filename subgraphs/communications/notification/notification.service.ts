/**
 * Owns what people are told (`notifications`): one numbered log per user. Promises that an event tells a person
 * the same thing at most once per channel, that nobody reads what another was told, and that following the log
 * from any cursor misses nothing and repeats nothing. Handlers notify, resolvers read.
 */
import { z } from 'zod';
import { Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  encodeCursor,
  MAX_PAGE_SIZE,
  pageSize,
} from '#shared/kernel/pages.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { followLog } from '#shared/runtime/follow-log.ts';
import type { MessageFacts } from '#shared/runtime/inbox.ts';
import type { Wakeups } from '#shared/runtime/wakeups.ts';
import type { AddressBookService, Addressee } from './address-book.service.ts';
import type { MailDeliveryService } from './mail-delivery.service.ts';
import { NotificationEntity, type NotificationRow } from './notification.entities.ts';
import { type FactsOf, type TemplateName, templateOf } from './notification.templates.ts';
import { isCritical } from './notification.vocabulary.ts';
import type { PreferencesService } from './preferences.service.ts';

export type NotificationView = NotificationRow;

/** Something to tell somebody because of an event. */
export interface Notice<Name extends TemplateName = TemplateName> {
  readonly template: Name;
  readonly facts: FactsOf<Name>;
  readonly shipmentId?: string;
  readonly itineraryId?: string;
  /** From then on it need not be mailed any more. */
  readonly usefulUntil?: Date;
}

/** Where a notification stands in its user's log; lists and the live feed share these cursors. */
export const cursorOf = (notification: NotificationRow): string => encodeCursor(keyOf(notification));
const keyOf = ({ userId, seq }: NotificationRow): string => `notifications:${userId}:${seq}`;
const topicOf = (userId: string): string => `notifications:${userId}`;

function seqOf(userId: string, cursor: string): number {
  const [kind, of, seq = ''] = decodeCursor(cursor).split(':');
  if (kind === 'notifications' && of === userId && /^\d{1,9}$/.test(seq)) return Number(seq);
  throw new Invalid('CURSOR_INVALID', 'The cursor was not made by your notifications');
}

export class NotificationService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #wakeups: Wakeups;
  readonly #config: { MAIL_STALE_AFTER: number; NOTIFICATION_POLL: number };
  readonly #addressBook: AddressBookService;
  readonly #preferences: PreferencesService;
  readonly #deliveries: MailDeliveryService;

  constructor(deps: {
    db: Database;
    clock: Clock;
    wakeups: Wakeups;
    config: { MAIL_STALE_AFTER: number; NOTIFICATION_POLL: number };
    addressBook: AddressBookService;
    preferences: PreferencesService;
    deliveries: MailDeliveryService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#wakeups = deps.wakeups;
    this.#config = deps.config;
    this.#addressBook = deps.addressBook;
    this.#preferences = deps.preferences;
    this.#deliveries = deps.deliveries;
  }

  /** Tells somebody on every channel of the template that they take, with the caller's commit. */
  async notify<Name extends TemplateName>(
    event: MessageFacts,
    to: Addressee,
    notice: Notice<Name>,
  ): Promise<void> {
    const { category, channels, facts: schema } = templateOf(notice.template);
    await this.#db.transaction(async () => {
      for (const channel of channels) {
        if (to.kind === 'user' && !(await this.#preferences.takes(to.userId, category, channel))) continue;
        if (channel === 'in_app') {
          if (to.kind === 'user') await this.#append(event.id, to.userId, notice);
          continue;
        }
        await this.#deliveries.order({
          eventId: event.id,
          template: notice.template,
          facts: z.encode(schema, notice.facts),
          to: { kind: to.kind, id: to.kind === 'user' ? to.userId : to.recipientId },
          shipmentId: notice.shipmentId ?? null,
          usefulUntil: notice.usefulUntil ?? (isCritical(category) ? null : this.#staleAt(event)),
        });
      }
    });
  }

  /** Mails a one-time code to an address, unless it has expired already. */
  async mailCode(
    event: MessageFacts,
    code: { challengeId: string; email: string; sealedCode: string; expiresAt: Date },
  ): Promise<void> {
    const { challengeId, email, sealedCode, expiresAt } = code;
    if (expiresAt <= this.#clock.now()) return;
    await this.#deliveries.order({
      eventId: event.id,
      template: 'SIGN_IN_CODE',
      facts: z.encode(templateOf('SIGN_IN_CODE').facts, { sealedCode, expiresAt }),
      to: { kind: 'address', id: challengeId, address: email },
      shipmentId: null,
      usefulUntil: expiresAt,
    });
  }

  /** The viewer's own, newest first. Refuses `SIGN_IN_REQUIRED`, `CURSOR_INVALID`, `PAGE_SIZE_INVALID`. */
  async list(
    viewer: Viewer,
    page: { first?: number | null; after?: string | null; unreadOnly?: boolean | null },
  ): Promise<Connection<NotificationRow>> {
    const { userId } = requireUser(viewer);
    const size = pageSize(page);
    const rows = await this.#db.read((em) =>
      em.find(
        NotificationEntity,
        {
          userId,
          ...(page.after ? { seq: { $lt: seqOf(userId, page.after) } } : {}),
          ...(page.unreadOnly ? { readAt: null } : {}),
        },
        { orderBy: { seq: 'desc' }, limit: size + 1 },
      ),
    );
    return connection(rows, size, keyOf);
  }

  /** Marks as read, all of them or none; reading twice changes nothing. Refuses `NOTIFICATION_NOT_FOUND`, `TOO_MANY_IDS`, `ID_MALFORMED`. */
  async markRead(viewer: Viewer, ids: readonly string[]): Promise<NotificationRow[]> {
    const { userId } = requireUser(viewer);
    const wanted = [...new Set(ids.map((id) => requireId(id, 'notificationIds')))];
    if (wanted.length > MAX_PAGE_SIZE)
      throw new Invalid('TOO_MANY_IDS', `Give at most ${MAX_PAGE_SIZE} ids`, { max: MAX_PAGE_SIZE });
    return this.#db.transaction(async ({ em }) => {
      const rows = await em.find(
        NotificationEntity,
        { userId, id: { $in: wanted } },
        { orderBy: { seq: 'desc' } },
      );
      if (rows.length < wanted.length)
        throw new NotFound('NOTIFICATION_NOT_FOUND', 'There is no such notification of yours');
      for (const row of rows) row.readAt ??= this.#clock.now();
      return rows;
    });
  }

  /** How many each user has not read; null for everybody but the viewer. */
  readonly loadUnread = async (viewer: Viewer, userIds: readonly string[]): Promise<(number | null)[]> => {
    const mine = viewer.kind === 'user' && userIds.includes(viewer.userId) ? viewer.userId : null;
    const unread = mine
      ? await this.#db.read((em) => em.count(NotificationEntity, { userId: mine, readAt: null }))
      : 0;
    return userIds.map((userId) => (userId === mine ? unread : null));
  };

  /**
   * The viewer's log after a cursor and then live; from its beginning after an empty one, from now on without one.
   * Refuses `SIGN_IN_REQUIRED` and `CURSOR_INVALID` at once.
   */
  async follow(
    viewer: Viewer,
    cursor: string | null | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterableIterator<NotificationRow>> {
    const { userId } = requireUser(viewer);
    return followLog({
      from: cursor == null ? await this.#lastSeq(userId) : cursor === '' ? 0 : seqOf(userId, cursor),
      read: (seq) =>
        this.#db.read((em) =>
          em.find(NotificationEntity, { userId, seq: { $gt: seq } }, { orderBy: { seq: 'asc' }, limit: 100 }),
        ),
      onWake: (wake) => this.#wakeups.on(topicOf(userId), wake),
      pollMs: this.#config.NOTIFICATION_POLL,
      signal,
    });
  }

  async #append(eventId: string, userId: string, notice: Notice): Promise<void> {
    const { category, write } = templateOf(notice.template);
    const { title, paragraphs } = write(notice.facts, {
      timeZone: await this.#addressBook.timeZoneOf(userId),
      trackingUrl: null,
      unseal: () => {
        throw new Error('a code is never shown inside the application');
      },
    });
    await this.#db.transaction(async (tx) => {
      const [stream] = await tx.sql<{ last_seq: number }>(
        `insert into notification_streams (user_id, last_seq) values (?, 0)
         on conflict (user_id) do update set last_seq = notification_streams.last_seq returning last_seq`,
        [userId],
      );
      const seq = stream!.last_seq + 1;
      const fresh = await tx.sql(
        `insert into notifications (id, user_id, seq, event_id, kind, category, title, body, shipment_id, itinerary_id, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (event_id, user_id, kind) do nothing returning 1`,
        [
          newId(),
          userId,
          seq,
          eventId,
          notice.template,
          category,
          title,
          paragraphs.join('\n\n'),
          notice.shipmentId ?? null,
          notice.itineraryId ?? null,
          this.#clock.now(),
        ],
      );
      if (fresh.length === 0) return;
      await tx.sql('update notification_streams set last_seq = ? where user_id = ?', [seq, userId]);
      tx.afterCommit(() => this.#wakeups.wake(topicOf(userId)));
    });
  }

  /** Counted from when it was told, so that a listener who was away does not send what is over. */
  #staleAt({ toldAt }: MessageFacts): Date {
    const now = this.#clock.now();
    return after(toldAt < now ? toldAt : now, this.#config.MAIL_STALE_AFTER);
  }

  async #lastSeq(userId: string): Promise<number> {
    const [row] = await this.#db.read((em) =>
      em.execute<{ last_seq: number }[]>('select last_seq from notification_streams where user_id = ?', [
        userId,
      ]),
    );
    return row?.last_seq ?? 0;
  }
}
