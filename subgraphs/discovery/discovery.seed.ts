import pg from 'pg';
import { loadGazetteer } from './location/gazetteer.ts';

/** Raised with every change of the gazetteer's packages or of the rules by which its rows are made. */
const GAZETTEER_VERSION = 2;

/** What the subgraph cannot work without: the gazetteer. Does nothing where it is there. */
export default async function seed(databaseUrl: string, onProgress?: (line: string) => void): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await loadGazetteer(client, GAZETTEER_VERSION, { onProgress });
  } finally {
    await client.end();
  }
}
