import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const Location = defineEntity({
  name: 'Location',
  tableName: 'locations',
  properties: {
    id: p.uuid().primary(),
    kind: p.enum(['CITY', 'AIRPORT'] as const),
    name: p.text(),
    asciiName: p.text(),
    iata: p.string().length(3).nullable().unique(),
    /** City that an airport belongs to; null for cities and for airports that serve none. */
    cityId: p.uuid().nullable().index(),
    countryCode: p.string().length(2),
    customsTerritory: p.text(),
    timeZone: p.text(),
    latitude: p.double().$type<number>(),
    longitude: p.double().$type<number>(),
    population: p.integer(),
    /** False once a newer gazetteer has dropped it: still known, no longer found. */
    listed: p.boolean(),
  },
});

export type LocationRow = InferEntity<typeof Location>;

/** Every name by which a place is found, normalised. */
export const LocationName = defineEntity({
  name: 'LocationName',
  tableName: 'location_names',
  indexes: [
    {
      name: 'location_names_trigrams',
      expression:
        'create index "location_names_trigrams" on "location_names" using gin ("name" gin_trgm_ops)',
    },
  ],
  properties: {
    name: p.text().collation('C').primary(),
    locationId: p.uuid().primary(),
    kind: p.enum(['CITY', 'AIRPORT'] as const),
    weight: p.integer(),
  },
});

export const GazetteerLoad = defineEntity({
  name: 'GazetteerLoad',
  tableName: 'gazetteer_loads',
  properties: {
    version: p.integer().primary().autoincrement(false),
    places: p.integer(),
    loadedAt: p.datetime().defaultRaw('now()'),
  },
});
