/**
 * Brings a database up to date: runtime tables, each subgraph's migrations, seed data, the durable engine's tables.
 *
 *   node subgraphs/migrate.ts                        migrates DATABASE_URL
 *   node subgraphs/migrate.ts --create payments      writes the migration that the entities ask for
 *   node subgraphs/migrate.ts --check                fails where entities and migrations differ
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { newId } from '#shared/kernel/ids.ts';
import { MINUTE } from '#shared/kernel/time.ts';
import { migrateDurable } from '#shared/runtime/durable/migrate.ts';
import { startPostgres } from '#shared/runtime/postgres/postgres.ts';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { migrateRuntimeTables } from '#shared/runtime/runtime-tables.ts';
import { folderOf, openDatabase } from '#shared/runtime/subgraph.ts';
import { readProcessConfig } from './process.config.ts';
import { loadSubgraphs, type RegisteredSubgraph } from './registry.ts';

type Progress = (line: string) => void;

/** Idempotent, and safe when several processes begin at once: one works, the others wait for it. */
export async function migrateAll(url: string, onProgress: Progress = () => {}): Promise<void> {
  const registered = await loadSubgraphs();
  await alone(url, async (client) => {
    await migrateSchemas(client, url, registered);
    await migrateDurable(url);
    for (const { definition } of registered) {
      const seed = join(folderOf(definition), `${definition.name}.seed.ts`);
      if (!existsSync(seed)) continue;
      const { default: load } = (await import(seed)) as {
        default: (url: string, onProgress: Progress) => Promise<void>;
      };
      await load(url, onProgress);
    }
  });
}

/** Runs `work` while no other process migrates this database; waits up to two minutes for one that does. */
async function alone(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, keepAlive: true });
  client.on('error', (error) => console.error(`The session that migrates was lost: ${error.message}`));
  await client.connect();
  try {
    // Not pg_advisory_lock: a session waiting inside it would block another's `create index concurrently`.
    for (let leftMs = 2 * MINUTE; ; leftMs -= 100) {
      const { rows } = await client.query(`select pg_try_advisory_lock(hashtext('baton.migrate')) as mine`);
      if (rows[0].mine) break;
      if (leftMs <= 0) throw new Error('another process has been migrating this database for two minutes');
      await sleep(100);
    }
    await work(client);
  } finally {
    await client.end();
  }
}

async function migrateSchemas(
  client: pg.Client,
  url: string,
  registered: readonly RegisteredSubgraph[],
): Promise<void> {
  const ledgers = new Map(registered.map(({ definition }) => [definition.name, definition.ledger ?? false]));
  for (const { name } of listSubgraphs())
    await migrateRuntimeTables(client, name, ledgers.get(name) ?? false);
  for (const { definition } of registered) {
    if (!existsSync(join(folderOf(definition), 'migrations'))) continue;
    await using db = await openDatabase(definition, url);
    await db.orm.migrator.up();
  }
}

/** Runs `work` on an empty database of the embedded server, with all migrations but no seeds. */
async function onScratchDatabase(work: (url: string) => Promise<void>): Promise<void> {
  await using server = await startPostgres({
    dataDir: join(projectRoot, '.data/test-postgres'),
    onProgress: console.log,
  });
  const name = `baton_scratch_${newId().replaceAll('-', '')}`;
  await server.ensureDatabase(name);
  try {
    const url = server.migrationUrl(name);
    const registered = await loadSubgraphs();
    await alone(url, (client) => migrateSchemas(client, url, registered));
    await work(url);
  } finally {
    await server.dropDatabase(name);
  }
}

async function create(url: string, name: string): Promise<void> {
  const [registered] = await loadSubgraphs([name]);
  await using db = await openDatabase(registered!.definition, url);
  const { fileName } = await db.orm.migrator.create();
  console.log(fileName ? `Wrote ${fileName}: read it, name it.` : 'The entities ask for nothing new.');
}

async function check(url: string): Promise<void> {
  for (const { definition } of await loadSubgraphs()) {
    await using db = await openDatabase(definition, url);
    if (!(await db.orm.migrator.checkSchema())) continue;
    console.error(
      `Entities and migrations differ in ${definition.name}: node subgraphs/migrate.ts --create ${definition.name}`,
    );
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  const [action, name] = process.argv.slice(2);
  if (action === '--create' && name) await onScratchDatabase((url) => create(url, name));
  else if (action === '--check') await onScratchDatabase(check);
  else await migrateAll(readProcessConfig().DATABASE_URL, console.log);
}
