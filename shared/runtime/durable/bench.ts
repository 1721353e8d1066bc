/**
 * How fast four-step sagas that do nothing are, beside plain transactions on the same database at the same
 * time of day: the ratio says more than either figure, since machines differ.
 * Without a database url it starts a PostgreSQL of its own.
 *   node shared/tooling/run.mjs shared/runtime/durable/bench.ts [sagas] [clients] [database url]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { z } from 'zod';
import { newId } from '../../kernel/ids.ts';
import { Database } from '../database.ts';
import { defineSaga } from '../durable.ts';
import { startPostgres } from '../postgres/postgres.ts';
import { openDbos } from './dbos.ts';

const [sagas = '2000', clients = '20', givenUrl] = process.argv.slice(2);
const total = Number(sagas);
const schema = `bench_${newId().replaceAll('-', '').slice(-12)}`;

let ended = 0;
const idle = defineSaga({
  name: `${schema}.idle`,
  input: z.object({}),
  async run(saga) {
    for (const step of ['reserve', 'pay', 'hold', 'confirm']) await saga.step(step, async () => {});
    ended += 1;
  },
});

await using server = givenUrl ? undefined : await ownServer();
const databaseUrl = givenUrl ?? server!.url;
const admin = new pg.Client({ connectionString: databaseUrl });
admin.on('error', (error) => console.error(error.message));
await admin.connect();
await admin.query(
  `create schema ${schema}; create table ${schema}.rows (id uuid primary key, amount integer)`,
);
try {
  await using database = await Database.open({
    url: databaseUrl,
    schema,
    entities: [],
    migrations: tmpdir(),
    poolSize: Number(clients),
  });
  await using durable = await openDbos({
    databaseUrl,
    schema: `${schema}_dbos`,
    executorId: 'bench',
    logger: pino({ level: 'warn' }),
  });
  durable.register(schema, { sagas: [idle] });
  await durable.start();

  const transactionsPerSecond = await rate(() =>
    inParallel(() =>
      database.transaction(async (tx) => {
        const id = newId();
        await tx.sql('insert into rows values (?::uuid, 1)', [id]);
        await tx.sql('update rows set amount = amount + 1 where id = ?::uuid', [id]);
      }),
    ),
  );
  const sagasPerSecond = await rate(async () => {
    await inParallel(() => database.transaction((tx) => durable.startSaga(tx, idle, newId(), {})));
    while (ended < total) await sleep(5);
  });
  console.log(
    `${transactionsPerSecond.toFixed(0)} transactions/s of one insert and one update, ` +
      `${sagasPerSecond.toFixed(1)} sagas/s of four steps (${(sagasPerSecond * 4).toFixed(0)} steps/s): ` +
      `one saga costs ${(transactionsPerSecond / sagasPerSecond).toFixed(1)} transactions`,
  );
} finally {
  try {
    await admin.query(`drop schema ${schema} cascade; drop schema if exists ${schema}_dbos cascade`);
  } finally {
    await admin.end();
  }
}

async function rate(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (total / (performance.now() - began)) * 1_000;
}

async function inParallel(work: () => Promise<void>): Promise<void> {
  let left = total;
  await Promise.all(
    Array.from({ length: Number(clients) }, async () => {
      while (left-- > 0) await work();
    }),
  );
}

async function ownServer(): Promise<{ url: string } & AsyncDisposable> {
  const dataDir = await mkdtemp(join(tmpdir(), 'baton-bench-'));
  const postgres = await startPostgres({ dataDir });
  await postgres.ensureDatabase('bench');
  return {
    url: postgres.url('bench'),
    [Symbol.asyncDispose]: async () => {
      await postgres[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
