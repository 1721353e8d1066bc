/** What tests of the runtime share: schemas of their own in one database, a log that can be read, waiting for facts. */
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Logger, pino } from 'pino';
import { type TestDatabase, testDatabase } from '../testing/postgres.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { migrateRuntimeTables } from './runtime-tables.ts';

let schemas = 0;

export interface Workbench extends AsyncDisposable {
  readonly database: TestDatabase;
  /** A connection beside those of the services. */
  readonly sql: pg.Client;
  /** A new schema with the runtime's tables, and a database on it; ends with the workbench. */
  schema(name: string, options?: Partial<DatabaseOptions>): Promise<Database>;
  /** Another database on a schema, as another process would open it. */
  reopen(db: Database, options?: Partial<DatabaseOptions>): Promise<Database>;
  /** One more plain connection. */
  connect(): Promise<pg.Client>;
}

export async function openWorkbench(): Promise<Workbench> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await testDatabase());
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: database.url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    opened.defer(() => client.end());
    return client;
  };
  const opened = opening.use(new AsyncDisposableStack());
  const open = async (schema: string, options: Partial<DatabaseOptions>): Promise<Database> =>
    opened.use(
      await Database.open({
        url: database.url,
        schema,
        entities: [],
        migrations: '.',
        poolSize: 4,
        ...options,
      }),
    );
  const sql = await connect();
  const stack = opening.move();
  return {
    database,
    sql,
    connect,
    async schema(name, options = {}) {
      schemas += 1;
      const schema = `${name}_${schemas}`;
      await migrateRuntimeTables(sql, schema, false);
      return open(schema, options);
    },
    reopen: ({ schema }, options = {}) => open(schema, options),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export interface ReadableLog {
  readonly logger: Logger;
  readonly said: Record<string, unknown>[];
}

export function readableLog(): ReadableLog {
  const said: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(line, _encoding, done) {
      said.push(JSON.parse(String(line)));
      done();
    },
  });
  return { logger: pino(sink), said };
}

/** Waits until `look` holds; gives up after ten seconds. */
export async function until(look: () => boolean | Promise<boolean>, what = 'it'): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about`);
    await sleep(5);
  }
}

/** Ends the backends that fit and waits until they are gone; says how many. */
export async function terminate(sql: pg.Client, where: string): Promise<number> {
  const { rows } = await sql.query<{ pid: number }>(
    `select pid, pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and ${where}`,
  );
  const pids = rows.map(({ pid }) => pid);
  const alive = 'select from pg_stat_activity where pid = any($1)';
  await until(async () => (await sql.query(alive, [pids])).rowCount === 0, 'the end of all backends');
  return pids.length;
}

/** The lines that a child process says, as they come. */
export async function* linesOf(child: { stdout: NodeJS.ReadableStream }): AsyncGenerator<string> {
  let rest = '';
  child.stdout.setEncoding('utf8');
  for await (const chunk of child.stdout) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

export const exited = (child: NodeJS.EventEmitter): Promise<unknown[]> => once(child, 'exit');
