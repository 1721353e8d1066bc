/**
 * The flows document's 88 API calls and 63 tables, and where each is served. A call is a field of the schema, a
 * contract or an event where the public must not write it, or is still to come with a service that is named.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import pg from 'pg';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { testDatabase } from '#shared/testing/postgres.ts';

interface Flows {
  calls: Record<string, { field?: string; contract?: string; event?: string; comesWith?: string }>;
  tables: Record<string, string>;
}

const flows = JSON.parse(readFileSync(`${projectRoot}schema/flows.json`, 'utf8')) as Flows;
const api = buildSchema(readFileSync(`${projectRoot}schema/api.graphql`, 'utf8'), { assumeValidSDL: true });
const services = new Set(
  listSubgraphs().flatMap(({ name }) =>
    readdirSync(`${projectRoot}subgraphs/${name}`, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    ),
  ),
);

test('all 88 calls and 63 tables of the flows document are accounted for', () => {
  expect(Object.keys(flows.calls)).toHaveLength(88);
  expect(Object.keys(flows.tables)).toHaveLength(63);
});

test.each(Object.entries(flows.calls))(
  '%s is served where the map says',
  async (_, { field, contract, event, comesWith }) => {
    if (field) {
      const [type = '', name = ''] = field.split('.');
      expect(
        Object.keys((api.getType(type) as { getFields(): object } | undefined)?.getFields() ?? {}),
      ).toContain(name);
    } else if (contract) {
      const [answerer = '', method = ''] = contract.split('.');
      const exported = Object.values(await import(`../shared/contracts/${answerer}.ts`)) as {
        methods?: object;
      }[];
      expect(exported.some(({ methods }) => methods && method in methods)).toBe(true);
    } else if (event) {
      const [publisher = '', name = ''] = event.split('.');
      expect(Object.keys(await import(`../shared/events/${publisher}.ts`))).toContain(name);
    } else {
      expect(comesWith).toBeDefined();
      // Not in a folder of services that already stands, unless that service says itself what it leaves out.
      expect(comesWith === 'notification' || !services.has(comesWith!)).toBe(true);
    }
  },
);

test('every table of a subgraph that stands exists in its schema, unless its service is still to come', async () => {
  const toCome = new Set([
    'kyc_verifications',
    'user_vehicles',
    'invoices',
    'invoice_lines',
    'conversations',
    'conversation_participants',
    'messages',
  ]);
  await using database = await testDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    `select table_schema || '.' || table_name as name from information_schema.tables`,
  );
  await client.end();
  const present = new Set(rows.map(({ name }) => name));
  const standing = new Set(listSubgraphs().map(({ name }) => name));
  const missing = Object.entries(flows.tables).filter(
    ([table, subgraph]) =>
      standing.has(subgraph) && !present.has(`${subgraph}.${table}`) && !toCome.has(table),
  );
  expect(missing).toEqual([]);
});
