import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { MailDeliveryState } from './mail-delivery.states.ts';
import type { TemplateName } from './notification.templates.ts';
import type { Category } from './notification.vocabulary.ts';

/** Allots the sequence numbers of one person's notifications: its row lock keeps them without gaps. */
export const NotificationStreamEntity = defineEntity({
  name: 'NotificationStream',
  tableName: 'notification_streams',
  properties: {
    userId: p.uuid().primary(),
    lastSeq: p.integer(),
  },
});

/** What somebody was told inside the application. */
export const NotificationEntity = defineEntity({
  name: 'Notification',
  tableName: 'notifications',
  indexes: [{ properties: ['userId', 'readAt'] }],
  uniques: [
    { properties: ['userId', 'seq'] },
    { name: 'notifications_once', properties: ['eventId', 'userId', 'kind'] },
  ],
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    seq: p.integer(),
    /** Message id of the event that it tells of. */
    eventId: p.uuid(),
    kind: p.text().$type<TemplateName>(),
    category: p.text().$type<Category>(),
    title: p.text(),
    body: p.text(),
    shipmentId: p.uuid().nullable(),
    itineraryId: p.uuid().nullable(),
    createdAt: p.datetime(),
    readAt: p.datetime().nullable(),
  },
});

/** A mail that is to be sent, or was: what it says is kept until then and no longer. */
export const MailDeliveryEntity = defineEntity({
  name: 'MailDelivery',
  tableName: 'mail_deliveries',
  uniques: [{ name: 'mail_deliveries_once', properties: ['eventId', 'recipient', 'template'] }],
  checks: [
    {
      name: 'ended_deliveries_keep_no_contents',
      expression: "state = 'scheduled' or (facts is null and address is null)",
    },
  ],
  properties: {
    /** Also the Message-ID. */
    id: p.uuid().primary(),
    eventId: p.uuid(),
    /** User id, recipient id, or the id of what was asked for from an address. */
    recipient: p.uuid(),
    recipientKind: p.text().$type<'user' | 'recipient' | 'address'>(),
    /** Set where there is neither an account nor a recipient to look it up from. */
    address: p.text().nullable(),
    template: p.text().$type<TemplateName>(),
    facts: p.json<unknown>().nullable(),
    shipmentId: p.uuid().nullable(),
    state: p.text().$type<MailDeliveryState>(),
    statesVersion: p.integer(),
    /** From then on it is of no use; null for what must arrive however late. */
    usefulUntil: p.datetime().nullable(),
    createdAt: p.datetime(),
    endedAt: p.datetime().nullable(),
    /** Code of what refused it. */
    failure: p.text().nullable(),
  },
});

/** What somebody wants to be told, and how; a row exists once they changed something. */
export const NotificationPreferencesEntity = defineEntity({
  name: 'UserNotificationPrefs',
  tableName: 'user_notification_prefs',
  checks: [
    {
      name: 'quiet_hours_are_minutes_of_a_day',
      expression:
        '(quiet_from is null) = (quiet_to is null) and quiet_from <> quiet_to and quiet_from >= 0 and quiet_from <= 1439 and quiet_to >= 0 and quiet_to <= 1439',
    },
  ],
  properties: {
    userId: p.uuid().primary(),
    mutedEmail: p.array().$type<Category[]>(),
    mutedInApp: p.array().$type<Category[]>(),
    /** Minutes after midnight on the wall clock of the user's zone. */
    quietFrom: p.integer().nullable(),
    quietTo: p.integer().nullable(),
    updatedAt: p.datetime(),
  },
});

/** Where a browser wants to be woken by web push. */
export const PushSubscriptionEntity = defineEntity({
  name: 'PushSubscription',
  tableName: 'push_subscriptions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid().index(),
    endpoint: p.text().unique(),
    p256dh: p.text(),
    auth: p.text(),
    createdAt: p.datetime(),
  },
});

/** How users are addressed, as identity told it. */
export const AddressBookEntity = defineEntity({
  name: 'AddressBookEntry',
  tableName: 'address_book',
  properties: {
    userId: p.uuid().primary(),
    email: p.text(),
    displayName: p.text(),
    locale: p.text(),
    timeZone: p.text(),
  },
});

/** The two ends of a shipment, as bookings and shipments told it; the recipient may have no account. */
export const ShipmentEndsEntity = defineEntity({
  name: 'ShipmentEnds',
  tableName: 'shipment_ends',
  properties: {
    shipmentId: p.uuid().primary(),
    senderId: p.uuid().nullable(),
    recipientId: p.uuid().nullable(),
    recipientName: p.text().nullable(),
    recipientEmail: p.text().nullable(),
    recipientUserId: p.uuid().nullable(),
  },
});

export type NotificationRow = InferEntity<typeof NotificationEntity>;
export type MailDeliveryRow = InferEntity<typeof MailDeliveryEntity>;
export type NotificationPreferencesRow = InferEntity<typeof NotificationPreferencesEntity>;
export type PushSubscriptionRow = InferEntity<typeof PushSubscriptionEntity>;
export type AddressBookRow = InferEntity<typeof AddressBookEntity>;
export type ShipmentEndsRow = InferEntity<typeof ShipmentEndsEntity>;

export const notificationEntities = [
  NotificationStreamEntity,
  NotificationEntity,
  MailDeliveryEntity,
  NotificationPreferencesEntity,
  PushSubscriptionEntity,
  AddressBookEntity,
  ShipmentEndsEntity,
];
