/** A ledger in a schema of the test's own, and a plain connection beside it for whoever bypasses the ledger. */
import pg from 'pg';
import { type TestDatabase, testDatabase } from '../../testing/postgres.ts';
import { Database } from '../database.ts';
import { migrateRuntimeTables } from '../runtime-tables.ts';
import { type EntryDraft, Ledger } from './ledger.ts';

export interface LedgerUnderTest extends AsyncDisposable {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly sql: pg.Client;
  readonly databaseName: string;
  readonly schema: string;
  /** For whoever no trigger and no foreign key holds. */
  readonly superuserUrl: string;
}

let schemas = 0;

/** In a new schema of `database`, or in a database of its own that goes with it. */
export async function openLedger(
  options: { poolSize?: number; database?: TestDatabase } = {},
): Promise<LedgerUnderTest> {
  await using opening = new AsyncDisposableStack();
  const database = options.database ?? opening.use(await testDatabase());
  schemas += 1;
  const schema = `ledger_${schemas}`;
  const sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  opening.defer(() => sql.end());
  // These tests are about what is written, not about what a power cut leaves of it.
  await sql.query(`alter database ${database.name} set synchronous_commit = off`);
  await migrateRuntimeTables(sql, schema, true);
  const db = opening.use(
    await Database.open({
      url: database.url,
      schema,
      entities: [],
      migrations: '.',
      poolSize: options.poolSize,
    }),
  );
  const opened = opening.move();
  return {
    db,
    ledger: new Ledger(db),
    sql,
    databaseName: database.name,
    schema,
    superuserUrl: database.superuserUrl,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** `move('a', 'b', 5n)`: debits a, credits b. */
export const move = (debit: string, credit: string, amount: bigint): EntryDraft[] => [
  { account: debit, side: 'debit', amount },
  { account: credit, side: 'credit', amount },
];

let journals = 0;

/** A journal with a key, a reason and a cause of its own. */
export const journal = (...entries: readonly (readonly EntryDraft[])[]) => {
  journals += 1;
  return { key: `test-${journals}`, reason: 'test', cause: { test: journals }, entries: entries.flat() };
};

export const HOLD_UNTIL = new Date('2030-01-01T00:00:00Z');
