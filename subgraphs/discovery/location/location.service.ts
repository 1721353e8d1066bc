/**
 * Owns the gazetteer: which places exist, what they are called, in which time zone and customs territory they
 * lie, and which airports belong to which city. It promises to find a place by any usual spelling, also with
 * a typing error, and never to forget an id. Everybody may look; trip search and couriers build on it.
 */
import { Invalid, NotFound } from '#shared/kernel/errors.ts';
import { requireId } from '#shared/kernel/ids.ts';
import { pageSize } from '#shared/kernel/pages.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import { Location, type LocationRow } from './location.entities.ts';
import { editDistance, normaliseName } from './place-name.ts';

export type LocationKind = 'CITY' | 'AIRPORT';

export interface LocationView {
  readonly id: string;
  readonly kind: LocationKind;
  readonly name: string;
  readonly asciiName: string;
  readonly iata: string | null;
  readonly cityId: string | null;
  readonly countryCode: string;
  readonly countryName: string;
  readonly customsTerritory: string;
  readonly timeZone: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly population: number;
}

export interface LocationMatchView {
  readonly location: LocationView;
  /** 0 to 1. */
  readonly confidence: number;
}

interface Found {
  readonly location_id: string;
  readonly name: string;
  readonly weight: number;
}

const MAX_QUERY_LENGTH = 200;
/** Of all that is similar, this many are compared letter by letter. */
const SIMILAR_CANDIDATES = 80;
/** With fewer names that begin so, similar spellings are looked at too. */
const ENOUGH = 3;
const countryNames = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'code' });

export class LocationService {
  readonly #db: Database;

  constructor({ db }: { db: Database }) {
    this.#db = db;
  }

  /** Places by id, for references and siblings; unknown ids give null. */
  readonly loadLocation: Batch<string, LocationView> = async (_viewer, ids) =>
    inOrder(ids, await this.locations(ids), ({ id }) => id);

  /** Airports of each city, the busiest guess first; none for an airport. */
  readonly loadAirports: Batch<string, LocationView[]> = async (_viewer, cityIds) => {
    const airports = await this.#db.read((em) => em.find(Location, { cityId: { $in: [...cityIds] } }));
    const views = airports.map(view).sort((a, b) => (a.iata! < b.iata! ? -1 : 1));
    return cityIds.map((cityId) => views.filter((airport) => airport.cityId === cityId));
  };

  /** The places among the ids. Refuses `ID_MALFORMED`. */
  async locations(ids: readonly string[]): Promise<LocationView[]> {
    for (const id of ids) requireId(id, 'location');
    const rows = await this.#db.read((em) => em.find(Location, { id: { $in: [...new Set(ids)] } }));
    return rows.map(view);
  }

  /** One place. Refuses `LOCATION_NOT_FOUND`, `ID_MALFORMED`. */
  async location(id: string): Promise<LocationView> {
    const [found] = await this.locations([id]);
    if (!found) throw new NotFound('LOCATION_NOT_FOUND', 'There is no such place', { locationId: id });
    return found;
  }

  /**
   * City of every given place and of every place of the same cities: places with the same value are one town.
   * A place without a city is its own.
   */
  async townOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#db.read((em) =>
      em.execute<{ id: string; town: string }[]>(
        `with towns as (select distinct coalesce(city_id, id) as town from locations where id = any(?::uuid[]))
         select id, town from towns join locations on id = town
         union all select id, town from towns join locations on city_id = town`,
        [`{${ids.join(',')}}`],
      ),
    );
    return new Map(rows.map(({ id, town }) => [id, town]));
  }

  /**
   * Places by the beginning of one of their names, by code or by a similar spelling, best first: an exact code,
   * then exact names, beginnings and similar spellings, among equals the larger.
   * Refuses `LOCATION_QUERY_INVALID`, `PAGE_SIZE_INVALID`.
   */
  async searchLocations(
    query: string,
    options: { first?: number | null; kinds?: readonly LocationKind[] | null } = {},
  ): Promise<LocationView[]> {
    const first = pageSize(options, 10);
    const found = await this.#find(query, first, options.kinds);
    return found.map(({ location }) => location);
  }

  /**
   * What a free text such as `Paris, France` or `CDG` may mean, best first.
   * Refuses `LOCATION_QUERY_INVALID`, `PAGE_SIZE_INVALID`.
   */
  async geocode(text: string, options: { first?: number | null } = {}): Promise<LocationMatchView[]> {
    const first = pageSize(options, 5);
    const [name = '', ...rest] = text.split(',');
    const wanted = rest.map(normaliseName).filter((part) => part !== '');
    const matches = (await this.#find(name, 40)).map(({ location, closeness }) => {
      const words = [location.countryCode, location.countryName].map(normaliseName);
      const agrees = wanted.filter((part) => words.includes(part)).length;
      const context = wanted.length === 0 ? 1 : (1 + agrees) / (1 + wanted.length);
      return { location, confidence: Math.round(closeness * context * 100) / 100 };
    });
    return matches.sort((a, b) => b.confidence - a.confidence).slice(0, first);
  }

  async #find(
    query: string,
    limit: number,
    kinds?: readonly LocationKind[] | null,
  ): Promise<{ location: LocationView; closeness: number }[]> {
    if (query.length > MAX_QUERY_LENGTH)
      throw new Invalid('LOCATION_QUERY_INVALID', 'The text to search for is too long', {
        max: MAX_QUERY_LENGTH,
      });
    const name = normaliseName(query);
    if (name === '')
      throw new Invalid('LOCATION_QUERY_INVALID', 'The text to search for needs a letter or a digit');
    const wanted = kinds?.length ? kinds : (['CITY', 'AIRPORT'] as const);
    const found = await this.#beginningWith(name, limit, wanted);
    if (found.length < Math.min(limit, ENOUGH) && name.length > 2) {
      const ids = new Set(found.map(({ location_id }) => location_id));
      const similar = await this.#similarTo(name, wanted);
      found.push(...similar.filter(({ location_id }) => !ids.has(location_id)));
    }
    const best = found.slice(0, limit);
    const places = new Map(
      (await this.locations(best.map(({ location_id }) => location_id))).map((place) => [place.id, place]),
    );
    return best.map(({ location_id, name: by }) => ({
      location: places.get(location_id)!,
      closeness: 1 - editDistance(name, by.slice(0, Math.max(name.length, 3))) / Math.max(name.length, 3),
    }));
  }

  #beginningWith(name: string, limit: number, kinds: readonly LocationKind[]): Promise<Found[]> {
    return this.#db.read((em) =>
      em.execute<Found[]>(
        `select location_id, min(name) as name, max(weight) as weight from location_names
          where name >= ? and name < ? and kind = any(?)
          group by location_id
          order by bool_or(name = ? and length(name) = 3 and kind = 'AIRPORT') desc, bool_or(name = ?) desc, weight desc, location_id
          limit ?`,
        [name, `${name}\u{10ffff}`, `{${kinds.join(',')}}`, name, name, limit],
      ),
    );
  }

  /** Ranks by edits per letter; a city of ten million wins against a village at half an edit's difference. */
  async #similarTo(name: string, kinds: readonly LocationKind[]): Promise<Found[]> {
    const rows = await this.#db.read((em) =>
      em.execute<Found[]>('select location_id, name, weight from similar_location_names(?, ?, ?)', [
        name,
        `{${kinds.join(',')}}`,
        SIMILAR_CANDIDATES,
      ]),
    );
    const score = ({ name: other, weight }: Found): number =>
      1 -
      editDistance(name, other) / Math.max(name.length, other.length) +
      Math.log10(weight + 1) / (14 * Math.sqrt(name.length));
    const ranked = rows
      .map((row) => ({ row, score: score(row) }))
      .sort((a, b) => b.score - a.score || (a.row.location_id < b.row.location_id ? -1 : 1));
    const best = new Map<string, Found>();
    for (const { row } of ranked) if (!best.has(row.location_id)) best.set(row.location_id, row);
    return [...best.values()];
  }
}

function view(row: LocationRow): LocationView {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    asciiName: row.asciiName,
    iata: row.iata ?? null,
    cityId: row.cityId ?? null,
    countryCode: row.countryCode,
    countryName: countryNames.of(row.countryCode) ?? row.countryCode,
    customsTerritory: row.customsTerritory,
    timeZone: row.timeZone,
    latitude: row.latitude,
    longitude: row.longitude,
    population: row.population,
  };
}
