import { EscrowClosed, EscrowReleased } from '#shared/events/payments.ts';
import { RecipientLinked, ShipmentSubmitted } from '#shared/events/shipments.ts';
import { on } from '#shared/runtime/inbox.ts';
import type { PartiesService } from './parties.service.ts';
import type { TrackingService } from './tracking.service.ts';

export const trackingHandlers = (parties: PartiesService, tracking: TrackingService) => [
  on(ShipmentSubmitted, (shipment) => parties.learnShipment(shipment)),
  on(RecipientLinked, (link) => parties.linkRecipient(link)),
  on(EscrowReleased, async ({ shipmentId, bookingId, payeeId, releasedAt }) => {
    const leg = await parties.legOf(bookingId);
    await tracking.record(shipmentId, [
      {
        type: 'FUNDS_RELEASED',
        message: "A carrier's share was released",
        at: releasedAt,
        carrierId: payeeId,
        tripLegId: leg?.tripLegId ?? null,
        onceKey: `released:${bookingId}`,
      },
    ]);
  }),
  on(EscrowClosed, async ({ shipmentId, itineraryId, closedAt }) => {
    await tracking.record(shipmentId, [
      {
        type: 'COMPLETED',
        message: 'Everything is settled',
        at: closedAt,
        onceKey: `completed:${itineraryId}`,
      },
    ]);
  }),
];
