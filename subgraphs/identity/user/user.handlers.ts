import { HandoffTransferred } from '#shared/events/custody.ts';
import { EscrowReleased } from '#shared/events/payments.ts';
import { ShipmentStateChanged } from '#shared/events/shipments.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { UserService } from './user.service.ts';

export const userHandlers = (users: UserService): Handler[] => [
  on(HandoffTransferred, async ({ from, finishedBookingId, packageIds, transferredAt }) => {
    if (finishedBookingId) await users.countCarried(from.id, packageIds.length, transferredAt);
  }),
  on(EscrowReleased, ({ payeeId }) => users.countReleased(payeeId)),
  on(ShipmentStateChanged, async ({ senderId, to }) => {
    if (to === 'delivered') await users.countDelivered(senderId);
  }),
];
