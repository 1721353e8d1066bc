import { tmpdir } from 'node:os';
import pg from 'pg';
import { z } from 'zod';
import { Conflict } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { after as timeAfter } from '../kernel/time.ts';
import { Database } from '../runtime/database.ts';
import { defineJob, defineSaga } from '../runtime/durable.ts';
import { ManualClock } from './clock.ts';
import { DeterministicDurable, type DeterministicOptions } from './durable.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';

let postgres: TestDatabase;
let database: Database;

beforeAll(async () => {
  postgres = await testDatabase();
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('create schema suite');
  await client.end();
  database = await Database.open({ url: postgres.url, schema: 'suite', entities: [], migrations: tmpdir() });
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** Five journeys at once, one in three refused; `history` is the order of all effects, `tries` counts each. */
async function simulate(options: Omit<DeterministicOptions, 'clock'>) {
  const clock = new ManualClock();
  const durable = new DeterministicDurable({ ...options, clock });
  const tries = new Map<string, number>();
  const history: string[] = [];
  const act = async (key: string): Promise<void> => {
    tries.set(key, (tries.get(key) ?? 0) + 1);
    if (tries.get(key) === 1) history.push(key);
  };
  const journey = defineSaga({
    name: 'suite.journey',
    input: z.object({ refuse: z.boolean() }),
    async run(saga, { refuse }) {
      await saga.step('hold', () => act(saga.key('hold')), { undo: () => act(saga.key('undo hold')) });
      const began = await saga.now('begin');
      await saga.waitFor(
        'answer',
        async () => (clock.now() >= timeAfter(began, 60_000) ? { yes: true } : null),
        timeAfter(began, 3_600_000),
      );
      await saga.step('charge', () => act(saga.key('charge')), { undo: () => act(saga.key('undo charge')) });
      await saga.step('confirm', async () => {
        if (refuse) throw new Conflict('TRIP_FULL', 'no room left');
        await act(saga.key('confirm'));
      });
    },
  });
  durable.register('suite', { sagas: [journey] });
  await durable.start();
  for (let saga = 0; saga < 5; saga += 1) {
    await database.transaction((tx) =>
      durable.startSaga(tx, journey, String(saga), { refuse: saga % 3 === 0 }),
    );
  }
  await durable.passTime('2h');
  const effectsOf = (saga: number): string[] =>
    history.filter((key) => key.includes(`/${saga}:`)).map((key) => key.split(':')[1]!);
  return { durable, tries, history, effectsOf, crashes: durable.crashCount };
}

const forward = ['hold', 'charge', 'confirm'];
const refused = ['hold', 'charge', 'undo charge', 'undo hold'];

test('sagas that crash anywhere end as those that never do', async () => {
  let crashes = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const run = await simulate({ seed, crashes: 0.2 });
    crashes += run.crashes;
    for (let saga = 0; saga < 5; saga += 1) {
      const expected = saga % 3 === 0 ? refused : forward;
      expect({ seed, saga, effects: run.effectsOf(saga) }).toEqual({ seed, saga, effects: expected });
    }
    expect(new Set(run.durable.all().map(({ state }) => state))).toEqual(new Set(['done', 'refused']));
  }
  expect(crashes).toBeGreaterThan(500);
});

test('one seed tells one story, another seed another', async () => {
  const first = await simulate({ seed: 7, crashes: 0.2 });
  const again = await simulate({ seed: 7, crashes: 0.2 });
  const other = await simulate({ seed: 8, crashes: 0.2 });
  expect(again.history).toEqual(first.history);
  expect(other.history).not.toEqual(first.history);
});

test('a crash after the effect repeats it, a crash before it or once it is remembered does not', async () => {
  const calls: Record<string, number> = {};
  for (const phase of ['before', 'effect done', 'remembered'] as const) {
    let crashed = false;
    const { tries } = await simulate({
      crashes: (point) => {
        if (crashed || point.sagaId !== '1' || point.step !== 'charge' || point.phase !== phase) return false;
        crashed = true;
        return true;
      },
    });
    expect(crashed).toBe(true);
    calls[phase] = tries.get('suite.journey/1:charge')!;
  }
  expect(calls).toEqual({ before: 1, 'effect done': 2, remembered: 1 });
});

test('a saga that awaits something outside its steps is found out', async () => {
  const durable = new DeterministicDurable({ clock: new ManualClock() });
  const careless = defineSaga({
    name: 'suite.careless',
    input: z.object({}),
    run: () => new Promise((resolve) => setTimeout(resolve, 1_000)),
  });
  durable.register('suite', { sagas: [careless] });
  await durable.start();
  await database.transaction((tx) => durable.startSaga(tx, careless, newId(), {}));
  await expect(durable.settle()).rejects.toThrow('outside its steps');
});

test('time passes from due to due, so that each job sees the time it was planned for', async () => {
  const clock = new ManualClock('2026-03-02T09:00:00Z');
  const durable = new DeterministicDurable({ clock });
  const seen: string[] = [];
  const chore = defineJob({
    name: 'suite.chore',
    payload: z.object({}),
    run: async () => {
      seen.push(clock.now().toISOString());
    },
  });
  durable.register('suite', { jobs: [chore] });
  await durable.start();
  for (const hours of [30, 5]) {
    const runAt = timeAfter(clock.now(), hours * 3_600_000);
    await database.transaction((tx) => durable.schedule(tx, chore, { id: `in ${hours} h`, runAt }, {}));
  }
  await durable.settle();
  expect(seen).toEqual([]);
  expect(durable.nextDueAt()).toEqual(new Date('2026-03-02T14:00:00Z'));
  await durable.passTime('2d');
  expect(seen).toEqual(['2026-03-02T14:00:00.000Z', '2026-03-03T15:00:00.000Z']);
  expect(clock.now()).toEqual(new Date('2026-03-04T09:00:00Z'));
  expect(durable.nextDueAt()).toBeNull();
});
