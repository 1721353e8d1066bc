import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import type { CarrierType, LegKind, PackageCategory } from '#shared/events/vocabulary.ts';
import { type ItineraryState, liveStates } from './itinerary.states.ts';

export const ItineraryEntity = defineEntity({
  name: 'Itinerary',
  tableName: 'itineraries',
  indexes: [
    { properties: ['shipmentId', 'id'] },
    {
      name: 'one_live_itinerary_per_shipment',
      expression: `create unique index "one_live_itinerary_per_shipment" on "bookings"."itineraries" ("shipment_id") where state in (${liveStates.map((state) => `'${state}'`).join(', ')})`,
    },
  ],
  checks: [
    { name: 'something_to_carry', expression: 'grams > 0' },
    {
      name: 'asked_under_terms',
      expression:
        "state in ('planned', 'cancelled') or (quote_id is not null and hold_id is not null and answer_by is not null)",
    },
  ],
  properties: {
    id: p.uuid().primary(),
    shipmentId: p.uuid(),
    senderId: p.uuid().index(),
    recipientId: p.uuid().index(),
    recipientUserId: p.uuid().nullable(),
    state: p.text().$type<ItineraryState>(),
    statesVersion: p.integer(),
    version: p.integer(),
    grams: p.integer(),
    categories: p.json<PackageCategory[]>(),
    currency: p.text(),
    carriersMinor: p.bigint(),
    /** The suggestion that it was made from, to find alternatives by. */
    suggestionToken: p.text(),
    quoteId: p.uuid().nullable(),
    /** Names what is held for it with the owners of its legs; null while nothing is. */
    holdId: p.uuid().nullable(),
    /** Until when the hold stands if the saga does not take it over. */
    holdUntil: p.datetime().nullable(),
    answerBy: p.datetime().nullable(),
    /** Set when the sender wants out while the saga is waiting. */
    cancelAskedAt: p.datetime().nullable(),
    cancelReason: p.text().nullable(),
    createdAt: p.datetime(),
  },
});

export const ItineraryLegEntity = defineEntity({
  name: 'ItineraryLeg',
  tableName: 'itinerary_legs',
  uniques: [{ properties: ['itineraryId', 'itineraryVersion', 'sequence'] }],
  checks: [{ name: 'price_not_negative', expression: 'price_minor >= 0' }],
  properties: {
    id: p.uuid().primary(),
    itineraryId: p.uuid().index(),
    itineraryVersion: p.integer(),
    sequence: p.integer(),
    legKind: p.text().$type<LegKind>(),
    legId: p.uuid().index(),
    tripId: p.uuid().nullable().index(),
    carrierType: p.text().$type<CarrierType>(),
    carrierId: p.uuid().index(),
    fromLocationId: p.uuid(),
    toLocationId: p.uuid(),
    departsAt: p.datetime(),
    arrivesAt: p.datetime(),
    currency: p.text(),
    priceMinor: p.bigint(),
  },
});

export type ItineraryRow = InferEntity<typeof ItineraryEntity>;
export type ItineraryLegRow = InferEntity<typeof ItineraryLegEntity>;
