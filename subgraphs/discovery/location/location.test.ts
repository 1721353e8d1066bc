import pg from 'pg';
import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { newId } from '#shared/kernel/ids.ts';
import seed from '../discovery.seed.ts';
import { cdg, type Discovery, montreal, paris, startDiscovery, yul } from '../testing/supply.ts';
import { customsTerritory } from './customs-territory.ts';
import { editDistance, normaliseName } from './place-name.ts';

let discovery: Discovery;
beforeAll(async () => {
  discovery = await startDiscovery();
});
afterAll(() => discovery[Symbol.asyncDispose]());

async function search(query: string, more: object = {}): Promise<{ name: string; iata: string | null }[]> {
  const { data, errors } = await discovery.world.execute(
    'discovery',
    'query ($input: SearchLocationsInput!) { searchLocations(input: $input) { id name iata kind countryCode } }',
    { input: { query, ...more } },
  );
  if (errors.length > 0) throw errors[0];
  return data.searchLocations;
}

const codes = async (query: string, more: object = {}): Promise<readonly unknown[]> =>
  (
    await discovery.world.execute(
      'discovery',
      'query ($input: SearchLocationsInput!) { searchLocations(input: $input) { id } }',
      { input: { query, ...more } },
    )
  ).codes;

test.each([
  ['montreal', 'Montréal'],
  ['MONTRÉAL', 'Montréal'],
  ['Monteral', 'Montréal'],
  ['Lodnon', 'London'],
  ['Londno', 'London'],
  ['Pari', 'Paris'],
  ['Marsielle', 'Marseille'],
  ['sao paulo', 'São Paulo'],
  ['Köln', 'Köln'],
  ['cologne', 'Köln'],
  ['münchen', 'Munich'],
  ['kobenhavn', 'Copenhagen'],
  ['København', 'Copenhagen'],
  ['Lodz', 'Łódź'],
  ['rio de janerio', 'Rio de Janeiro'],
  ['new yrok', 'New York City'],
  ['tokio', 'Tokyo'],
  ['東京', 'Tokyo'],
  ['Москва', 'Moscow'],
  ["st john's", "St. John's"],
  ['  zürich  ', 'Zürich'],
  ['heathrow', 'London Heathrow Airport'],
  ['charles de gaule', 'Paris Charles de Gaulle Airport'],
  ['CDG', 'Paris Charles de Gaulle Airport'],
  ['cdg', 'Paris Charles de Gaulle Airport'],
])('"%s" is understood as %s', async (query, name) => {
  expect((await search(query))[0]?.name).toBe(name);
});

test('an exact airport code comes before every place of that name', async () => {
  expect((await search('san'))[0]?.iata).toBe('SAN');
});

test('only the kinds asked for are found', async () => {
  expect((await search('paris', { kinds: ['AIRPORT'], first: 3 })).map(({ iata }) => iata).sort()).toEqual([
    'BVA',
    'CDG',
    'ORY',
  ]);
  expect((await search('paris', { kinds: ['CITY'] })).every(({ iata }) => iata === null)).toBe(true);
});

test('what would be a pattern in SQL is text like any other', async () => {
  expect(await search('par%')).toEqual(await search('par'));
  expect(await search("o'h_re\\'; drop table locations;--")).toEqual(expect.any(Array));
  expect(await search('\u202eparis\u0000')).toEqual(await search('paris'));
});

test.each([
  ['', 'LOCATION_QUERY_INVALID'],
  ['%_\\ 🙂', 'LOCATION_QUERY_INVALID'],
  ['x'.repeat(201), 'LOCATION_QUERY_INVALID'],
])('a text without a letter, or far too long, is refused: %p', async (query, code) => {
  expect(await codes(query)).toEqual([code]);
});

test('a page is between 1 and 100', async () => {
  expect(await codes('paris', { first: 0 })).toEqual(['PAGE_SIZE_INVALID']);
  expect(await codes('paris', { first: 101 })).toEqual(['PAGE_SIZE_INVALID']);
});

test('nothing like it is an empty answer', async () => {
  expect(await search('xyzzyqqw')).toEqual([]);
});

test('a country after the comma decides between places of one name', async () => {
  const { data } = await discovery.world.execute(
    'discovery',
    '{ fr: geocodeLocation(input: { text: "Paris, France" }) { confidence location { countryCode } } us: geocodeLocation(input: { text: "Paris, US" }) { location { countryCode } } none: geocodeLocation(input: { text: "xyzzyqqw" }) { confidence } }',
  );
  expect(data.fr[0]).toEqual({ confidence: 1, location: { countryCode: 'FR' } });
  expect(data.us[0].location.countryCode).toBe('US');
  expect(data.none).toEqual([]);
});

test('an airport knows its city, and the city its airports', async () => {
  const { data } = await discovery.world.execute(
    'discovery',
    'query ($yul: ID!, $montreal: ID!, $unknown: ID!) { airport: location(id: $yul) { iata timeZone countryName city { id } airports { id } } city: location(id: $montreal) { kind city { id } airports { iata } } none: location(id: $unknown) { id } }',
    { yul, montreal, unknown: newId() },
  );
  expect(data.airport).toEqual({
    iata: 'YUL',
    timeZone: 'America/Toronto',
    countryName: 'Canada',
    city: { id: montreal },
    airports: [],
  });
  expect(data.city.airports).toContainEqual({ iata: 'YUL' });
  expect(data.city).toMatchObject({ kind: 'CITY', city: null });
  expect(data.none).toBeNull();
});

test('fifty places cost as many queries as one', async () => {
  const found = (await search('a', { first: 50 })) as unknown as { id: string }[];
  const fetch = (ids: readonly string[]) =>
    discovery.world.countQueries(() =>
      discovery.world.entities(
        'discovery',
        ids.map((id) => ({ __typename: 'Location', id })),
        '{ ... on Location { name city { name } airports { iata } } }',
      ),
    );
  const one = await fetch([cdg]);
  expect(found).toHaveLength(50);
  expect(await fetch([cdg, ...found.map(({ id }) => id)])).toBe(one);
  expect(one).toBeGreaterThan(0);
});

test('others ask for places by id, and unknown ids are left out', async () => {
  const places = await discovery.world
    .ask(DiscoveryContract)
    .locations({ locationIds: [cdg, paris, newId()] });
  expect(places.map(({ locationId }) => locationId).sort()).toEqual([cdg, paris].sort());
  expect(places.find(({ iata }) => iata === 'CDG')).toMatchObject({
    customsTerritory: 'EU',
    timeZone: 'Europe/Paris',
  });
});

test('the gazetteer is loaded once per version, and every time zone in it is one', async () => {
  const url = discovery.world.shared.databaseUrl;
  const lines: string[] = [];
  await seed(url, (line) => lines.push(line));
  expect(lines).toEqual([]);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  const zones = await client.query<{ zone: string }>(
    'select distinct time_zone as zone from discovery.locations',
  );
  const orphans = await client.query(
    'select 1 from discovery.locations a where city_id is not null and not exists (select from discovery.locations c where c.id = a.city_id)',
  );
  await client.end();
  for (const { zone } of zones.rows)
    expect(() => new Intl.DateTimeFormat('en', { timeZone: zone })).not.toThrow();
  expect(zones.rows.length).toBeGreaterThan(300);
  expect(orphans.rows).toEqual([]);
});

test.each([
  ['FR', '11', undefined, 'EU'],
  ['GB', 'ENG', undefined, 'GB'],
  ['GB', 'NIR', undefined, 'GB-NIR'],
  ['ES', '29', undefined, 'EU'],
  ['ES', '53', undefined, 'ES-CN'],
  ['AX', '211', undefined, 'AX'],
  ['MC', '', undefined, 'EU'],
  ['CH', '', undefined, 'CH'],
  ['LI', '11', undefined, 'CH'],
  ['DE', '01', 2940715, 'CH'],
  ['DE', '01', undefined, 'EU'],
  ['RE', '', undefined, 'RE'],
])('goods in %s %s (%p) are in the territory %4$s', (country, region, geonamesId, territory) => {
  expect(customsTerritory(country, region, geonamesId)).toBe(territory);
});

test('names are compared without case, accents and punctuation, in any script', () => {
  expect(normaliseName(" Saint-Jean-sur-L'Île! ")).toBe('saint jean sur lile');
  expect(normaliseName('ŁÓDŹ')).toBe('lodz');
  expect(normaliseName('서울')).toBe('서울');
  expect(editDistance('lodnon', 'london')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});
