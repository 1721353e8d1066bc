import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { newId } from '#shared/kernel/ids.ts';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import { migrateAll } from './migrate.ts';

let template: TestDatabase;
beforeAll(async () => {
  template = await testDatabase();
});
afterAll(() => template[Symbol.asyncDispose]());

async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** An empty database beside the template. */
async function emptyDatabase() {
  const name = `${template.name}_${newId().slice(-6)}`;
  await query(template.superuserUrl, `create database ${name} template template0`);
  const superuser = new URL(template.superuserUrl);
  superuser.pathname = `/${name}`;
  return {
    url: superuser.href,
    [Symbol.asyncDispose]: async () =>
      void (await query(template.superuserUrl, `drop database ${name} with (force)`)),
  };
}

const state = (url: string) =>
  query(
    url,
    `select table_schema, table_name, column_name, data_type from information_schema.columns
      where table_schema not in ('pg_catalog', 'information_schema') order by 1, 2, ordinal_position`,
  );

const migrateInProcess = (url: string) =>
  promisify(execFile)(process.execPath, ['subgraphs/migrate.ts'], {
    cwd: projectRoot,
    timeout: 60_000,
    env: {
      DATABASE_URL: url,
      MASTER_SECRET: Buffer.alloc(32, 1).toString('base64url'),
      INTERNAL_SECRETS: `k:${'s'.repeat(32)}`,
    },
  });

test('two processes that migrate an empty database at once make it whole, once', async () => {
  await using empty = await emptyDatabase();
  await Promise.all([migrateInProcess(empty.url), migrateInProcess(empty.url)]);
  expect(await state(empty.url)).toEqual(await state(template.url));
}, 90_000);

test('a second run changes nothing and is quick', async () => {
  const before = await state(template.url);
  const startedAt = performance.now();
  await migrateAll(template.url);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(await state(template.url)).toEqual(before);
});

test("every subgraph has the runtime's tables, also one without migrations of its own", async () => {
  const rows = await query<{ schema: string }>(
    template.url,
    `select table_schema as schema from information_schema.tables where table_name = 'outbox' order by 1`,
  );
  expect(rows.map(({ schema }) => schema)).toEqual(
    listSubgraphs()
      .map(({ name }) => name)
      .sort(),
  );
});
