/** Who is told what when others' facts arrive. */

import type { z } from 'zod';
import {
  BookingAnswered,
  type bookedLeg,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { HandoffReady, HandoffTransferred, type party, ScanRefused } from '#shared/events/custody.ts';
import {
  OtpRequested,
  ProfileChanged,
  SessionFamilyRevoked,
  SessionOpened,
  UserRegistered,
} from '#shared/events/identity.ts';
import {
  EscrowClosed,
  EscrowReleased,
  PaymentCaptured,
  PaymentRefused,
  PayoutBlocked,
  PayoutPaid,
} from '#shared/events/payments.ts';
import { RecipientLinked } from '#shared/events/shipments.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { AddressBookService, Addressee } from './address-book.service.ts';
import type { NotificationService } from './notification.service.ts';

type Leg = z.output<typeof bookedLeg>;
type Party = z.output<typeof party>;

const user = (userId: string): Addressee => ({ kind: 'user', userId });

/** Each carrier once, with all of their legs. */
function byCarrier(legs: readonly Leg[]): [carrierId: string, legs: Leg[]][] {
  return [...Map.groupBy(legs, ({ carrierId }) => carrierId)];
}

export function notificationHandlers(
  notifications: NotificationService,
  addressBook: AddressBookService,
): Handler[] {
  const partyOf = async (shipmentId: string, { type, id }: Party): Promise<Addressee> =>
    type === 'recipient' ? addressBook.recipient(shipmentId) : user(id);

  return [
    on(OtpRequested, (code, event) => notifications.mailCode(event, code)),
    on(UserRegistered, async (account, event) => {
      await addressBook.learnUser(account);
      await notifications.notify(event, user(account.userId), { template: 'WELCOME', facts: {} });
    }),
    on(ProfileChanged, (profile) => addressBook.learnProfile(profile)),
    on(SessionOpened, async ({ userId, newDevice, userAgent, openedAt }, event) => {
      if (!newDevice) return;
      const facts = { userAgent, openedAt };
      await notifications.notify(event, user(userId), { template: 'NEW_DEVICE', facts });
    }),
    on(SessionFamilyRevoked, async ({ userId, revokedAt }, event) => {
      const facts = { revokedAt };
      await notifications.notify(event, user(userId), { template: 'SESSIONS_REVOKED', facts });
    }),
    on(RecipientLinked, (link) => addressBook.linkRecipient(link)),

    on(ItineraryRequested, async (requested, event) => {
      const { itineraryId, shipmentId, legs, answerBy } = requested;
      await addressBook.learnSender(requested);
      for (const [carrierId, mine] of byCarrier(legs)) {
        await notifications.notify(event, user(carrierId), {
          template: 'BOOKING_REQUESTED',
          facts: { legs: mine, answerBy },
          shipmentId,
          itineraryId,
          usefulUntil: answerBy,
        });
      }
    }),
    on(BookingAnswered, async ({ itineraryId, shipmentId, senderId, answer, reason }, event) => {
      const facts = { answer, reason };
      const about = { shipmentId, itineraryId };
      await notifications.notify(event, user(senderId), { template: 'BOOKING_ANSWERED', facts, ...about });
    }),
    on(ItineraryConfirmed, async (itinerary, event) => {
      const { itineraryId, shipmentId, senderId, legs, total } = itinerary;
      const about = { shipmentId, itineraryId };
      await addressBook.learnEnds(itinerary);
      await notifications.notify(event, user(senderId), {
        template: 'ITINERARY_CONFIRMED',
        facts: { legs, total },
        ...about,
      });
      for (const [carrierId, mine] of byCarrier(legs)) {
        const facts = { legs: mine };
        await notifications.notify(event, user(carrierId), {
          template: 'CARRIAGE_CONFIRMED',
          facts,
          ...about,
        });
      }
      await notifications.notify(event, await addressBook.recipient(shipmentId), {
        template: 'PARCEL_COMING',
        facts: { arrivesAt: legs.at(-1)!.arrivesAt },
        ...about,
      });
    }),
    on(ItineraryCancelled, async (cancelled, event) => {
      const { itineraryId, shipmentId, senderId, carrierIds, reason } = cancelled;
      const tell = (userId: string, role: 'sender' | 'carrier'): Promise<void> =>
        notifications.notify(event, user(userId), {
          template: 'ITINERARY_CANCELLED',
          facts: { reason, role },
          shipmentId,
          itineraryId,
        });
      await tell(senderId, 'sender');
      for (const carrierId of new Set(carrierIds)) await tell(carrierId, 'carrier');
    }),

    on(PaymentRefused, async ({ payerId, itineraryId, shipmentId, amount, code }, event) => {
      const facts = { amount, code };
      const about = { shipmentId, itineraryId };
      await notifications.notify(event, user(payerId), { template: 'PAYMENT_REFUSED', facts, ...about });
    }),
    on(PaymentCaptured, async ({ payerId, itineraryId, shipmentId, amount }, event) => {
      const facts = { amount };
      const about = { shipmentId, itineraryId };
      await notifications.notify(event, user(payerId), { template: 'PAYMENT_CAPTURED', facts, ...about });
    }),
    on(EscrowReleased, async ({ payeeId, itineraryId, shipmentId, amount }, event) => {
      const facts = { amount };
      const about = { shipmentId, itineraryId };
      await notifications.notify(event, user(payeeId), { template: 'SHARE_RELEASED', facts, ...about });
    }),
    on(PayoutPaid, async ({ payeeId, amount }, event) => {
      await notifications.notify(event, user(payeeId), { template: 'PAYOUT_PAID', facts: { amount } });
    }),
    on(PayoutBlocked, async ({ payeeId, amount, requirements }, event) => {
      const facts = { amount, requirements };
      await notifications.notify(event, user(payeeId), { template: 'PAYOUT_BLOCKED', facts });
    }),
    on(EscrowClosed, async ({ itineraryId, shipmentId }, event) => {
      const sender = await addressBook.sender(shipmentId);
      const about = { shipmentId, itineraryId };
      await notifications.notify(event, sender, { template: 'DELIVERY_SETTLED', facts: {}, ...about });
    }),

    on(HandoffReady, async ({ shipmentId, itineraryId, from, to, opensAt }, event) => {
      for (const [side, one] of [
        ['giver', from],
        ['receiver', to],
      ] as const) {
        const facts = { side, opensAt };
        const about = { shipmentId, itineraryId };
        await notifications.notify(event, await partyOf(shipmentId, one), {
          template: 'HANDOFF_READY',
          facts,
          ...about,
        });
      }
    }),
    on(HandoffTransferred, async (handoff, event) => {
      const { shipmentId, itineraryId, delivered, discrepancy, transferredAt } = handoff;
      for (const to of [await addressBook.sender(shipmentId), await addressBook.recipient(shipmentId)]) {
        await notifications.notify(event, to, {
          template: 'PARCEL_MOVED',
          facts: { delivered, discrepancy, at: transferredAt },
          shipmentId,
          itineraryId,
        });
      }
    }),
    on(ScanRefused, async ({ shipmentId, partyIds, at }, event) => {
      for (const partyId of new Set(partyIds)) {
        const to = await addressBook.either(shipmentId, partyId);
        await notifications.notify(event, to, { template: 'SCAN_REFUSED', facts: { at }, shipmentId });
      }
    }),
  ];
}
