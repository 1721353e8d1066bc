import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { canReach } from './binaries.ts';
import { readPostmaster } from './cluster.ts';
import { openHome } from './home.ts';
import { type Postgres, startPostgres } from './postgres.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
const testsWhenRoot = isRoot ? test : test.skip;
const testsWhenNobodyMayReadThisProject =
  isRoot && (await canReach(import.meta.dirname, NOBODY)) ? test : test.skip;

let folder: string;
let dataDir: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baton-postgres-'));
  await chmod(folder, 0o755);
  dataDir = join(folder, 'postgres');
});
afterEach(async () => {
  await using _stopsWhatATestLeft = await startPostgres({ dataDir });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${condition}`);
    await sleep(20);
  }
}

const answers = (server: Postgres) =>
  query(server.url('postgres'), 'select 1').then(
    () => true,
    () => false,
  );

interface OtherProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly started: { pid: number; port: number; adopted: boolean; url: string };
}

/** A second launcher, in a process of its own, that holds the server until it is killed. */
async function launchElsewhere(
  dir: string,
  user: { uid?: number; gid?: number } = {},
): Promise<OtherProcess> {
  const program = `
    const { startPostgres } = await import(${JSON.stringify(import.meta.resolve('./postgres.ts'))});
    await using server = await startPostgres({ dataDir: ${JSON.stringify(dir)} });
    const { pid, port, adopted } = server;
    console.log(JSON.stringify({ pid, port, adopted, url: server.url('postgres') }));
    await new Promise((resolve) => process.once('SIGTERM', resolve));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    ...user,
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const [line] = await Promise.race([
    once(lines, 'line'),
    exited.then(([code]) => Promise.reject(new Error(`the launcher ended with ${code}`))),
  ]);
  return {
    child,
    started: JSON.parse(String(line)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

test('a server starts, keeps its data and its port, and is gone after its only launcher left', async () => {
  let first: Postgres;
  {
    await using server = await startPostgres({ dataDir });
    first = server;
    expect(server.adopted).toBe(false);
    await server.ensureDatabase('parcels');
    await server.ensureDatabase('parcels');
    await query(server.url('parcels'), 'create table kept (id int); insert into kept values (7)');
  }
  expect(await answers(first)).toBe(false);
  await using again = await startPostgres({ dataDir });
  expect(again.port).toBe(first.port);
  expect(await query(again.url('parcels'), 'select id from kept')).toEqual([{ id: 7 }]);
});

test('the password is nobody else’s business, and without it nobody enters', async () => {
  await using server = await startPostgres({ dataDir });
  expect((await stat(join(dataDir, 'password'))).mode & 0o077).toBe(0);
  const wrong = new URL(server.url('postgres'));
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  const superuser = new URL(server.url('postgres'));
  superuser.username = 'postgres';
  await expect(query(superuser.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
});

test('commits are durable, only loopback is served, and service sessions wait for nothing long', async () => {
  await using server = await startPostgres({ dataDir });
  const limits = `select ${['fsync', 'synchronous_commit', 'listen_addresses', 'max_connections', 'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'data_checksums'].map((name) => `current_setting('${name}') as ${name}`).join(', ')}`;
  const always = {
    fsync: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
    max_connections: '300',
    idle_in_transaction_session_timeout: '30s',
    data_checksums: 'on',
  };
  expect(await query(server.url('postgres'), limits)).toEqual([
    { ...always, lock_timeout: '2s', statement_timeout: '15s' },
  ]);
  expect(await query(server.migrationUrl('postgres'), limits)).toEqual([
    { ...always, lock_timeout: '0', statement_timeout: '0' },
  ]);
});

test('what a migration makes belongs to the services', async () => {
  await using server = await startPostgres({ dataDir });
  await server.ensureDatabase('migrated');
  await query(server.migrationUrl('migrated'), 'create table trips (id int)');
  await query(server.url('migrated'), 'alter table trips add column distance int');
  expect(
    await query(server.url('migrated'), "select tableowner from pg_tables where tablename = 'trips'"),
  ).toEqual([{ tableowner: 'baton' }]);
});

test('a database is cloned from a template and dropped under an open session', async () => {
  await using server = await startPostgres({ dataDir });
  await server.dropDatabase('pattern');
  await server.ensureDatabase('pattern');
  await query(server.url('pattern'), 'create table stamp (id int); insert into stamp values (1)');
  await server.createDatabaseFromTemplate('copy of "pattern"', 'pattern');
  const session = new pg.Client({ connectionString: server.url('copy of "pattern"') });
  session.on('error', () => undefined);
  await session.connect();
  expect((await session.query('select id from stamp')).rows).toEqual([{ id: 1 }]);
  await server.dropDatabase('copy of "pattern"');
  await expect(query(server.url('copy of "pattern"'), 'select 1')).rejects.toMatchObject({ code: '3D000' });
  await session.end();
});

test('a second launcher adopts the running server, which stays until the last of them leaves', async () => {
  const first = await startPostgres({ dataDir });
  const second = await startPostgres({ dataDir });
  expect(second).toMatchObject({ adopted: true, pid: first.pid, port: first.port });
  await first[Symbol.asyncDispose]();
  expect(await answers(second)).toBe(true);
  await second[Symbol.asyncDispose]();
  expect(await answers(second)).toBe(false);
});

test('five launchers at once share one new server', async () => {
  const fresh = join(folder, 'fresh');
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(
    Array.from({ length: 5 }, async () => stack.use(await startPostgres({ dataDir: fresh }))),
  );
  expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
  expect(servers.filter(({ adopted }) => !adopted)).toHaveLength(1);
});

test('launchers that come while the last one leaves get a server that works', async () => {
  for (let round = 0; round < 3; round += 1) {
    const leaving = await startPostgres({ dataDir });
    const [arrived] = await Promise.all([startPostgres({ dataDir }), leaving[Symbol.asyncDispose]()]);
    expect(await answers(arrived)).toBe(true);
    await arrived[Symbol.asyncDispose]();
  }
});

test('a server outlives the kill -9 of its launcher and is adopted by the next', async () => {
  const { child, started } = await launchElsewhere(dataDir);
  const killed = once(child, 'exit');
  child.kill('SIGKILL');
  await killed;
  await using server = await startPostgres({ dataDir });
  expect(server).toMatchObject({ adopted: true, pid: started.pid });
  expect(await answers(server)).toBe(true);
});

test('a server that was killed with -9 is started again under its launcher, on the same port, with its data', async () => {
  await using server = await startPostgres({ dataDir });
  const { pid, port } = server;
  await server.ensureDatabase('survivors');
  await query(server.url('survivors'), 'create table survivor as select 1 as id');
  process.kill(pid, 'SIGKILL');
  await until(async () => server.pid !== pid && (await answers(server)));
  expect(server.port).toBe(port);
  expect(await query(server.url('survivors'), 'select id from survivor')).toEqual([{ id: 1 }]);
});

test('the postmaster.pid of a killed server does not stop the next start', async () => {
  const abandoned = await startPostgres({ dataDir, restart: false });
  process.kill(abandoned.pid, 'SIGKILL');
  await abandoned[Symbol.asyncDispose]();
  const home = await openHome(dataDir);
  expect((await readPostmaster(home))?.pid).toBe(abandoned.pid);
  await using server = await startPostgres({ dataDir });
  expect(server.adopted).toBe(false);
});

test('a postmaster.pid whose number now belongs to another program does not stop the next start', async () => {
  const home = await openHome(dataDir);
  const bystander = spawn('/bin/sleep', ['600'], { ...home.user, stdio: 'ignore' });
  try {
    await once(bystander, 'spawn');
    const lines = [bystander.pid, home.cluster, 1, 1, '', '127.0.0.1', '', 'ready'];
    const file = join(home.cluster, 'postmaster.pid');
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    if (home.user.uid !== undefined && home.user.gid !== undefined)
      await chown(file, home.user.uid, home.user.gid);
    await using server = await startPostgres({ dataDir });
    expect(server.adopted).toBe(false);
    expect(bystander.exitCode).toBeNull();
  } finally {
    bystander.kill();
  }
});

test('a port that somebody else took is exchanged for a free one', async () => {
  const { port: kept } = await startPostgres({ dataDir }).then(async (server) => {
    await server[Symbol.asyncDispose]();
    return server;
  });
  const squatter = createServer().listen(kept, '127.0.0.1');
  await once(squatter, 'listening');
  try {
    await using server = await startPostgres({ dataDir });
    expect(server.port).not.toBe(kept);
    expect(await readFile(join(dataDir, 'port'), 'utf8')).toBe(String(server.port));
  } finally {
    squatter.close();
  }
});

test('data of another major version is refused before anything touches it', async () => {
  const old = join(folder, 'old');
  await (await startPostgres({ dataDir: old }))[Symbol.asyncDispose]();
  await writeFile(join(old, 'cluster/PG_VERSION'), '12\n');
  await expect(startPostgres({ dataDir: old })).rejects.toMatchObject({ code: 'DATABASE_VERSION' });
});

test('a temporary folder, closed to everybody else as the system makes them, is home enough', async () => {
  const home = await mkdtemp(join(folder, 'closed-'));
  await using server = await startPostgres({ dataDir: home });
  expect(await answers(server)).toBe(true);
  expect((await stat(join(home, 'cluster'))).isDirectory()).toBe(true);
});

testsWhenRoot(
  'below a folder that is closed to PostgreSQL’s user, root keeps the data elsewhere',
  async () => {
    const closed = await mkdtemp(join(tmpdir(), 'baton-closed-'));
    await chmod(closed, 0o700);
    const home = await openHome(join(closed, 'postgres'));
    try {
      expect(home.folder.startsWith(closed)).toBe(false);
      expect((await openHome(join(closed, 'postgres'))).folder).toBe(home.folder);
      await using server = await startPostgres({ dataDir: join(closed, 'postgres') });
      expect(await answers(server)).toBe(true);
    } finally {
      await rm(closed, { recursive: true });
      await rm(home.folder, { recursive: true });
    }
  },
);

testsWhenNobodyMayReadThisProject('a user without rights runs a server of their own', async () => {
  const home = await mkdtemp(join(folder, 'nobody-'));
  await chown(home, NOBODY.uid, NOBODY.gid);
  const launched = await launchElsewhere(join(home, 'postgres'), NOBODY);
  {
    await using _launcher = launched;
    expect((await stat(join(home, 'postgres/cluster'))).uid).toBe(NOBODY.uid);
    expect(await query(launched.started.url, 'select current_user as name')).toEqual([{ name: 'baton' }]);
  }
  await expect(query(launched.started.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
