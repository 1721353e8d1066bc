import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { testingConfig } from './testing.config.ts';

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** As the role that services have. */
  readonly url: string;
  /** As the role that no rule of the database holds, to prove what is found when somebody breaks one. */
  readonly superuserUrl: string;
}

/**
 * A database of the test's own, a clone of the migrated template: `await using database = await testDatabase()`.
 * It is dropped at the end, whoever is still connected.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const { serverUrl, superuserUrl, template, run } = testingConfig();
  const name = `baton_test_${run}_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${name} template ${template}`);
  return {
    name,
    url: databaseOn(serverUrl, name),
    superuserUrl: databaseOn(superuserUrl, name),
    // As superuser: autovacuum may be at work in it, and only a superuser may end that.
    [Symbol.asyncDispose]: () => onServer(superuserUrl, `drop database if exists ${name} with (force)`),
  };
}

function databaseOn(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Patient: with two workers on a busy machine a clone may take longer than a service may wait for a statement. */
async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('set lock_timeout = 0; set statement_timeout = 0');
    await client.query(statement);
  } finally {
    await client.end();
  }
}
