import { HandoffTransferred } from '#shared/events/custody.ts';
import { type Handler, on } from '#shared/runtime/inbox.ts';
import type { EscrowService } from './escrow.service.ts';

/** A hand-over that ends a leg is the evidence that pays for it. */
export const escrowHandlers = (escrow: EscrowService): readonly Handler[] => [
  on(HandoffTransferred, async ({ finishedBookingId, ...handoff }) => {
    if (finishedBookingId !== null) await escrow.recordEvidence({ ...handoff, bookingId: finishedBookingId });
  }),
];
