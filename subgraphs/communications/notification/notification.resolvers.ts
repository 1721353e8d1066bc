import type {
  MutationResolvers,
  NotificationResolvers,
  QueryResolvers,
  SubscriptionResolvers,
  UserResolvers,
} from '../communications.generated.ts';
import { cursorOf, type NotificationService } from './notification.service.ts';
import type { PreferencesService } from './preferences.service.ts';
import type { PushSubscriptionService } from './push-subscription.service.ts';

const stub = (id: string | null) => (id ? { id } : null);

/** Each notification under the name of its field, as subscriptions want it; ends when the source does. */
function asField<Entry>(
  entries: AsyncIterableIterator<Entry>,
): AsyncIterableIterator<{ notificationReceived: Entry }> {
  const named = async (answer: Promise<IteratorResult<Entry>> | undefined) => {
    const result = await answer;
    return !result || result.done
      ? { done: true as const, value: undefined }
      : { done: false, value: { notificationReceived: result.value } };
  };
  return {
    next: () => named(entries.next()),
    return: () => named(entries.return?.()),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

export const notificationResolvers = (
  notifications: NotificationService,
  preferences: PreferencesService,
  pushSubscriptions: PushSubscriptionService,
) => ({
  Query: {
    notifications: (_root, page, { viewer }) => notifications.list(viewer, page),
    notificationPreferences: (_root, _args, { viewer }) => preferences.mine(viewer),
  } satisfies QueryResolvers,
  Mutation: {
    markNotificationsRead: (_root, { input }, { viewer }) =>
      notifications.markRead(viewer, input.notificationIds),
    updateNotificationPreferences: (_root, { input }, { viewer }) =>
      preferences.update(viewer, { ...input, categories: input.categories ?? [] }),
    subscribePush: (_root, { input }, { viewer }) => pushSubscriptions.subscribe(viewer, input),
    unsubscribePush: (_root, { input }, { viewer }) =>
      pushSubscriptions.unsubscribe(viewer, input.subscriptionId),
  } satisfies MutationResolvers,
  Subscription: {
    notificationReceived: {
      subscribe: async (_root, { after }, { viewer, signal }) =>
        asField(await notifications.follow(viewer, after, signal)),
    },
  } satisfies SubscriptionResolvers,
  Notification: {
    cursor: cursorOf,
    shipment: ({ shipmentId }) => stub(shipmentId ?? null),
    itinerary: ({ itineraryId }) => stub(itineraryId ?? null),
  } satisfies NotificationResolvers,
  User: {
    __resolveReference: ({ id }) => ({ id }),
    unreadNotifications: ({ id }, _args, { load }) => load(notifications.loadUnread, id),
  } satisfies UserResolvers,
});
