/**
 * Puts the gazetteer into the database: once per version, whole or not at all, one process at a time.
 * A place that a newer version no longer lists stays known, since trips and shipments refer to it; it is only
 * not found any more.
 */
import type { Client } from 'pg';
import { type GazetteerRow, readGazetteer } from './gazetteer-source.ts';

const BATCH = 4_000;

export interface GazetteerLoad {
  readonly version: number;
  readonly places: number;
  /** False where this version was there already. */
  readonly loaded: boolean;
}

/**
 * @param client connected as the role that migrates
 * @param version raised with every change of the packages' data or of the rules by which rows are made
 */
export async function loadGazetteer(
  client: Client,
  version: number,
  { onProgress = () => {} }: { onProgress?: ((line: string) => void) | undefined } = {},
): Promise<GazetteerLoad> {
  const known = await loadedPlaces(client, version);
  if (known !== null) return { version, places: known, loaded: false };
  onProgress('Reading the gazetteer: cities and airports of the world');
  const startedAt = performance.now();
  const rows = await readGazetteer();
  await client.query('begin');
  try {
    await client.query(`select pg_advisory_xact_lock(hashtext('baton.gazetteer'))`);
    const meanwhile = await loadedPlaces(client, version);
    if (meanwhile === null) await write(client, version, rows, onProgress);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
  await client.query('analyze discovery.locations, discovery.location_names');
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  onProgress(`Gazetteer: ${rows.length} places in ${seconds} s`);
  return { version, places: rows.length, loaded: true };
}

async function loadedPlaces(client: Client, version: number): Promise<number | null> {
  const { rows } = await client.query<{ places: number }>(
    'select places from discovery.gazetteer_loads where version >= $1 order by version desc limit 1',
    [version],
  );
  return rows[0]?.places ?? null;
}

async function write(
  client: Client,
  version: number,
  rows: readonly GazetteerRow[],
  onProgress: (line: string) => void,
): Promise<void> {
  await client.query('update discovery.locations set listed = false');
  await client.query('truncate discovery.location_names');
  // Built once at the end, the index of trigrams takes half the time.
  const index = await client.query<{ definition: string }>(
    `select pg_get_indexdef('discovery.location_names_trigrams'::regclass) as definition`,
  );
  await client.query('drop index discovery.location_names_trigrams');
  let written = 0;
  let announcedAt = performance.now();
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH);
    await writeLocations(client, batch);
    await writeNames(client, batch);
    written += batch.length;
    if (performance.now() - announcedAt < 1_000) continue;
    announcedAt = performance.now();
    onProgress(`Gazetteer: ${written} of ${rows.length} places`);
  }
  await client.query(index.rows[0]!.definition);
  await client.query('insert into discovery.gazetteer_loads (version, places) values ($1, $2)', [
    version,
    rows.length,
  ]);
}

async function writeLocations(client: Client, rows: readonly GazetteerRow[]): Promise<void> {
  await client.query(
    `insert into discovery.locations
       (id, kind, name, ascii_name, iata, city_id, country_code, customs_territory, time_zone, latitude, longitude, population, listed)
     select *, true from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[],
       $8::text[], $9::text[], $10::float8[], $11::float8[], $12::int[])
     on conflict (id) do update set
       kind = excluded.kind, name = excluded.name, ascii_name = excluded.ascii_name, iata = excluded.iata,
       city_id = excluded.city_id, country_code = excluded.country_code,
       customs_territory = excluded.customs_territory, time_zone = excluded.time_zone,
       latitude = excluded.latitude, longitude = excluded.longitude, population = excluded.population, listed = true`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.kind),
      rows.map((row) => row.name),
      rows.map((row) => row.asciiName),
      rows.map((row) => row.iata),
      rows.map((row) => row.cityId),
      rows.map((row) => row.countryCode),
      rows.map((row) => row.customsTerritory),
      rows.map((row) => row.timeZone),
      rows.map((row) => row.latitude),
      rows.map((row) => row.longitude),
      rows.map((row) => row.population),
    ],
  );
}

async function writeNames(client: Client, rows: readonly GazetteerRow[]): Promise<void> {
  const names = rows.flatMap((row) => row.names.map((name) => ({ name, row })));
  await client.query(
    `insert into discovery.location_names (name, location_id, kind, weight)
     select * from unnest($1::text[], $2::uuid[], $3::text[], $4::int[])`,
    [
      names.map(({ name }) => name),
      names.map(({ row }) => row.id),
      names.map(({ row }) => row.kind),
      names.map(({ row }) => row.weight),
    ],
  );
}
