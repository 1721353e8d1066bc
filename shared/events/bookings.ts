/** Facts told by bookings. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { amount, id, instant } from '../kernel/wire.ts';
import { recipientFacts } from './shipments.ts';
import { carrierType, legKind } from './vocabulary.ts';

/** One leg of an itinerary as its parties know it. */
export const bookedLeg = z.object({
  /** Id of the leg's booking. */
  bookingId: id,
  sequence: z.int(),
  legKind,
  /** Id of the trip leg or of the courier segment. */
  legId: id,
  /** Null for a courier segment. */
  tripId: id.nullable(),
  carrierType,
  carrierId: id,
  fromLocationId: id,
  toLocationId: id,
  departsAt: instant,
  arrivesAt: instant,
  /** What the carrier earns. */
  price: amount,
});

/** Told when a sender asks for an itinerary and capacity is held: every carrier is being asked. */
export const ItineraryRequested = defineEvent('bookings', 'ItineraryRequested', {
  key: 'itineraryId',
  payload: {
    itineraryId: id,
    shipmentId: id,
    senderId: id,
    legs: z.array(bookedLeg),
    total: amount,
    answerBy: instant,
  },
});

/** Told when one leg's carrier has answered, or has let the time pass. */
export const BookingAnswered = defineEvent('bookings', 'BookingAnswered', {
  key: 'itineraryId',
  payload: {
    itineraryId: id,
    shipmentId: id,
    senderId: id,
    bookingId: id,
    carrierId: id,
    answer: z.enum(['accepted', 'declined', 'expired']),
    reason: z.string().nullable(),
  },
});

/** Told once every leg is accepted, the money captured and held per leg: nothing can be taken back quietly now. */
export const ItineraryConfirmed = defineEvent('bookings', 'ItineraryConfirmed', {
  key: 'itineraryId',
  payload: {
    itineraryId: id,
    shipmentId: id,
    senderId: id,
    recipient: recipientFacts,
    packageIds: z.array(id),
    legs: z.array(bookedLeg),
    total: amount,
    confirmedAt: instant,
  },
});

/** Told when an itinerary ends before custody: everything held was returned, no money moved. */
export const ItineraryCancelled = defineEvent('bookings', 'ItineraryCancelled', {
  key: 'itineraryId',
  payload: {
    itineraryId: id,
    shipmentId: id,
    senderId: id,
    carrierIds: z.array(id),
    /** Code such as `CARRIER_DECLINED`, `CARRIER_SILENT`, `PAYMENT_FAILED`, `PAYMENT_ABANDONED`, `CAPACITY_GONE`, `SENDER_CANCELLED`. */
    reason: z.string(),
    cancelledAt: instant,
  },
});
