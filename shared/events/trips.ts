/** Facts told by trips. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { amount, id, instant } from '../kernel/wire.ts';
import { packageCategory } from './vocabulary.ts';

/** A leg as published. Prices follow kernel/tariff: base + per kilogram. */
export const publishedLeg = z.object({
  legId: id,
  sequence: z.int(),
  mode: z.enum(['flight', 'car']),
  fromLocationId: id,
  toLocationId: id,
  departsAt: instant,
  arrivesAt: instant,
  base: amount,
  perKilogram: amount,
  capacityGrams: z.int(),
  freeGrams: z.int(),
  /** Raised with every change of what is free. */
  capacityVersion: z.int(),
});

/** Told when a trip becomes bookable, and again whenever its legs, prices or rules change. */
export const TripPublished = defineEvent('trips', 'TripPublished', {
  key: 'tripId',
  payload: {
    tripId: id,
    travellerId: id,
    version: z.int(),
    legs: z.array(publishedLeg),
    allowedCategories: z.array(packageCategory),
    maxPackageGrams: z.int(),
    maxDeclaredValue: amount.nullable(),
  },
});

/** Told when a trip stops being bookable; bookings already made stand unless `cancelled`. */
export const TripWithdrawn = defineEvent('trips', 'TripWithdrawn', {
  key: 'tripId',
  payload: { tripId: id, travellerId: id, reason: z.enum(['paused', 'cancelled', 'departed']) },
});

/** Told when what is free on a leg changed; the figure is absolute. */
export const LegCapacityChanged = defineEvent('trips', 'LegCapacityChanged', {
  key: 'tripId',
  payload: { tripId: id, legId: id, freeGrams: z.int(), capacityVersion: z.int() },
});
