import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { BookingState } from './booking.states.ts';

export const LegBookingEntity = defineEntity({
  name: 'LegBooking',
  tableName: 'leg_bookings',
  indexes: [{ properties: ['carrierId', 'state', 'id'] }],
  checks: [{ name: 'something_to_carry', expression: 'grams > 0' }],
  properties: {
    id: p.uuid().primary(),
    itineraryId: p.uuid().index(),
    itineraryLegId: p.uuid().unique(),
    /** Of the leg on its trip, or of the courier's segment. */
    legId: p.uuid().index(),
    shipmentId: p.uuid(),
    senderId: p.uuid(),
    carrierId: p.uuid(),
    state: p.text().$type<BookingState>(),
    statesVersion: p.integer(),
    grams: p.integer(),
    currency: p.text(),
    priceMinor: p.bigint(),
    feeShareMinor: p.bigint(),
    answerBy: p.datetime(),
    reason: p.text().nullable(),
    requestedAt: p.datetime(),
    answeredAt: p.datetime().nullable(),
  },
});

export const LegAssignmentEntity = defineEntity({
  name: 'LegAssignment',
  tableName: 'leg_assignments',
  properties: {
    id: p.uuid().primary(),
    bookingId: p.uuid().unique(),
    carrierId: p.uuid().index(),
    assignedAt: p.datetime(),
  },
});

export type LegBookingRow = InferEntity<typeof LegBookingEntity>;
export type LegAssignmentRow = InferEntity<typeof LegAssignmentEntity>;
