import { LockMode } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Conflict } from '../kernel/errors.ts';
import { defineEvent } from '../kernel/event.ts';
import type { Database, Transaction } from './database.ts';
import { openWorkbench, terminate, until, type Workbench } from './runtime.testing.ts';

const Parcel = defineEntity({
  name: 'Parcel',
  tableName: 'parcel',
  properties: { id: p.string().primary(), grams: p.integer() },
});

const ParcelWeighed = defineEvent('depot', 'ParcelWeighed', {
  key: 'id',
  payload: { id: z.string(), grams: z.number() },
});

let bench: Workbench;
let db: Database;
const told: string[] = [];
const lostHints: unknown[] = [];

beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench[Symbol.asyncDispose]());

beforeEach(async () => {
  told.length = 0;
  lostHints.length = 0;
  db = await bench.schema('depot', {
    entities: [Parcel],
    onTold: (publisher) => told.push(publisher),
    onLostHint: (error) => lostHints.push(error),
  });
  await bench.sql.query(`create table "${db.schema}".parcel (id text primary key, grams integer not null)`);
});

const add = (id: string, grams = 1) =>
  db.transaction(async (tx) => {
    tx.em.create(Parcel, { id, grams });
    tx.tell(ParcelWeighed, { id, grams });
  });

async function rows(table: string): Promise<Record<string, unknown>[]> {
  return (await bench.sql.query(`select * from "${db.schema}".${table} order by 1`)).rows;
}
const parcels = async () => (await rows('parcel')).map(({ id }) => id);
const facts = async () =>
  (
    await bench.sql.query(
      `select key, key_seq::int as seq, payload->>'grams' as grams from "${db.schema}".outbox order by position`,
    )
  ).rows;

test('a row and the fact of it are committed together', async () => {
  await add('a', 7);
  expect(await rows('parcel')).toEqual([{ id: 'a', grams: 7 }]);
  expect(await facts()).toEqual([{ key: 'a', seq: 1, grams: '7' }]);
  expect(told).toEqual([db.schema]);
});

test('a service method joins its caller: all of it is kept, or none', async () => {
  const both = (fail: boolean) =>
    db.transaction(async (outer) => {
      await add('a');
      await db.transaction(async (inner) => {
        expect(inner).toBe(outer);
        await add('b');
      });
      expect(await db.read((em) => em.count(Parcel))).toBe(2);
      if (fail) throw new Conflict('NO', 'no');
    });
  await expect(both(true)).rejects.toMatchObject({ code: 'NO' });
  expect([await parcels(), await facts(), told]).toEqual([[], [], []]);
  await both(false);
  expect(await parcels()).toEqual(['a', 'b']);
  expect(told).toEqual([db.schema]);
});

test('a rolled back transaction leaves no row, no fact and no gap in the order of its key', async () => {
  await add('a', 1);
  await expect(
    db.transaction(async (tx) => {
      tx.tell(ParcelWeighed, { id: 'a', grams: 2 });
      await tx.em.flush();
      throw new Error('after all');
    }),
  ).rejects.toThrow('after all');
  await db.transaction(async (tx) => tx.tell(ParcelWeighed, { id: 'a', grams: 3 }));
  expect(await facts()).toMatchObject([
    { seq: 1, grams: '1' },
    { seq: 2, grams: '3' },
  ]);
});

test('a fact that does not fit its definition takes its transaction with it', async () => {
  const tellWrong = db.transaction(async (tx) => {
    tx.em.create(Parcel, { id: 'a', grams: 1 });
    tx.tell(ParcelWeighed, { id: 'a', grams: 'heavy' as never });
  });
  await expect(tellWrong).rejects.toThrow();
  expect(await parcels()).toEqual([]);
});

test('facts of one transaction keep the order in which they were told', async () => {
  await db.transaction(async (tx) => {
    for (const [id, grams] of [
      ['b', 1],
      ['a', 2],
      ['b', 3],
      ['a', 4],
    ] as const)
      tx.tell(ParcelWeighed, { id, grams });
  });
  expect(await facts()).toEqual([
    { key: 'b', seq: 1, grams: '1' },
    { key: 'a', seq: 1, grams: '2' },
    { key: 'b', seq: 2, grams: '3' },
    { key: 'a', seq: 2, grams: '4' },
  ]);
});

test('twenty writers of the same keys leave no gap, and none of them meets a deadlock', async () => {
  const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
  let tries = 0;
  await Promise.all(
    Array.from({ length: 20 }, (_, grams) =>
      db.transaction(async (tx) => {
        tries += 1;
        for (const id of grams % 2 === 0 ? keys : keys.toReversed()) tx.tell(ParcelWeighed, { id, grams });
      }),
    ),
  );
  const all = await facts();
  const whole = Array.from({ length: 20 }, (_, index) => index + 1);
  for (const key of keys) {
    const sequence = all.filter((fact) => fact.key === key).map(({ seq }) => Number(seq));
    expect(sequence.sort((a, b) => a - b)).toEqual(whole);
  }
  expect(tries).toBe(20);
});

test('hints come after the commit, once, and not at all without one', async () => {
  const seen: string[] = [];
  await db.transaction(async (tx) => {
    tx.afterCommit(() => seen.push('first'));
    await db.transaction(async (joined) => joined.afterCommit(() => seen.push('joined')));
    expect(seen).toEqual([]);
  });
  await db
    .transaction(async (tx) => {
      tx.afterCommit(() => seen.push('never'));
      throw new Error('no');
    })
    .catch(() => undefined);
  expect(seen).toEqual(['first', 'joined']);
});

test('a hint that fails undoes nothing and keeps no other hint', async () => {
  const fault = new Error('nobody listens');
  const seen: string[] = [];
  const result = await db.transaction(async (tx) => {
    tx.em.create(Parcel, { id: 'a', grams: 1 });
    tx.afterCommit(() => {
      throw fault;
    });
    tx.afterCommit(() => seen.push('second'));
    return 'kept';
  });
  expect([result, await parcels(), seen, lostHints]).toEqual(['kept', ['a'], ['second'], [fault]]);
});

test('after a refusal that was caught, the transaction goes on with all that was done until then', async () => {
  await db.transaction(async (tx) => {
    await add('a');
    await db
      .transaction(async (joined) => {
        joined.tell(ParcelWeighed, { id: 'a', grams: 9 });
        throw new Conflict('TOO_HEAVY', 'no');
      })
      .catch(() => undefined);
    tx.em.create(Parcel, { id: 'b', grams: 1 });
  });
  expect(await parcels()).toEqual(['a', 'b']);
  expect(await facts()).toHaveLength(2);
});

test('after a statement that failed and was caught, the commit is refused: nothing is taken for kept', async () => {
  await add('a');
  const swallowing = db.transaction(async (tx) => {
    await tx.sql(`insert into parcel values ('b', 1)`);
    await tx.sql(`insert into parcel values ('a', 1)`).catch(() => undefined);
    return 'kept';
  });
  await expect(swallowing).rejects.toThrow();
  expect(await parcels()).toEqual(['a']);
});

test('what outlives its transaction is no part of it', async () => {
  let later!: Promise<void>;
  let tellLate!: () => void;
  const { promise: committed, resolve: commit } = Promise.withResolvers<void>();
  await db.transaction(async (tx) => {
    tellLate = () => tx.tell(ParcelWeighed, { id: 'a', grams: 1 });
    later = committed.then(async () => {
      expect(db.inTransaction).toBe(false);
      await add('late');
    });
    expect(db.inTransaction).toBe(true);
  });
  commit();
  await later;
  expect(await parcels()).toEqual(['late']);
  expect(tellLate).toThrow('The transaction is over');
});

test('a deadlock is tried again, with only the last try told', async () => {
  await add('a');
  await add('b');
  const starts = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let tries = 0;
  const weigh = (first: string, second: string, mine: number) =>
    db.transaction(async (tx) => {
      tries += 1;
      await tx.sql('update parcel set grams = grams + 1 where id = ?', [first]);
      starts[mine]!.resolve();
      await starts[1 - mine]!.promise;
      await tx.sql('update parcel set grams = grams + 1 where id = ?', [second]);
      tx.tell(ParcelWeighed, { id: first, grams: 100 });
    });
  await Promise.all([weigh('a', 'b', 0), weigh('b', 'a', 1)]);
  expect(tries).toBe(3);
  expect((await rows('parcel')).map(({ grams }) => grams)).toEqual([3, 3]);
  expect((await facts()).filter(({ grams }) => grams === '100')).toHaveLength(2);
});

test('a serialization failure is tried again', async () => {
  await add('a');
  let tries = 0;
  await db.transaction(async (tx) => {
    tries += 1;
    await tx.sql('set transaction isolation level repeatable read');
    await tx.sql('select 1 from parcel');
    if (tries === 1) await bench.sql.query(`update "${db.schema}".parcel set grams = 50`);
    await tx.sql('update parcel set grams = grams + 1');
  });
  expect(tries).toBe(2);
  expect(await rows('parcel')).toEqual([{ id: 'a', grams: 51 }]);
});

test('a failure that no retry helps is told after the last', async () => {
  let tries = 0;
  const hopeless = db.transaction(async (tx) => {
    tries += 1;
    await tx.sql(`do $$ begin raise exception 'again' using errcode = '40001'; end $$`);
  });
  await expect(hopeless).rejects.toMatchObject({ code: '40001' });
  expect(tries).toBe(5);
});

test('a row that is locked shows its latest state, even where it was read before', async () => {
  await add('a', 1);
  await db.transaction(async (tx) => {
    const read = await tx.em.findOneOrFail(Parcel, { id: 'a' });
    await bench.sql.query(`update "${db.schema}".parcel set grams = 40`);
    const locked = await tx.em.findOneOrFail(Parcel, { id: 'a' }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    expect(locked).toBe(read);
    locked.grams += 2;
  });
  expect(await rows('parcel')).toEqual([{ id: 'a', grams: 42 }]);
});

test('connections that die inside transactions are replaced: a small pool stays whole', async () => {
  const poolSize = 4;
  const small = await bench.reopen(db, { poolSize });
  const pid = async (tx: Transaction) =>
    (await tx.sql<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid;
  for (let death = 0; death < poolSize; death += 1) {
    const dying = small.transaction(async (tx) => {
      await tx.sql(`insert into parcel values ('dying', 1)`);
      expect(await terminate(bench.sql, `pid = ${await pid(tx)}`)).toBe(1);
      await tx.sql('select 1');
    });
    await expect(dying).rejects.toThrow();
  }
  const together = Promise.withResolvers<void>();
  let inside = 0;
  const pids = await Promise.all(
    Array.from({ length: poolSize }, () =>
      small.transaction(async (tx) => {
        inside += 1;
        if (inside === poolSize) together.resolve();
        await together.promise;
        return pid(tx);
      }),
    ),
  );
  expect(new Set(pids).size).toBe(poolSize);
  expect(await parcels()).toEqual([]);
});

test('every connection dies at once, idle and busy: the next work succeeds', async () => {
  await Promise.all(['a', 'b', 'c'].map((id) => add(id)));
  const waiting = db.transaction(async (tx) => {
    await tx.sql('select pg_sleep(10)');
  });
  const refused = expect(waiting).rejects.toThrow();
  await until(
    async () =>
      (
        await bench.sql.query(
          `select from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()`,
        )
      ).rowCount === 1,
  );
  await terminate(bench.sql, `datname = current_database()`);
  await refused;
  await add('d');
  expect(await parcels()).toEqual(['a', 'b', 'c', 'd']);
});
