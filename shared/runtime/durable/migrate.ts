/** Brings the tables of the durable engine up to date. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DLogger } from '@dbos-inc/dbos-sdk';
import { ensureSystemDatabase } from '@dbos-inc/dbos-sdk/internal/system_database';
import { GlobalLogger } from '@dbos-inc/dbos-sdk/internal/telemetry/logs';
import pg from 'pg';
import { MINUTE } from '../../kernel/time.ts';

export const defaultSchema = 'dbos';

const silent: DLogger = { info() {}, debug() {}, warn() {}, error() {} };

/**
 * Creates or updates the engine's tables in their own schema. Safe when many processes start at once: one
 * migrates, the others wait up to two minutes for it.
 */
export async function migrateDurable(
  databaseUrl: string,
  schema = defaultSchema,
  logger = silent,
): Promise<void> {
  // Indexes built beside a running platform wait for its transactions longer than a service may.
  const patientUrl = withSettings(databaseUrl, '-c lock_timeout=60s', '-c statement_timeout=0');
  const client = new pg.Client({
    connectionString: patientUrl,
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
    application_name: 'baton durable migration',
  });
  client.on('error', (error) => logger.warn(`lost the connection that migrates: ${error.message}`));
  await client.connect();
  try {
    await lock(client, `baton durable ${schema}`);
    await ensureSystemDatabase(
      databaseUrl,
      new GlobalLogger(undefined, { logger }),
      undefined,
      schema,
      false,
    );
    await client.query(
      `create table if not exists "${schema}".executors (
         executor_id text primary key,
         seen_at timestamptz not null
       )`,
    );
  } finally {
    await client.end();
  }
}

/** Asks again and again: a session that waits inside `pg_advisory_lock` blocks `create index concurrently`. */
async function lock(client: pg.Client, name: string): Promise<void> {
  for (let leftMs = 2 * MINUTE; leftMs > 0; leftMs -= 100) {
    const { rows } = await client.query<{ locked: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
      [name],
    );
    if (rows[0]?.locked) return;
    await sleep(100);
  }
  throw new Error(`another process has been migrating the durable engine's tables for two minutes`);
}

/** The same database, with settings of its sessions such as `-c lock_timeout=60s` beside those the url has. */
export function withSettings(databaseUrl: string, ...settings: string[]): string {
  const url = new URL(databaseUrl);
  const present = url.searchParams.get('options');
  url.searchParams.delete('options');
  // `searchParams` would write a space as `+`, which PostgreSQL's clients take for a plus.
  const options = encodeURIComponent([...(present ? [present] : []), ...settings].join(' '));
  return `${url.href}${url.search === '' ? '?' : '&'}options=${options}`;
}
