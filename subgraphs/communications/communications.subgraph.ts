import { IdentityContract } from '#shared/contracts/identity.ts';
import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { readCommunicationsConfig } from './communications.config.ts';
import { AddressBookService } from './notification/address-book.service.ts';
import { MailDeliveryService } from './notification/mail-delivery.service.ts';
import { notificationEntities } from './notification/notification.entities.ts';
import { notificationHandlers } from './notification/notification.handlers.ts';
import { notificationJobs } from './notification/notification.jobs.ts';
import { notificationResolvers } from './notification/notification.resolvers.ts';
import { NotificationService } from './notification/notification.service.ts';
import { PreferencesService } from './notification/preferences.service.ts';
import { PushSubscriptionService } from './notification/push-subscription.service.ts';
import { openMail } from './providers/mail-provider.ts';
import { MailboxMessageEntity } from './providers/mailbox/mailbox.entities.ts';

export default defineSubgraph({
  name: 'communications',
  root: import.meta.url,
  config: readCommunicationsConfig,
  entities: [...notificationEntities, MailboxMessageEntity],
  build(deps) {
    const identity = deps.contracts.caller(IdentityContract);
    const post = openMail(deps);
    const addressBook = new AddressBookService({ ...deps, identity });
    const preferences = new PreferencesService({ ...deps, addressBook });
    const deliveries = new MailDeliveryService({
      ...deps,
      identity,
      mail: post.mail,
      addressBook,
      preferences,
    });
    const notifications = new NotificationService({ ...deps, addressBook, preferences, deliveries });
    const pushSubscriptions = new PushSubscriptionService(deps);
    return {
      resolvers: mergeResolvers(
        scalars,
        notificationResolvers(notifications, preferences, pushSubscriptions),
      ),
      handlers: notificationHandlers(notifications, addressBook),
      jobs: notificationJobs(deliveries),
      routes: post.routes,
      start: post.start,
      [Symbol.asyncDispose]: post.close,
    };
  },
});
