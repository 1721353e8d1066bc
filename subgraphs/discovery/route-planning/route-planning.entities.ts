import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PackageCategory } from '#shared/events/vocabulary.ts';

/** Projection of every leg that trips have told of, as far as the search needs it. */
export const SearchableLeg = defineEntity({
  name: 'SearchableLeg',
  tableName: 'searchable_legs',
  indexes: [
    {
      name: 'searchable_legs_departures',
      expression:
        'create index "searchable_legs_departures" on "searchable_legs" ("departs_at", "from_location_id") where bookable',
    },
  ],
  properties: {
    legId: p.uuid().primary(),
    tripId: p.uuid().index(),
    tripVersion: p.integer(),
    sequence: p.integer(),
    travellerId: p.uuid(),
    mode: p.enum(['flight', 'car'] as const),
    fromLocationId: p.uuid(),
    toLocationId: p.uuid(),
    departsAt: p.datetime(),
    arrivesAt: p.datetime(),
    currency: p.string().length(3),
    baseMinor: p.bigint(),
    perKilogramMinor: p.bigint(),
    capacityGrams: p.integer(),
    freeGrams: p.integer(),
    capacityVersion: p.integer(),
    allowedCategories: p.json<PackageCategory[]>(),
    maxPackageGrams: p.integer(),
    maxDeclaredValueMinor: p.bigint().nullable(),
    maxDeclaredValueCurrency: p.string().length(3).nullable(),
    bookable: p.boolean(),
  },
});
export type SearchableLegRow = InferEntity<typeof SearchableLeg>;

/** A place that some bookable leg touches, and the town it belongs to. Derived. */
export const RouteGraphNode = defineEntity({
  name: 'RouteGraphNode',
  tableName: 'route_graph_nodes',
  properties: {
    locationId: p.uuid().primary(),
    townId: p.uuid().index(),
  },
});

/** That two places are joined by bookable legs, and on what terms as a rule. Derived; never says what is free. */
export const RouteGraphEdge = defineEntity({
  name: 'RouteGraphEdge',
  tableName: 'route_graph_edges',
  properties: {
    fromLocationId: p.uuid().primary(),
    toLocationId: p.uuid().primary(),
    mode: p.enum(['flight', 'car'] as const).primary(),
    currency: p.string().length(3).primary(),
    legs: p.integer(),
    /** Median price of one kilogram. */
    typicalMinor: p.bigint(),
    typicalMinutes: p.integer(),
  },
});
