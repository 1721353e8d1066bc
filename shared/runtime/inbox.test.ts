import { spawn } from 'node:child_process';
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { newId } from '../kernel/ids.ts';
import { ManualClock } from '../testing/clock.ts';
import type { Database } from './database.ts';
import { Inbox, on } from './inbox.ts';
import {
  exited,
  linesOf,
  openWorkbench,
  readableLog,
  terminate,
  until,
  type Workbench,
} from './runtime.testing.ts';
import { Wakeups } from './wakeups.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const weighed = (publisher: string) =>
  defineEvent(publisher, 'Weighed', { key: 'id', payload: { id: z.string(), grams: z.int() } });
type Weighed = { id: string; grams: number };

/** One who tells, one who hears and writes what was heard into `effect`; `fault` makes a handler fail. */
async function stage(onQuery?: (sql: string) => void) {
  const teller = await bench.schema('teller');
  const hearer = await bench.schema('hearer', { onQuery });
  await bench.sql.query(
    `create table "${hearer.schema}".effect (at bigint generated always as identity, key text, grams integer)`,
  );
  const fact = weighed(teller.schema);
  const clock = new ManualClock();
  const { logger, said } = readableLog();
  const faults = new Map<number, unknown>();
  const toldAts: Date[] = [];
  const open = (db: Database) =>
    new Inbox({
      db,
      clock,
      logger,
      handlers: [
        on(fact, async ({ id, grams }, { toldAt }) => {
          toldAts.push(toldAt);
          await db.transaction((tx) => tx.sql('insert into effect (key, grams) values (?, ?)', [id, grams]));
          if (faults.has(grams)) throw faults.get(grams);
        }),
      ],
    });
  const inbox = open(hearer);
  const heard = async (): Promise<string[]> => {
    const { rows } = await bench.sql.query(`select key, grams from "${hearer.schema}".effect order by at`);
    return rows.map(({ key, grams }) => `${key}${grams}`);
  };
  return {
    teller,
    hearer,
    fact,
    clock,
    said,
    faults,
    toldAts,
    inbox,
    open,
    heard,
    tell: (id: string, grams: number) => teller.transaction(async (tx) => tx.tell(fact, { id, grams })),
    /** Drains until nothing that is told is left unread, however long other transactions of the server hold it. */
    async settle(who = inbox) {
      await until(async () => {
        await who.drain();
        const { rows } = await bench.sql.query(
          `select exists (select from "${teller.schema}".outbox where (xid, position) > (
             select xid, position from "${hearer.schema}".inbox_cursors)) as unread`,
        );
        return !rows[0].unread;
      }, 'all to be heard');
    },
  };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const bug = () => new TypeError('a bug');
const outage = () => Object.assign(new Error('terminating connection'), { code: '57P01' });

test('facts are heard once, in the order of their key, and a second look finds nothing', async () => {
  const { tell, settle, heard, inbox } = await stage();
  for (const grams of numbers(3)) for (const id of ['a', 'b']) await tell(id, grams);
  await settle();
  expect(await heard()).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  expect(await inbox.drain()).toBe(0);
});

test('a fact that is delivered again takes no effect again', async () => {
  const { tell, settle, heard, hearer } = await stage();
  await tell('a', 1);
  await tell('a', 2);
  await settle();
  await bench.sql.query(`update "${hearer.schema}".inbox_cursors set xid = '0', position = 0`);
  await settle();
  expect(await heard()).toEqual(['a1', 'a2']);
});

test('a fact that is committed later than one after it is not lost', async () => {
  const { teller, fact, heard, inbox, settle, tell } = await stage();
  await tell('a', 1);
  await settle();
  const slow = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  const first = teller.transaction(async (tx) => {
    await tx.sql(
      `insert into outbox (id, event, version, key, key_seq, payload) values (?, ?, 1, 'slow', 1, '{"id":"slow","grams":2}')`,
      [newId(), fact.name],
    );
    written.resolve();
    await slow.promise;
  });
  try {
    await written.promise;
    await tell('quick', 3);
    expect(await inbox.drain()).toBe(0);
    expect(await heard()).toEqual(['a1']);
  } finally {
    slow.resolve();
    await first;
  }
  await settle();
  expect(await heard()).toEqual(['a1', 'slow2', 'quick3']);
});

test('two replicas at once give each fact one effect, in order', async () => {
  const { tell, open, hearer, settle, heard, inbox } = await stage();
  const replica = open(await bench.reopen(hearer));
  const telling = Promise.all(
    ['a', 'b', 'c'].map(async (id) => {
      for (const grams of numbers(12)) await tell(id, grams);
    }),
  );
  await Promise.all([
    telling.then(() => settle(inbox)),
    telling.then(() => settle(replica)),
    settle(),
    settle(replica),
  ]);
  const all = await heard();
  for (const id of ['a', 'b', 'c'])
    expect(all.filter((each) => each.startsWith(id))).toEqual(numbers(12).map((grams) => `${id}${grams}`));
});

test('what a handler tells is committed with its place in the order, or not at all', async () => {
  const { teller, hearer, fact, tell, clock } = await stage();
  const answer = weighed(hearer.schema);
  let failing = true;
  const { logger } = readableLog();
  const inbox = new Inbox({
    db: hearer,
    clock,
    logger,
    handlers: [
      on(fact, async (payload: Weighed) => {
        await hearer.transaction(async (tx) => tx.tell(answer, payload));
        if (failing) throw outage();
      }),
    ],
  });
  const answers = async () => (await bench.sql.query(`select key from "${hearer.schema}".outbox`)).rowCount;
  await tell('a', 1);
  await until(
    () =>
      inbox.drain().then(
        () => false,
        () => true,
      ),
    'the handler to fail',
  );
  expect(await answers()).toBe(0);
  failing = false;
  await until(async () => (await inbox.drain()) === 1);
  expect(await answers()).toBe(1);
  expect(teller.schema).not.toBe(hearer.schema);
});

test('a fact that cannot be handled waits with the later ones of its key; other keys go on', async () => {
  const { tell, settle, heard, faults, inbox, said } = await stage();
  faults.set(1, bug());
  await tell('a', 1);
  await tell('a', 2);
  await tell('b', 9);
  await settle();
  expect(await heard()).toEqual(['b9']);
  expect(await inbox.parked.list()).toMatchObject([
    { key: 'a', tries: 1, dead: false, error: 'TypeError: a bug' },
    { key: 'a', tries: 0, nextTryAt: null, error: null },
  ]);
  expect(said.filter(({ msg }) => msg === 'event parked')).toMatchObject([{ key: 'a', event: 'Weighed' }]);
});

test('a parked fact is tried again when its time comes, and the later ones follow in order', async () => {
  const { tell, settle, heard, faults, inbox, clock, toldAts } = await stage();
  faults.set(1, bug());
  for (const grams of [1, 2, 3]) await tell('a', grams);
  await settle();
  const first = toldAts[0];
  faults.clear();
  await clock.advance(999);
  expect(await inbox.drain()).toBe(0);
  await clock.advance(1);
  expect(await inbox.drain()).toBe(3);
  await tell('a', 4);
  await settle();
  expect(await heard()).toEqual(['a1', 'a2', 'a3', 'a4']);
  expect(await inbox.parked.list()).toEqual([]);
  expect(toldAts[1]).toEqual(first);
});

/** Lets a fact fail until nobody tries it any more; says after how many seconds each try came. */
async function die({
  tell,
  settle,
  faults,
  inbox,
  clock,
}: Awaited<ReturnType<typeof stage>>): Promise<number[]> {
  faults.set(1, bug());
  await tell('a', 1);
  await tell('a', 2);
  await settle();
  const pauses: number[] = [];
  for (;;) {
    const [first] = await inbox.parked.list();
    if (first!.dead) return pauses;
    pauses.push((first!.nextTryAt!.getTime() - clock.now().getTime()) / 1_000);
    await clock.set(first!.nextTryAt!);
    await inbox.drain();
  }
}

test('after eight tries with growing pauses a fact waits for a person', async () => {
  const scene = await stage();
  expect(await die(scene)).toEqual([1, 4, 16, 64, 256, 600, 600]);
  expect(await scene.inbox.parked.list()).toMatchObject([{ tries: 8, dead: true }, { tries: 0 }]);
  scene.faults.clear();
  await scene.clock.advance('30d');
  expect(await scene.inbox.drain()).toBe(0);
  expect(scene.said.at(-1)).toMatchObject({ msg: 'parked event waits for a person', tries: 8 });
});

test('a person has a dead fact tried again, by name', async () => {
  const scene = await stage();
  await die(scene);
  const [dead] = await scene.inbox.parked.list();
  scene.faults.clear();
  await scene.inbox.parked.retry(dead!.id, 'Olga');
  expect(await scene.inbox.drain()).toBe(2);
  expect(await scene.heard()).toEqual(['a1', 'a2']);
  expect(scene.said.at(-1)).toMatchObject({ by: 'Olga', message: dead!.id, key: 'a', event: 'Weighed' });
});

test('a person skips a dead fact, by name: it takes no effect even when delivered again', async () => {
  const scene = await stage();
  await die(scene);
  const [dead] = await scene.inbox.parked.list();
  await scene.inbox.parked.skip(dead!.id, 'Olga');
  expect(scene.said.at(-1)).toMatchObject({ by: 'Olga', message: dead!.id, key: 'a', event: 'Weighed' });
  expect(await scene.inbox.drain()).toBe(1);
  scene.faults.clear();
  await bench.sql.query(`update "${scene.hearer.schema}".inbox_cursors set xid = '0', position = 0`);
  await scene.settle();
  expect(await scene.heard()).toEqual(['a2']);
});

test('what is not parked can be neither retried nor skipped', async () => {
  const { inbox } = await stage();
  for (const act of ['retry', 'skip'] as const) {
    await expect(inbox.parked[act](newId(), 'Olga')).rejects.toMatchObject({ code: 'MESSAGE_NOT_PARKED' });
    await expect(inbox.parked[act]('x', 'Olga')).rejects.toMatchObject({ code: 'ID_MALFORMED' });
  }
});

test('two replicas try a parked fact once at a time', async () => {
  const { tell, settle, faults, inbox, open, hearer, clock, heard } = await stage();
  const replica = open(await bench.reopen(hearer));
  faults.set(1, bug());
  await tell('a', 1);
  await settle();
  await clock.advance('1s');
  await Promise.all([inbox.drain(), replica.drain()]);
  expect(await inbox.parked.list()).toMatchObject([{ tries: 2 }]);
  faults.clear();
  await clock.advance('10m');
  await Promise.all([inbox.drain(), replica.drain()]);
  expect(await heard()).toEqual(['a1']);
});

test('trouble of the infrastructure parks nothing: the fact is heard when it has passed', async () => {
  const { tell, settle, faults, inbox, heard } = await stage();
  faults.set(1, outage());
  await tell('a', 1);
  await tell('b', 2);
  await until(
    () =>
      inbox.drain().then(
        () => false,
        (error) => error.code === '57P01',
      ),
    'the trouble',
  );
  expect([await heard(), await inbox.parked.list()]).toEqual([[], []]);
  faults.clear();
  await settle();
  expect(await heard()).toEqual(['a1', 'b2']);
});

test('trouble with the facts of one publisher does not keep those of another', async () => {
  const one = await stage();
  const other = await stage();
  const { logger } = readableLog();
  const heard: string[] = [];
  const inbox = new Inbox({
    db: one.hearer,
    clock: one.clock,
    logger,
    handlers: [
      on(one.fact, () => Promise.reject(outage())),
      on(other.fact, async ({ id }) => void heard.push(id)),
    ],
  });
  await one.tell('a', 1);
  await other.tell('b', 1);
  await until(
    () =>
      inbox.drain().then(
        () => false,
        () => heard.length > 0,
      ),
    'the other fact',
  );
  expect(heard).toEqual(['b']);
});

test('a fact that no longer fits its definition is parked, not lost', async () => {
  const { teller, hearer, tell, settle, inbox, heard } = await stage();
  await tell('a', 1);
  await bench.sql.query(`update "${teller.schema}".outbox set payload = '{"id": "a"}'`);
  await settle();
  expect(await heard()).toEqual([]);
  expect(await inbox.parked.list()).toMatchObject([{ key: 'a', error: expect.stringContaining('grams') }]);
  expect((await bench.sql.query(`select from "${hearer.schema}".inbox`)).rowCount).toBe(0);
});

test('a handler that swallows the failure of a statement is found out: its fact is parked', async () => {
  const { hearer, fact, clock, tell } = await stage();
  const { logger } = readableLog();
  const handle = () => hearer.transaction((tx) => tx.sql('select 1 / 0').catch(() => undefined));
  const inbox = new Inbox({
    db: hearer,
    clock,
    logger,
    handlers: [on(fact, async () => void (await handle()))],
  });
  await tell('a', 1);
  await until(async () => (await inbox.drain()) === 1);
  expect(await inbox.parked.list()).toMatchObject([{ key: 'a', tries: 1 }]);
});

const worker = (orders: object) =>
  spawn(
    process.execPath,
    ['shared/testing/inbox-worker.ts', JSON.stringify({ url: bench.database.url, ...orders })],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );

test('a process killed in the middle of a fact leaves the state as if it had never begun it', async () => {
  const { teller, hearer, tell, settle, heard } = await stage();
  for (const grams of numbers(4)) await tell('a', grams);
  const mortal = worker({ publisher: teller.schema, schema: hearer.schema, dieAt: 3 });
  for await (const line of linesOf(mortal)) if (line === 'inside') break;
  mortal.kill('SIGKILL');
  await exited(mortal);
  expect(await heard()).toEqual(['a1', 'a2']);
  await settle();
  expect(await heard()).toEqual(['a1', 'a2', 'a3', 'a4']);
});

test('what one process tells wakes another at once', async () => {
  const { hearer, teller, fact, heard } = await stage();
  const { logger } = readableLog();
  await using wakeups = await Wakeups.open(bench.database.url, logger);
  const waking = await bench.reopen(teller, { onTold: (publisher) => wakeups.wake(`outbox:${publisher}`) });
  const other = worker({ publisher: teller.schema, schema: hearer.schema });
  for await (const line of linesOf(other)) if (line === 'up') break;
  const startedAt = performance.now();
  for (const grams of numbers(6)) {
    await waking.transaction(async (tx) => tx.tell(fact, { id: 'a', grams }));
    await until(async () => (await heard()).length === grams);
  }
  // The poll alone would take a second for each.
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  other.kill('SIGKILL');
  await exited(other);
});

test('a wake-up that is lost only delays, and so does the loss of every connection', async () => {
  const { inbox, tell, heard, said } = await stage();
  const { logger } = readableLog();
  await using wakeups = await Wakeups.open(bench.database.url, logger);
  inbox.start(wakeups);
  try {
    await tell('a', 1);
    await until(async () => (await heard()).length === 1, 'the poll');
    await terminate(bench.sql, 'datname = current_database()');
    await until(
      () =>
        tell('a', 2).then(
          () => true,
          () => false,
        ),
      'the teller',
    );
    await until(async () => (await heard()).length === 2, 'the hearer');
    expect(await heard()).toEqual(['a1', 'a2']);
    expect(said.filter(({ msg }) => msg === 'event parked')).toEqual([]);
  } finally {
    await inbox[Symbol.asyncDispose]();
  }
});

test('facts that an older transaction holds back are heard soon after it has ended', async () => {
  let lookedInVain = 0;
  const { inbox, teller, fact, heard } = await stage((sql) => {
    if (sql.includes('as held')) lookedInVain += 1;
  });
  const { logger } = readableLog();
  await using wakeups = await Wakeups.open(bench.database.url, logger);
  const waking = await bench.reopen(teller, { onTold: (publisher) => wakeups.wake(`outbox:${publisher}`) });
  const older = await bench.connect();
  inbox.start(wakeups);
  try {
    const startedAt = performance.now();
    for (const grams of numbers(6)) {
      await older.query('begin');
      await older.query('select pg_current_xact_id()');
      await waking.transaction(async (tx) => tx.tell(fact, { id: 'a', grams }));
      const before = lookedInVain;
      await until(() => lookedInVain > before, 'a look in vain');
      await older.query('commit');
      await until(async () => (await heard()).length === grams);
    }
    // The poll alone would take a second for each.
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  } finally {
    await older.query('rollback');
    await inbox[Symbol.asyncDispose]();
  }
});
