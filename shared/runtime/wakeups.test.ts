import { openWorkbench, readableLog, terminate, until, type Workbench } from './runtime.testing.ts';
import { Wakeups } from './wakeups.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const ours = `application_name = 'baton wakeups' and datname = current_database()`;

/** Two processes' ends, and one who listens to the wire between them. */
async function wire() {
  const log = readableLog();
  const stack = new AsyncDisposableStack();
  const sender = stack.use(await Wakeups.open(bench.database.url, log.logger));
  const receiver = stack.use(await Wakeups.open(bench.database.url, log.logger));
  const payloads: string[] = [];
  const tap = await bench.connect();
  tap.on('notification', ({ payload = '' }) => payloads.push(payload));
  await tap.query('listen baton_wakeups');
  const heard = (topic: string, at = receiver) => {
    const counter = { count: 0, off: () => {} };
    counter.off = at.on(topic, () => {
      counter.count += 1;
    });
    return counter;
  };
  return { ...log, sender, receiver, payloads, heard, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test('a wake-up reaches its own process at once and others by the database, once each', async () => {
  await using ends = await wire();
  const here = ends.heard('a', ends.sender);
  const there = ends.heard('a');
  const other = ends.heard('b');
  ends.sender.wake('a');
  expect(here.count).toBe(1);
  await until(() => there.count > 0);
  await until(() => ends.payloads.length > 0);
  expect([here.count, there.count, other.count]).toEqual([1, 1, 0]);
});

test('who has stopped to listen is not woken', async () => {
  await using ends = await wire();
  const gone = ends.heard('a');
  const still = ends.heard('a');
  gone.off();
  ends.sender.wake('a');
  await until(() => still.count === 1);
  expect(gone.count).toBe(0);
});

test('many wake-ups at once are one notification, each topic once', async () => {
  await using ends = await wire();
  const last = ends.heard('t-49');
  for (let round = 0; round < 3; round += 1)
    for (let index = 0; index < 50; index += 1) ends.sender.wake(`t-${index}`);
  await until(() => last.count > 0 && ends.payloads.length > 0);
  expect(ends.payloads).toHaveLength(1);
  expect(ends.payloads[0]!.split('\n').slice(1)).toEqual(
    Array.from({ length: 50 }, (_, index) => `t-${index}`),
  );
});

test('more topics than one notification can carry go in several, none lost', async () => {
  await using ends = await wire();
  const topics = Array.from({ length: 300 }, (_, index) => `${index}-${'ü'.repeat(30)}`);
  const heard = topics.map((topic) => ends.heard(topic));
  for (const topic of topics) ends.sender.wake(topic);
  await until(() => heard.every(({ count }) => count === 1));
  await until(() => ends.payloads.length > 2);
  for (const payload of ends.payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
  expect(ends.said).toEqual([]);
});

test('a topic too long for a notification wakes its own process and spoils nothing', async () => {
  await using ends = await wire();
  const long = 'x'.repeat(9_000);
  const here = ends.heard(long, ends.sender);
  const there = ends.heard('short');
  ends.sender.wake(long);
  ends.sender.wake('short');
  await until(() => there.count === 1);
  expect(here.count).toBe(1);
  expect(ends.said).toMatchObject([{ msg: 'a topic is too long to leave this process' }]);
});

test('a listener that fails keeps no other from being woken', async () => {
  await using ends = await wire();
  ends.receiver.on('a', () => {
    throw new Error('asleep');
  });
  const other = ends.heard('a');
  ends.sender.wake('a');
  await until(() => other.count === 1);
  expect(ends.said).toMatchObject([{ msg: 'a listener failed at its wake-up', topic: 'a' }]);
});

test('after its connection was lost everybody is woken once, and wake-ups arrive again', async () => {
  await using ends = await wire();
  const one = ends.heard('a');
  const other = ends.heard('b');
  expect(await terminate(bench.sql, ours)).toBe(2);
  await until(() => one.count === 1 && other.count === 1, 'the reconnection');
  ends.sender.wake('a');
  await until(() => one.count === 2, 'the wake-up');
  expect(other.count).toBe(1);
  expect((await bench.sql.query(`select from pg_stat_activity where ${ours}`)).rowCount).toBe(2);
});

test('a wake-up of the time without a connection is sent when it is back', async () => {
  await using ends = await wire();
  await terminate(bench.sql, ours);
  await until(() => ends.said.length === 2, 'both to notice');
  ends.sender.wake('late');
  await until(() => ends.payloads.some((payload) => payload.endsWith('\nlate')), 'the late wake-up');
});

test('the last wake-ups before the end are sent, and no connection stays', async () => {
  await using ends = await wire();
  const there = ends.heard('a');
  ends.sender.wake('a');
  await ends.sender[Symbol.asyncDispose]();
  await until(() => there.count === 1);
  await ends.receiver[Symbol.asyncDispose]();
  await until(
    async () => (await bench.sql.query(`select from pg_stat_activity where ${ours}`)).rowCount === 0,
  );
});

test('a database that is not there is told at the start', async () => {
  const { logger } = readableLog();
  const url = new URL(bench.database.url);
  url.pathname = '/no_such_database';
  await expect(Wakeups.open(url.href, logger)).rejects.toMatchObject({ code: '3D000' });
});
