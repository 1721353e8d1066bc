import { newId } from '#shared/kernel/ids.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { deviceOf, type SignedIn, signIn, someAddress } from '../testing/sign-in.ts';

const gateway: Viewer = { kind: 'service', name: 'gateway' };

let world: World;
beforeEach(async () => {
  world = await startWorld({ subgraphs: ['identity'], env: { SESSIONS_PER_USER: '2' } });
});
afterEach(() => world?.[Symbol.asyncDispose]());

const read = async (after?: string, viewer: Viewer = gateway) => {
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  const request = new Request(`http://x/internal/ended-sessions${query}`);
  const response = await world.route('identity', request, viewer);
  const body = (await response.json()) as { ended: { sessionId: string }[]; cursor: string; code?: string };
  return { status: response.status, ...body, ids: body.ended?.map(({ sessionId }) => sessionId) };
};

const signOut = ({ viewer }: SignedIn) =>
  world.execute('identity', 'mutation { signOut { id } }', {}, viewer);
const refresh = (refreshToken: string, device: string) =>
  world.execute(
    'identity',
    'mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { id } }',
    { input: { refreshToken, deviceFingerprint: device } },
  );

test('a session that was left, stolen or crowded out is told in its order, each once', async () => {
  const left = await signIn(world, someAddress());
  const stolen = await signIn(world, someAddress());
  const email = someAddress();
  const crowded = await signIn(world, email);
  const start = await read();
  expect(start.ids).toEqual([]);
  await signOut(left);
  await signOut(left);
  await refresh(stolen.refreshToken, deviceOf('a thief'));
  for (const device of ['second', 'third']) {
    await world.clock.advance('1s');
    await signIn(world, email, { deviceFingerprint: deviceOf(device) });
  }
  const first = await read(start.cursor);
  expect(first.ids).toEqual([left, stolen, crowded].map(({ viewer }) => viewer.sessionId));
  expect((await read()).ids).toEqual(first.ids);
  const second = await read(first.cursor);
  expect([second.ids, second.cursor]).toEqual([[], first.cursor]);
});

test('a refresh ends nothing', async () => {
  const signedIn = await signIn(world, someAddress());
  const { cursor } = await read();
  expect((await refresh(signedIn.refreshToken, signedIn.device)).errors).toEqual([]);
  expect((await read(cursor)).ids).toEqual([]);
});

test('what ended so long ago that no token of it lives is not told', async () => {
  const [early, late] = [await signIn(world, someAddress()), await signIn(world, someAddress())];
  const { cursor } = await read();
  await signOut(early);
  await world.clock.advance('6m');
  await signOut(late);
  expect((await read()).ids).toEqual([late.viewer.sessionId]);
  expect((await read(cursor)).ids).toEqual([late.viewer.sessionId]);
});

test('sessions that end while it is read, in whatever order they commit, are all told', async () => {
  const signedIn: SignedIn[] = [];
  for (let count = 0; count < 24; count += 1) signedIn.push(await signIn(world, someAddress()));
  const told: string[] = [];
  let { cursor } = await read();
  let ending = true;
  const all = Promise.all(signedIn.map(signOut)).finally(() => {
    ending = false;
  });
  const poll = async () => {
    const page = await read(cursor);
    cursor = page.cursor;
    told.push(...page.ids);
  };
  while (ending) await poll();
  await all;
  await poll();
  expect(told).toHaveLength(24);
  expect(new Set(told)).toEqual(new Set(signedIn.map(({ viewer }) => viewer.sessionId)));
});

test('an end is not passed over by one that commits before it', async () => {
  const [slow, quick] = [await signIn(world, someAddress()), await signIn(world, someAddress())];
  const { cursor } = await read();
  const db = world.database('identity');
  let commit = (): void => {};
  const held = new Promise<void>((resolve) => (commit = resolve));
  let begun = (): void => {};
  const drawn = new Promise<void>((resolve) => (begun = resolve));
  const slowly = db.transaction(async (tx) => {
    const ends = `update sessions set ended_at = ?, end_reason = 'SIGNED_OUT' where id = ?`;
    await tx.sql(ends, [world.clock.now(), slow.viewer.sessionId]);
    begun();
    await held;
  });
  await drawn;
  const quickly = signOut(quick);
  // It waits for the slow one, so that nothing is visible before what was numbered before it.
  const waiting = async () =>
    (
      await db.read((em) =>
        em.execute<{ count: string }[]>(
          `select count(*)::text as count from pg_locks where locktype = 'advisory' and not granted
             and database = (select oid from pg_database where datname = current_database())`,
        ),
      )
    )[0]!.count;
  while ((await waiting()) === '0') await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await read(cursor)).ids).toEqual([]);
  commit();
  await Promise.all([slowly, quickly]);
  expect((await read(cursor)).ids).toEqual([slow.viewer.sessionId, quick.viewer.sessionId]);
});

test('more than a thousand come in pages that leave nothing out', async () => {
  const { cursor } = await read();
  const ids = Array.from({ length: 1_003 }, newId);
  await world.database('identity').transaction((tx) =>
    tx.sql(
      `insert into sessions (id, user_id, device_id, device_fingerprint, user_agent, refresh_hash, opened_at,
         last_used_at, expires_at, absolute_expires_at)
       select id, id, id, 'f', '', 'h', now, now, now, now from unnest(?::uuid[]) id, (select ?::timestamptz as now)`,
      [`{${ids.join(',')}}`, world.clock.now()],
    ),
  );
  await world
    .database('identity')
    .transaction((tx) =>
      tx.sql(`update sessions set ended_at = ?, end_reason = 'BANNED' where end_reason is null`, [
        world.clock.now(),
      ]),
    );
  const first = await read(cursor);
  const second = await read(first.cursor);
  expect([first.ids.length, second.ids.length]).toEqual([1_000, 3]);
  expect(new Set([...first.ids, ...second.ids])).toEqual(new Set(ids));
});

test.each(['-1', 'x', '1; drop table users', '9'.repeat(19)])('%j is no cursor', async (cursor) => {
  expect(await read(cursor)).toMatchObject({ status: 400, code: 'CURSOR_INVALID' });
});

test.each<[string, Viewer]>([
  ['a stranger', anonymous],
  ['an administrator', user('Ada', ['admin'])],
  ['another service', { kind: 'service', name: 'custody' }],
])('to %s there is no such route', async (_, viewer) => {
  expect(await read('0', viewer)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
});
