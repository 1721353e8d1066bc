/** Facts told by custody. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { id, instant } from '../kernel/wire.ts';
import { partyType } from './vocabulary.ts';

export const party = z.object({
  type: partyType,
  /** User id, or recipient id for a recipient. */
  id,
});

/** Told when a hand-over's window opens and both sides can get their codes. */
export const HandoffReady = defineEvent('custody', 'HandoffReady', {
  key: 'shipmentId',
  payload: {
    shipmentId: id,
    itineraryId: id,
    stepId: id,
    sequence: z.int(),
    from: party,
    to: party,
    locationId: id,
    opensAt: instant,
  },
});

/** Told when both sides have proven a hand-over: custody moved with this commit. */
export const HandoffTransferred = defineEvent('custody', 'HandoffTransferred', {
  key: 'shipmentId',
  payload: {
    shipmentId: id,
    itineraryId: id,
    stepId: id,
    sequence: z.int(),
    from: party,
    to: party,
    /** Booking whose leg ended with this hand-over; null at the first one. */
    finishedBookingId: id.nullable(),
    /** Booking whose leg began with this hand-over; null at the last one. */
    startedBookingId: id.nullable(),
    packageIds: z.array(id),
    /** The custody events that prove it, one per package. */
    custodyEventIds: z.array(id),
    /** True where the receiver noted something wrong. */
    discrepancy: z.boolean(),
    /** True where the carrier who received it brings it to the recipient. */
    lastLegStarted: z.boolean(),
    /** True where the recipient received it. */
    delivered: z.boolean(),
    transferredAt: instant,
  },
});

/** Told when somebody scanned a code that was not theirs to scan. */
export const ScanRefused = defineEvent('custody', 'ScanRefused', {
  key: 'shipmentId',
  payload: { shipmentId: id, stepId: id, result: z.string(), partyIds: z.array(id), at: instant },
});
