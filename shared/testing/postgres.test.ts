import pg from 'pg';
import { testDatabase } from './postgres.ts';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('two test databases know nothing of each other', async () => {
  await using one = await testDatabase();
  await using two = await testDatabase();
  await query(one.url, 'create table parcels (id int)');
  await expect(query(two.url, 'select * from parcels')).rejects.toThrow('relation "parcels" does not exist');
});

test('a test database goes with its scope, even under an open session', async () => {
  let url: string;
  await using forgotten = new AsyncDisposableStack();
  {
    await using database = await testDatabase();
    url = database.url;
    const session = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    session.on('error', () => undefined);
    await session.connect();
    forgotten.defer(() => session.end());
  }
  await expect(query(url, 'select 1')).rejects.toMatchObject({ code: '3D000' });
});

test("a test database is used with the limits of a service's session", async () => {
  await using database = await testDatabase();
  expect(
    await query(
      database.url,
      "select current_setting('lock_timeout') as lock, current_setting('is_superuser') as su",
    ),
  ).toEqual([{ lock: '2s', su: 'off' }]);
});

test('a superuser reaches the same database past every rule of it', async () => {
  await using database = await testDatabase();
  await query(database.url, 'create table parcels as select 1 as id');
  expect(
    await query(database.superuserUrl, "select id, current_setting('is_superuser') as su from parcels"),
  ).toEqual([{ id: 1, su: 'on' }]);
});
