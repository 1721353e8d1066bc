/** Real processes, really killed: what a saga does to the world happens once all the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { World } from '#shared/testing/durable-journey.ts';
import type { WorkerOrders } from '#shared/testing/durable-worker.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import { newId } from '../../kernel/ids.ts';
import type { StepEvent } from './engine.ts';
import { migrateDurable } from './migrate.ts';

let postgres: TestDatabase;
let world: World;

beforeEach(async () => {
  postgres = await testDatabase();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('create schema mortal');
  await client.end();
  world = new World(postgres.url);
  await world.make();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** Runs a worker to its end, of whatever kind. */
async function work(
  orders: Omit<WorkerOrders, 'databaseUrl'>,
): Promise<{ signal: string | null; said: string[] }> {
  const worker = spawn(
    process.execPath,
    ['shared/testing/durable-worker.ts', JSON.stringify({ ...orders, databaseUrl: postgres.url })],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [said, complaints, [code, signal]] = await Promise.all([
    text(worker.stdout),
    text(worker.stderr),
    once(worker, 'close') as Promise<[number | null, string | null]>,
  ]);
  if (code) throw new Error(`worker failed: ${complaints}`);
  return { signal, said: said.split('\n').filter((line) => line !== '') };
}

/** Death before a step and death once the former is remembered leave the same traces. */
const phases = ['effect done', 'remembered'] as const;
const forward = ['pick up', 'carry', 'hand over', 'settle'];
const backward = ['undo hand over', 'undo carry', 'undo pick up'];

/** What the world has seen of a journey, by step, in order. */
async function effectsOf(sagaId: string): Promise<string[]> {
  const effects = await world.effectsOf(sagaId);
  return effects.map(({ key }) => key.slice(key.indexOf(':') + 1));
}

test('a saga whose process is killed at any point of any step or undo has each effect once', async () => {
  const deaths: { dieAt: StepEvent; refuse: boolean }[] = [false, true].flatMap((refuse) =>
    (refuse ? backward : forward).flatMap((step) =>
      phases.map((phase) => ({ refuse, dieAt: { saga: 'mortal.journey', sagaId: newId(), step, phase } })),
    ),
  );
  for (const { dieAt, refuse } of deaths) {
    const { signal } = await work({ executorId: 'mortal-1', start: { id: dieAt.sagaId, refuse }, dieAt });
    expect(signal).toBe('SIGKILL');
  }
  const { said } = await work({ executorId: 'mortal-1', awaitIds: deaths.map(({ dieAt }) => dieAt.sagaId) });
  expect(said).toEqual(deaths.map(({ dieAt, refuse }) => `${dieAt.sagaId} ${refuse ? 'refused' : 'done'}`));
  for (const { dieAt, refuse } of deaths) {
    expect(await effectsOf(dieAt.sagaId)).toEqual(refuse ? [...forward.slice(0, 3), ...backward] : forward);
  }
}, 120_000);

test('a saga whose process never returns is taken over by another', async () => {
  const sagaId = newId();
  const dieAt = { saga: 'mortal.journey', sagaId, step: 'carry', phase: 'effect done' } as const;
  const died = await work({ executorId: 'first', start: { id: sagaId, refuse: false }, dieAt });
  expect(died.signal).toBe('SIGKILL');
  const { said } = await work({ executorId: 'second', awaitIds: [sagaId] });
  expect(said).toEqual([`${sagaId} done`]);
  expect(await effectsOf(sagaId)).toEqual(forward);
});

test('processes that start at once migrate one after the other', async () => {
  await Promise.all(Array.from({ length: 4 }, () => migrateDurable(postgres.url, 'fresh')));
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select (select count(*)::int from fresh.executors) as executors,
              (select count(*)::int from fresh.dbos_migrations) as versions,
              to_regproc('fresh.enqueue_workflow') is not null as can_enqueue`,
    );
    expect(rows).toEqual([{ executors: 0, versions: 1, can_enqueue: true }]);
  } finally {
    await client.end();
  }
});
