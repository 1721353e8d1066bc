import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

export interface TestServer {
  /** Any database of the server, as the role that services have: clones are made and used through it. */
  readonly url: string;
  /** The same server, as the role that no rule of a database holds; the service role's where there is no other. */
  readonly superuserUrl: string;
  /** A database of the server, as the role that migrates: it may wait long. */
  migrationUrl(database?: string): string;
}

export interface TestRun extends AsyncDisposable {
  readonly name: string;
  readonly template: string;
}

/** Everything the migrated template depends on, besides the versions in the lock file. */
const sources = [
  {
    folder: 'subgraphs',
    pattern: /(^|\/)(migrations|seeds?|data)\/|\/[^/]*seed[^/]*\.[a-z]+$|^migrate\.ts$/,
  },
  { folder: 'shared/runtime', pattern: /(?<!\.test)\.ts$/ },
];

/**
 * Registers a test run on the server and makes sure of its migrated template, shared by every run of the same sources.
 * A run, and its use of a template, is a session that holds advisory locks: they end with the process, however it ends,
 * and so the next run knows which databases nobody wants any more.
 */
export async function openTestRun(
  server: TestServer,
  root: string,
  say: (line: string) => void,
): Promise<TestRun> {
  const session = new pg.Client({
    connectionString: server.migrationUrl(),
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  session.on('error', (error) => say(`The test run lost its database session: ${error.message}`));
  await session.connect();
  const name = randomBytes(4).toString('hex');
  const template = `baton_template_${await contentHash(root)}`;
  const run = `baton_test_${name}`;
  try {
    await session.query('select pg_advisory_lock_shared($1), pg_advisory_lock_shared($2)', [
      keyOf(run),
      keyOf(template),
    ]);
    await ensureTemplate(session, server, template, root, say);
    await dropAbandoned(session, [run, template]);
  } catch (error) {
    await session.end();
    throw error;
  }
  return {
    name,
    template,
    async [Symbol.asyncDispose]() {
      await dropAbandoned(session, [template]);
      await session.end();
    },
  };
}

/** The advisory lock that stands for a name; 48 bits, because JavaScript's numbers are exact no further. */
function keyOf(name: string): number {
  return createHash('sha256').update(name).digest().readUIntBE(0, 6);
}

async function contentHash(root: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(root, 'package-lock.json')));
  for (const { folder, pattern } of sources) {
    const paths = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    const files = paths
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(root, folder).length + 1))
      .filter((path) => pattern.test(path))
      .sort();
    for (const file of files) hash.update(`\0${file}\0`).update(await readFile(join(root, folder, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Built under an exclusive lock; `is_template` is set last, so a template that is there is a whole one. */
async function ensureTemplate(
  session: pg.Client,
  server: TestServer,
  template: string,
  root: string,
  say: (line: string) => void,
): Promise<void> {
  await session.query('select pg_advisory_lock($1)', [keyOf('baton_template')]);
  try {
    const { rows } = await session.query<{ whole: boolean }>(
      'select datistemplate as whole from pg_database where datname = $1',
      [template],
    );
    if (rows[0]?.whole) return;
    const startedAt = performance.now();
    if (rows[0]) await session.query(`drop database ${template} with (force)`);
    await session.query(`create database ${template} template template0 encoding 'UTF8'`);
    await migrate(server.migrationUrl(template), root);
    await session.query(`alter database ${template} with is_template true allow_connections false`);
    say(`Template database migrated in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  } finally {
    await session.query('select pg_advisory_unlock($1)', [keyOf('baton_template')]);
  }
}

async function migrate(url: string, root: string): Promise<void> {
  const file = join(root, 'subgraphs/migrate.ts');
  if (!existsSync(file)) return;
  const { migrateAll }: { migrateAll(url: string): Promise<void> } = await import(pathToFileURL(file).href);
  await migrateAll(url);
}

/** Drops the databases of ended runs and the templates of sources that no run uses, but for those `kept`. */
async function dropAbandoned(session: pg.Client, kept: readonly string[]): Promise<void> {
  const { rows } = await session.query<{ name: string; template: boolean }>(
    "select datname as name, datistemplate as template from pg_database where datname ~ '^baton_(test|template)_[0-9a-f]+'",
  );
  for (const { name, template } of rows) {
    const owner = /^baton_(test|template)_[0-9a-f]+/.exec(name)?.[0] ?? name;
    if (kept.includes(owner) || !(await tryLock(session, owner))) continue;
    try {
      if (template) await session.query(`alter database ${name} with is_template false`);
      await session.query(`drop database if exists ${name} with (force)`);
    } catch (error) {
      // Autovacuum of the superuser is at work in it: the next run drops it.
      if ((error as { code?: string }).code !== '42501') throw error;
    } finally {
      await session.query('select pg_advisory_unlock($1)', [keyOf(owner)]);
    }
  }
}

async function tryLock(session: pg.Client, name: string): Promise<boolean> {
  const { rows } = await session.query<{ free: boolean }>('select pg_try_advisory_lock($1) as free', [
    keyOf(name),
  ]);
  return rows[0]?.free ?? false;
}
