import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { PackageCategory } from '#shared/events/vocabulary.ts';

/** What somebody searched for. */
export const RouteSearchQuery = defineEntity({
  name: 'RouteSearchQuery',
  tableName: 'route_search_queries',
  properties: {
    id: p.uuid().primary(),
    /** Null where the platform searched again for a stale suggestion. */
    searcherId: p.uuid().nullable(),
    originLocationId: p.uuid(),
    destinationLocationId: p.uuid(),
    earliestDeparture: p.datetime(),
    latestArrival: p.datetime(),
    categories: p.json<PackageCategory[]>(),
    maxWeightGrams: p.integer(),
    currency: p.string().length(3),
    sortBy: p.enum(['cheapest', 'best', 'quickest'] as const),
    /** How many routes there were, before the page was cut. */
    found: p.integer(),
    searchedAt: p.datetime().index(),
  },
});

/** What was offered for a search; the token alone is what can be booked. */
export const RouteSuggestionEntity = defineEntity({
  name: 'RouteSuggestion',
  tableName: 'route_suggestions',
  properties: {
    id: p.uuid().primary(),
    queryId: p.uuid().index(),
    rank: p.integer(),
    currency: p.string().length(3),
    priceMinor: p.bigint(),
    departsAt: p.datetime(),
    arrivesAt: p.datetime(),
    risk: p.integer(),
    handOvers: p.integer(),
    legIds: p.json<string[]>(),
    reason: p.text(),
    expiresAt: p.datetime(),
  },
});

export const SavedSearch = defineEntity({
  name: 'SavedSearch',
  tableName: 'saved_searches',
  properties: {
    id: p.uuid().primary(),
    ownerId: p.uuid().index(),
    name: p.text(),
    originLocationId: p.uuid(),
    destinationLocationId: p.uuid(),
    category: p.text().$type<PackageCategory>(),
    grams: p.integer(),
    savedAt: p.datetime(),
  },
});
export type SavedSearchRow = InferEntity<typeof SavedSearch>;
