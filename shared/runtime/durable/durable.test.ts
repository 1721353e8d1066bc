import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { z } from 'zod';
import { ManualClock } from '#shared/testing/clock.ts';
import { DeterministicDurable } from '#shared/testing/durable.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import { Conflict } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { type Clock, systemClock, after as timeAfter } from '../../kernel/time.ts';
import { Database } from '../database.ts';
import { type Durable, defineJob, defineSaga, type RunState, type Saga } from '../durable.ts';
import { PeerUnreachable } from '../transient.ts';
import { Wakeups } from '../wakeups.ts';
import { type DbosOptions, openDbos } from './dbos.ts';

/** Sagas and jobs must be known before the engine starts; each test writes its own into these by id. */
const stories = new Map<string, (saga: Saga, note: string) => Promise<void>>();
const chores = new Map<string, (note: string) => Promise<void>>();
const story = defineSaga({
  name: 'suite.story',
  input: z.object({ note: z.string() }),
  run: (saga, { note }) => stories.get(saga.id)!(saga, note),
});
const sequel = defineSaga({
  name: 'suite.sequel',
  input: z.object({ note: z.string() }),
  run: (saga, { note }) => stories.get(saga.id)!(saga, `sequel ${note}`),
});
const chore = defineJob({
  name: 'suite.chore',
  payload: z.object({ id: z.string(), note: z.string() }),
  run: ({ id, note }) => chores.get(id)!(note),
});

interface Adapter {
  readonly durable: Durable;
  readonly clock: Clock;
  /** Lets time pass until the condition holds; fails after fifteen seconds of it. */
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function deterministic(): Promise<Adapter> {
  const clock = new ManualClock();
  const durable = new DeterministicDurable({ clock });
  return {
    durable,
    clock,
    until: async (condition) => {
      for (let turn = 0; turn < 150; turn += 1) {
        await durable.settle();
        if (await condition()) return;
        await durable.passTime(100);
      }
      throw new Error('it did not come to pass');
    },
    [Symbol.asyncDispose]: () => durable[Symbol.asyncDispose](),
  };
}

async function dbos(databaseUrl: string, options: Partial<DbosOptions> = {}): Promise<Adapter> {
  const durable = await openDbos({
    databaseUrl,
    executorId: 'suite',
    queuePollMs: 100,
    logger: pino({ level: 'fatal' }),
    ...options,
  });
  return {
    durable,
    clock: systemClock,
    until: async (condition) => {
      for (const end = performance.now() + 15_000; performance.now() < end; ) {
        if (await condition()) return;
        await sleep(10);
      }
      throw new Error('it did not come to pass');
    },
    [Symbol.asyncDispose]: () => durable[Symbol.asyncDispose](),
  };
}

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

describe.each([
  ['in memory', deterministic],
  ['on DBOS', () => dbos(postgres.url)],
] as const)('%s', (_name, open) => {
  let adapter: Adapter;
  let durable: Durable;
  const log: string[] = [];

  beforeAll(async () => {
    adapter = await open();
    durable = adapter.durable;
    durable.register('suite', { sagas: [story, sequel], jobs: [chore] });
    await durable.start();
  });

  afterAll(() => adapter[Symbol.asyncDispose]());

  beforeEach(() => {
    log.length = 0;
  });

  async function tell(run: (saga: Saga, note: string) => Promise<void>, note = ''): Promise<string> {
    const id = newId();
    stories.set(id, run);
    await database.transaction((tx) => durable.startSaga(tx, story, id, { note }));
    return id;
  }

  const becomes = (id: string, state: RunState, definition: { name: string } = story): Promise<void> =>
    adapter.until(async () => (await durable.stateOf(definition, id)) === state);

  const does = (what: string) => async () => {
    log.push(what);
  };

  test('a step hands its result on as JSON', async () => {
    let seen: unknown;
    const id = await tell(async (saga) => {
      seen = await saga.step('look up', async () => ({
        at: new Date('2026-01-01T00:00:00Z'),
        gone: undefined,
      }));
    });
    await becomes(id, 'done');
    expect(seen).toEqual({ at: '2026-01-01T00:00:00.000Z' });
  });

  test('input arrives as it was sent, whatever characters it has', async () => {
    const note = `?'"\\ $1 :x {"a": 1} ü 🚚 \n`;
    const id = await tell(async (_saga, received) => {
      log.push(received);
    }, note);
    await becomes(id, 'done');
    expect(log).toEqual([note]);
  });

  test('a refusal takes back in reverse order what was done, and nothing else', async () => {
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), { undo: does('release') });
      await saga.step('look', does('look'));
      await saga.step('charge', does('charge'), { undo: does('refund') });
      await saga.step(
        'confirm',
        async () => {
          throw new Conflict('TRIP_FULL', 'no room left');
        },
        { undo: does('cancel') },
      );
      await saga.step('tell', does('tell'), { undo: does('untell') });
    });
    await becomes(id, 'refused');
    expect(log).toEqual(['hold', 'look', 'charge', 'refund', 'release']);
  });

  test('a saga that refuses outside its steps is taken back too, and may catch what a step refuses', async () => {
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), { undo: does('release') });
      await saga
        .step('prefer', async () => {
          throw new Conflict('TAKEN', 'taken');
        })
        .catch((error) => log.push(error.code));
      throw new Conflict('NOBODY_ACCEPTED', 'nobody did');
    });
    await becomes(id, 'refused');
    expect(log).toEqual(['hold', 'TAKEN', 'release']);
  });

  test('of two steps side by side, the one that happened is taken back when the other is refused', async () => {
    const id = await tell(async (saga) => {
      await Promise.all([
        saga.step('first leg', async () => {
          throw new Conflict('TRIP_FULL', 'no room left');
        }),
        saga.step('second leg', does('second leg'), { undo: does('release second leg') }),
      ]);
    });
    await becomes(id, 'refused');
    expect(log).toEqual(['second leg', 'release second leg']);
  });

  test('trouble of the infrastructure is tried again for as long as it lasts and never compensated', async () => {
    let failures = 0;
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), { undo: does('release') });
      await saga.step('charge', async () => {
        failures += 1;
        if (failures <= 6) throw new PeerUnreachable('payments');
        log.push('charge');
      });
    });
    await becomes(id, 'done');
    expect(failures).toBe(7);
    expect(log).toEqual(['hold', 'charge']);
  });

  test('the unforeseen is tried five times, then parked without compensation, and goes on from there', async () => {
    let broken = true;
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), { undo: does('release') });
      await saga.step('charge', async () => {
        log.push('charge');
        if (broken) throw new TypeError('x is not a function');
      });
    });
    await becomes(id, 'parked');
    expect(log).toEqual(['hold', 'charge', 'charge', 'charge', 'charge', 'charge']);
    broken = false;
    expect(await durable.resume(story, id)).toBe(true);
    await becomes(id, 'done');
    expect(log.slice(6)).toEqual(['charge']);
    expect(await durable.resume(story, id)).toBe(false);
  });

  test('a mistake in the saga itself parks it, and it goes on where it stopped', async () => {
    let broken = true;
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), { undo: does('release') });
      if (broken) throw new TypeError('x is not a function');
      await saga.step('charge', does('charge'));
    });
    await becomes(id, 'parked');
    broken = false;
    await durable.resume(story, id);
    await becomes(id, 'done');
    expect(log).toEqual(['hold', 'charge']);
  });

  test('an undo is tried until it works', async () => {
    let tries = 0;
    const id = await tell(async (saga) => {
      await saga.step('hold', does('hold'), {
        undo: async () => {
          tries += 1;
          if (tries < 6) throw new TypeError('x is not a function');
          log.push('release');
        },
      });
      throw new Conflict('NOBODY_ACCEPTED', 'nobody did');
    });
    await becomes(id, 'refused');
    expect(log).toEqual(['hold', 'release']);
  });

  test('a saga started in a transaction that rolls back was never started', async () => {
    const id = newId();
    stories.set(id, async () => {
      log.push('ran');
    });
    const work = database.transaction(async (tx) => {
      await durable.startSaga(tx, story, id, { note: '' });
      await durable.schedule(tx, chore, { id, runAt: adapter.clock.now() }, { id, note: '' });
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await durable.stateOf(story, id)).toBeNull();
    expect(await durable.stateOf(chore, id)).toBeNull();
  });

  test('the same id is the same saga: it runs once, with its first input', async () => {
    const id = await tell(async (saga, note) => {
      await saga.step('note', does(note));
    }, 'first');
    await database.transaction(async (tx) => {
      await durable.startSaga(tx, story, id, { note: 'second' });
      await durable.startSaga(tx, story, id, { note: 'third' });
    });
    await becomes(id, 'done');
    await database.transaction((tx) => durable.startSaga(tx, story, id, { note: 'fourth' }));
    expect(await durable.stateOf(story, id)).toBe('done');
    expect(log).toEqual(['first']);
  });

  test('sagas of two kinds may share an id, and have keys of their own', async () => {
    const id = await tell(async (saga, note) => {
      await saga.step('charge', does(`${note} ${saga.key('charge')}`));
    }, 'story');
    await database.transaction((tx) => durable.startSaga(tx, sequel, id, { note: 'story' }));
    await becomes(id, 'done');
    await becomes(id, 'done', sequel);
    expect(log.toSorted()).toEqual([
      `sequel story suite.sequel/${id}:charge`,
      `story suite.story/${id}:charge`,
    ]);
  });

  describe('waiting', () => {
    /** A saga that waits for `answer`, and how often it looked. */
    async function wait(forMs: number) {
      const state: { answer: { yes: boolean } | null; looks: number } = { answer: null, looks: 0 };
      const id = await tell(async (saga) => {
        const began = await saga.now('begin');
        const found = await saga.waitFor(
          'answer',
          async () => {
            state.looks += 1;
            return state.answer;
          },
          timeAfter(began, forMs),
        );
        log.push(JSON.stringify(found));
      });
      await adapter.until(() => state.looks === 1);
      return { id, state };
    }

    test('a saga that is woken looks at once', async () => {
      const { id, state } = await wait(60_000);
      const begin = adapter.clock.now().getTime();
      state.answer = { yes: true };
      durable.wake(id);
      await becomes(id, 'done');
      expect(adapter.clock.now().getTime() - begin).toBeLessThan(800);
      expect(log).toEqual(['{"yes":true}']);
    });

    test('a lost wake-up only delays', async () => {
      const { id, state } = await wait(60_000);
      state.answer = { yes: true };
      await becomes(id, 'done');
      expect(log).toEqual(['{"yes":true}']);
    });

    test('a wake-up without news is harmless, and nothing found by the deadline is null', async () => {
      const { id, state } = await wait(1_500);
      durable.wake(id);
      await adapter.until(() => state.looks === 2);
      await becomes(id, 'done');
      expect(log).toEqual(['null']);
    });

    test('a look that refuses ends the waiting', async () => {
      const id = await tell(async (saga) => {
        const look = async (): Promise<null> => {
          throw new Conflict('TRIP_CANCELLED', 'cancelled');
        };
        await saga.waitFor('answer', look, timeAfter(adapter.clock.now(), 60_000));
      });
      await becomes(id, 'refused');
    });
  });

  describe('jobs', () => {
    async function plan(inMs: number, run: () => Promise<void>, id = newId()): Promise<string> {
      chores.set(id, run);
      const runAt = timeAfter(adapter.clock.now(), inMs);
      await database.transaction((tx) => durable.schedule(tx, chore, { id, runAt }, { id, note: '' }));
      return id;
    }

    test('each runs at its time, once, and the earlier first', async () => {
      const begin = adapter.clock.now().getTime();
      const times: number[] = [];
      const run = (what: string) => async (): Promise<void> => {
        log.push(what);
        times.push(adapter.clock.now().getTime() - begin);
      };
      const later = await plan(2_600, run('later'));
      await plan(2_600, run('later'), later);
      const sooner = await plan(300, run('sooner'));
      const overdue = await plan(-60_000, run('overdue'));
      expect(await durable.stateOf(chore, later)).toBe('scheduled');
      for (const id of [overdue, sooner, later]) await becomes(id, 'done', chore);
      expect(log).toEqual(['overdue', 'sooner', 'later']);
      expect(times[1]).toBeGreaterThanOrEqual(300);
      expect(times[2]).toBeGreaterThanOrEqual(2_600);
    });

    test('trouble of the infrastructure is tried again, a refusal ends the job, the unforeseen parks it', async () => {
      let tries = 0;
      const patient = await plan(0, async () => {
        tries += 1;
        if (tries < 3) throw new PeerUnreachable('mail');
      });
      const refused = await plan(0, async () => {
        throw new Conflict('ALREADY_SENT', 'sent');
      });
      const broken = await plan(0, async () => {
        throw new TypeError('x is not a function');
      });
      await becomes(patient, 'done', chore);
      await becomes(refused, 'refused', chore);
      await becomes(broken, 'parked', chore);
      expect(tries).toBe(3);
    });
  });

  test('a definition belongs to the subgraph that its name begins with', () => {
    const stray = defineSaga({ name: 'other.story', input: z.object({}), run: async () => {} });
    expect(() => durable.register('suite', { sagas: [stray] })).toThrow('other.story');
  });
});

describe('on DBOS only', () => {
  test('a process opens it once, and leaves waiting sagas to the next', async () => {
    const id = newId();
    let answer: { yes: boolean } | null = null;
    const log: string[] = [];
    stories.set(id, async (saga) => {
      await saga.step('ask', async () => log.push('ask'));
      const found = await saga.waitFor('answer', async () => answer, timeAfter(systemClock.now(), 60_000));
      log.push(JSON.stringify(found));
    });
    {
      await using first = await dbos(postgres.url);
      await expect(dbos(postgres.url)).rejects.toThrow('only once');
      first.durable.register('suite', { sagas: [story] });
      await first.durable.start();
      await database.transaction((tx) => first.durable.startSaga(tx, story, id, { note: '' }));
      await first.until(() => log.length === 1);
    }
    answer = { yes: true };
    await using second = await dbos(postgres.url);
    second.durable.register('suite', { sagas: [story] });
    await second.durable.start();
    await second.until(async () => (await second.durable.stateOf(story, id)) === 'done');
    expect(log).toEqual(['ask', '{"yes":true}']);
  });

  test('a wake-up from another process reaches the saga, and what ended long ago is forgotten', async () => {
    const [id, old] = [newId(), newId()];
    let answer: { yes: boolean } | null = null;
    let looks = 0;
    stories.set(old, async () => {});
    stories.set(id, async (saga) => {
      const look = async () => {
        looks += 1;
        return answer;
      };
      await saga.waitFor('answer', look, timeAfter(systemClock.now(), 60_000));
    });
    {
      await using adapter = await dbos(postgres.url);
      await using otherProcess = await Wakeups.open(postgres.url, pino({ level: 'fatal' }));
      const { durable, until } = adapter;
      durable.register('suite', { sagas: [story] });
      await durable.start();
      await database.transaction((tx) => durable.startSaga(tx, story, old, { note: '' }));
      await database.transaction((tx) => durable.startSaga(tx, story, id, { note: '' }));
      await until(() => looks === 1);
      const begin = performance.now();
      answer = { yes: true };
      otherProcess.wake(`saga/${id}`);
      await until(async () => (await durable.stateOf(story, id)) === 'done');
      expect(performance.now() - begin).toBeLessThan(900);
      await until(async () => (await durable.stateOf(story, old)) === 'done');
    }
    await database.transaction((tx) =>
      tx.sql('update dbos.workflow_status set completed_at = 0 where workflow_uuid = ?', [
        `suite.story/${old}`,
      ]),
    );
    await using adapter = await dbos(postgres.url, { beatMs: 50 });
    adapter.durable.register('suite', { sagas: [story] });
    await adapter.durable.start();
    await adapter.until(async () => (await adapter.durable.stateOf(story, old)) === null);
    expect(await adapter.durable.stateOf(story, id)).toBe('done');
  });

  test('a saga that did not outlive ten recoveries is parked, with an alert, until somebody resumes it', async () => {
    const id = newId();
    const lines: string[] = [];
    stories.set(id, async () => {});
    const logger = pino({ level: 'error' }, { write: (line) => lines.push(line) });
    await using adapter = await dbos(postgres.url, { beatMs: 50, logger });
    const { durable, until } = adapter;
    durable.register('suite', { sagas: [story] });
    await database.transaction(async (tx) => {
      await durable.startSaga(tx, story, id, { note: '' });
      await tx.sql('update dbos.workflow_status set recovery_attempts = 11 where workflow_uuid = ?', [
        `suite.story/${id}`,
      ]);
    });
    await durable.start();
    await until(async () => (await durable.stateOf(story, id)) === 'parked');
    await until(() => lines.some((line) => line.includes('SAGA_PARKED') && line.includes(id)));
    expect(await durable.resume(story, id)).toBe(true);
    await until(async () => (await durable.stateOf(story, id)) === 'done');
  });

  test('sagas outlive a database that throws everybody out, and compensate nothing', async () => {
    const ids = Array.from({ length: 20 }, newId);
    const log: string[] = [];
    for (const id of ids) {
      stories.set(id, async (saga) => {
        for (const step of ['hold', 'charge', 'confirm', 'tell']) {
          await saga.step(
            step,
            () =>
              database.transaction(async (tx) => {
                await tx.sql('insert into effects (key) values (?) on conflict do nothing', [saga.key(step)]);
                await tx.sql('select pg_sleep(0.03)');
              }),
            { undo: async () => log.push(`undo ${saga.key(step)}`) },
          );
        }
      });
    }
    const admin = new pg.Client({ connectionString: postgres.url });
    await admin.connect();
    try {
      await admin.query('create table suite.effects (key text primary key)');
      await using adapter = await dbos(postgres.url);
      const { durable } = adapter;
      durable.register('suite', { sagas: [story] });
      await durable.start();
      await database.transaction(async (tx) => {
        for (const id of ids) await durable.startSaga(tx, story, id, { note: '' });
      });
      for (const effects of [1, 10, 30]) {
        await adapter.until(async () => {
          const { rows } = await admin.query('select count(*)::int as count from suite.effects');
          return rows[0].count >= effects;
        });
        await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and usename = current_user and pid <> pg_backend_pid()`,
        );
      }
      for (const id of ids) {
        await adapter.until(async () => (await durable.stateOf(story, id)) === 'done');
      }
      const { rows } = await admin.query('select count(*)::int as count from suite.effects');
      expect(rows).toEqual([{ count: 4 * ids.length }]);
      expect(log).toEqual([]);
    } finally {
      await admin.end();
    }
  });
});
