/** Whoever bypasses the ledger with SQL of their own: PostgreSQL refuses, and what the owner of the tables forces is found. */
import pg from 'pg';
import { newId } from '../../kernel/ids.ts';
import { type TestDatabase, testDatabase } from '../../testing/postgres.ts';
import { HOLD_UNTIL, journal, type LedgerUnderTest, move, openLedger } from './ledger.testing.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

let under: LedgerUnderTest;
/** A hold of 30 of cash's euros for ann, still open; ann owns 50 besides. */
let holdId: string;

const openBooks = async () => {
  under = await openLedger({ database });
  await under.ledger.openAccounts([
    { code: 'cash', unit: 'EUR', normal: 'debit' },
    { code: 'ann', unit: 'EUR', normal: 'credit', floor: 0n },
    { code: 'bob', unit: 'EUR', normal: 'credit', floor: 0n },
    { code: 'free', unit: 'g', normal: 'credit' },
  ]);
  await under.ledger.post(journal(move('cash', 'ann', 80n)));
  holdId = (await under.ledger.hold({ ...journal(move('ann', 'bob', 30n)), expiresAt: HOLD_UNTIL })).id;
};
const closeBooks = () => under[Symbol.asyncDispose]();

type Leg = readonly [account: string, side: string, amount: number | string, unit?: string];

const insertJournal = (id: string, kind = 'posted', resolves: string | null = null) =>
  under.sql.query(
    `insert into ledger_journals (id, kind, key, request_hash, reason, cause, resolves, expires_at)
     values ($1, $2, $3, '', 'attack', '{}', $4, case $2 when 'pending' then now() end)`,
    [id, kind, id, resolves],
  );

const insertLegs = async (id: string, kind: string, legs: readonly Leg[]) => {
  for (const [account, side, amount, unit] of legs)
    await under.sql.query(
      `insert into ledger_entries (journal_id, kind, account_id, unit, side, amount)
       select $1, $2, id, coalesce($6, unit), $4, $5 from ledger_accounts where code = $3`,
      [id, kind, account, side, amount, unit ?? null],
    );
};

async function inTransaction(work: () => Promise<unknown>): Promise<void> {
  await under.sql.query('begin');
  try {
    await work();
    await under.sql.query('commit');
  } catch (error) {
    await under.sql.query('rollback');
    throw error;
  }
}

const write = (legs: readonly Leg[], kind = 'posted', resolves: string | null = null) =>
  inTransaction(async () => {
    const id = newId();
    await insertJournal(id, kind, resolves);
    await insertLegs(id, kind, legs);
  });

const intact = async () => {
  expect(await under.ledger.drift()).toEqual([]);
  expect(await under.ledger.verifyChain()).toMatchObject({ intact: true });
  expect((await under.ledger.trialBalance()).filter((row) => row.difference !== 0n)).toEqual([]);
};

describe('refused by the database', () => {
  beforeAll(openBooks);
  afterEach(intact);
  afterAll(closeBooks);

  test('a journal written by hand is kept to the same books', async () => {
    await write([
      ['cash', 'debit', 7],
      ['bob', 'credit', 7],
    ]);
    expect(await under.ledger.balance('bob')).toMatchObject({ posted: 7n, pendingIn: 30n, available: 7n });
  });

  const journals: [what: string, legs: Leg[], message: RegExp][] = [
    [
      'an unbalanced journal',
      [
        ['cash', 'debit', 5],
        ['bob', 'credit', 4],
      ],
      /LEDGER_UNBALANCED/,
    ],
    ['a single leg', [['cash', 'debit', 5]], /LEDGER_UNBALANCED.*fewer than two/],
    ['a journal without entries', [], /LEDGER_UNBALANCED.*fewer than two/],
    [
      'two debits',
      [
        ['cash', 'debit', 5],
        ['cash', 'debit', 5],
      ],
      /LEDGER_UNBALANCED/,
    ],
    [
      'euros against grams',
      [
        ['cash', 'debit', 5],
        ['free', 'credit', 5],
      ],
      /LEDGER_UNBALANCED/,
    ],
    [
      'an amount of zero',
      [
        ['cash', 'debit', 0],
        ['bob', 'credit', 0],
      ],
      /amount_check/,
    ],
    [
      'a negative amount',
      [
        ['cash', 'debit', -5],
        ['bob', 'credit', -5],
      ],
      /amount_check/,
    ],
    [
      'a fraction',
      [
        ['cash', 'debit', '0.5'],
        ['bob', 'credit', '0.5'],
      ],
      /invalid input syntax for type bigint/,
    ],
    [
      "another unit than the account's",
      [
        ['cash', 'debit', 5, 'g'],
        ['free', 'credit', 5],
      ],
      /foreign key/,
    ],
    [
      'a side that is neither',
      [
        ['cash', 'both', 5],
        ['bob', 'credit', 5],
      ],
      /side_check/,
    ],
    [
      'more than there is',
      [
        ['ann', 'debit', 51],
        ['bob', 'credit', 51],
      ],
      /ledger_floor/,
    ],
  ];
  test.each(journals)('%s', async (_what, legs, message) => {
    await expect(write(legs)).rejects.toThrow(message);
  });

  test('a hold of more than there is', async () => {
    const legs: Leg[] = [
      ['ann', 'debit', 51],
      ['bob', 'credit', 51],
    ];
    await expect(write(legs, 'pending')).rejects.toThrow(/ledger_floor/);
  });

  test('an account that does not exist', async () => {
    const id = newId();
    const attack = inTransaction(async () => {
      await insertJournal(id);
      await under.sql.query(
        `insert into ledger_entries (journal_id, kind, account_id, unit, side, amount) values ($1, 'posted', $2, 'EUR', 'debit', 1)`,
        [id, newId()],
      );
    });
    await expect(attack).rejects.toThrow(/foreign key/);
  });

  test('entries added to a journal that is complete, or without a journal, or of another kind', async () => {
    const { rows } = await under.sql.query(`select id from ledger_journals where kind = 'posted'`);
    const legs: Leg[] = [
      ['cash', 'debit', 5],
      ['bob', 'credit', 5],
    ];
    await expect(inTransaction(() => insertLegs(rows[0].id, 'posted', legs))).rejects.toThrow(
      /LEDGER_SEALED/,
    );
    await expect(inTransaction(() => insertLegs(newId(), 'posted', legs))).rejects.toThrow(/foreign key/);
    const attack = inTransaction(async () => {
      const id = newId();
      await insertJournal(id, 'posted');
      await insertLegs(id, 'pending', legs);
    });
    await expect(attack).rejects.toThrow(/foreign key/);
    const early = inTransaction(async () => {
      const id = newId();
      await insertJournal(id);
      await insertLegs(id, 'posted', legs);
      await under.sql.query('set constraints all immediate');
      await insertLegs(id, 'posted', legs);
    });
    await expect(early).rejects.toThrow(/LEDGER_SEALED/);
  });

  test('a second journal under the same key', async () => {
    const reuse = under.sql.query(
      `insert into ledger_journals (id, kind, key, request_hash, reason, cause)
       select $1, 'posted', key, 'another', reason, cause from ledger_journals where kind = 'posted'`,
      [newId()],
    );
    await expect(reuse).rejects.toThrow(/ledger_journals_key_key/);
  });

  test('resolving twice, resolving what is no hold, or resolving with a kind that does not', async () => {
    const legs: Leg[] = [
      ['cash', 'debit', 3],
      ['bob', 'credit', 3],
    ];
    const { id } = await under.ledger.hold({ ...journal(move('cash', 'bob', 3n)), expiresAt: HOLD_UNTIL });
    await expect(write(legs, 'posted', id)).rejects.toThrow(/ledger_resolution/);
    await expect(write(legs, 'post', null)).rejects.toThrow(/ledger_resolution/);
    await expect(write(legs, 'post', newId())).rejects.toThrow(/LEDGER_HOLD_RESOLVED|foreign key/);
    await write(legs, 'post', id);
    await expect(write(legs, 'post', id)).rejects.toThrow(
      /ledger_journals_resolves_key|LEDGER_HOLD_RESOLVED/,
    );
    await expect(write(legs, 'void', id)).rejects.toThrow(
      /ledger_journals_resolves_key|LEDGER_HOLD_RESOLVED/,
    );
    const { rows } = await under.sql.query(`select id from ledger_journals where kind = 'posted'`);
    await expect(write(legs, 'post', rows[0].id)).rejects.toThrow(/LEDGER_HOLD_RESOLVED/);
  });

  test('posting more than was held, posting elsewhere, voiding a part', async () => {
    const fits = /LEDGER_AMOUNT_INVALID/;
    await expect(
      write(
        [
          ['ann', 'debit', 31],
          ['bob', 'credit', 31],
        ],
        'post',
        holdId,
      ),
    ).rejects.toThrow(fits);
    await expect(
      write(
        [
          ['cash', 'debit', 30],
          ['bob', 'credit', 30],
        ],
        'post',
        holdId,
      ),
    ).rejects.toThrow(fits);
    await expect(
      write(
        [
          ['ann', 'debit', 29],
          ['bob', 'credit', 29],
        ],
        'void',
        holdId,
      ),
    ).rejects.toThrow(fits);
  });

  const statements = [
    ...['ledger_journals', 'ledger_entries', 'ledger_chain', 'ledger_accounts', 'ledger_head'].flatMap(
      (table) => [`delete from ${table}`, `truncate ${table} cascade`],
    ),
    `update ledger_journals set reason = 'nicer'`,
    'update ledger_entries set amount = amount + 1',
    `update ledger_chain set hash = ''`,
    'update ledger_head set seq = 0',
    'insert into ledger_head (single, seq, hash) values (false, 0, null)',
    `insert into ledger_chain (seq, journal_id, hash_version, hash) select 99, id, 1, '' from ledger_journals limit 1`,
    `update ledger_accounts set posted = 1000 where code = 'ann'`,
    `update ledger_accounts set pending_out = 0 where code = 'ann'`,
    `update ledger_accounts set floor = -1000 where code = 'ann'`,
    `update ledger_accounts set code = 'eve' where code = 'ann'`,
    `insert into ledger_accounts (id, code, unit, normal, floor, posted)
     values (gen_random_uuid(), 'eve', 'EUR', 'credit', 0, 1000)`,
    'delete from ledger_holds',
    'truncate ledger_holds',
    'update ledger_holds set journal_id = gen_random_uuid()',
    `insert into ledger_holds (journal_id, expires_at) select id, now() from ledger_journals where kind = 'posted'`,
  ];
  test.each(statements)('%s', async (statement) => {
    await expect(under.sql.query(statement)).rejects.toThrow(/LEDGER_APPEND_ONLY/);
  });

  test('a time of writing that the client chose', async () => {
    const { rows } = await under.sql.query<{ created: Date }>(
      `select max(created_at) as created from ledger_journals`,
    );
    const id = newId();
    await inTransaction(async () => {
      await under.sql.query(
        `insert into ledger_journals (id, kind, key, request_hash, reason, cause, created_at)
         values ($1, 'posted', 'back-dated', '', 'attack', '{}', '2001-01-01')`,
        [id],
      );
      await insertLegs(id, 'posted', [
        ['cash', 'debit', 5],
        ['bob', 'credit', 5],
      ]);
    });
    const written = await under.sql.query(
      'select 1 from ledger_journals where id = $1 and created_at >= $2',
      [id, rows[0]!.created],
    );
    expect(written.rowCount).toBe(1);
  });
});

describe('what the owner of the tables forces is found', () => {
  beforeEach(async () => {
    await openBooks();
    await under.ledger.postHold('third', holdId);
    await under.ledger.post(journal(move('cash', 'bob', 1n)));
  });
  afterEach(closeBooks);

  const tables = ['accounts', 'journals', 'entries', 'holds', 'chain', 'head'].map(
    (name) => `ledger_${name}`,
  );
  const force = async (...statements: string[]) => {
    for (const table of tables) await under.sql.query(`alter table ${table} disable trigger user`);
    for (const statement of statements) await under.sql.query(statement);
    for (const table of tables) await under.sql.query(`alter table ${table} enable trigger user`);
  };
  const journalAt = async (seq: number): Promise<string> =>
    (await under.sql.query('select journal_id from ledger_chain where seq = $1', [seq])).rows[0].journal_id;

  const of = (seq: number) => `(select journal_id from ledger_chain where seq = ${seq})`;
  test.each([
    ['an amount', 2, `update ledger_entries set amount = 31 where journal_id = ${of(2)}`],
    ['a side', 1, `update ledger_entries set side = 'debit' where journal_id = ${of(1)}`],
    [
      'an account',
      4,
      `update ledger_entries set account_id = (select id from ledger_accounts where code = 'ann') where journal_id = ${of(4)} and side = 'credit'`,
    ],
    ['an entry taken away', 3, `delete from ledger_entries where journal_id = ${of(3)} and side = 'debit'`],
    ['a reason', 3, `update ledger_journals set reason = 'gift' where id = ${of(3)}`],
    ['a cause', 1, `update ledger_journals set cause = '{"test": 0}' where id = ${of(1)}`],
    [
      'a time',
      2,
      `update ledger_journals set created_at = created_at - interval '1 microsecond' where id = ${of(2)}`,
    ],
    ['the name of an account', 2, `update ledger_accounts set code = 'eve' where code = 'bob'`],
    ['a hash', 2, `update ledger_chain set hash = sha256('') where seq = 2`],
    ['a hash version', 3, `update ledger_chain set hash_version = 2 where seq = 3`],
  ])('%s changed', async (_what, seq, statement) => {
    const journalId = await journalAt(seq);
    await force(statement);
    expect(await under.ledger.verifyChain()).toEqual({
      intact: false,
      problem: 'CHANGED',
      seq: BigInt(seq),
      journalId,
    });
  });

  test('a journal taken away with its link', async () => {
    await force(`delete from ledger_chain where seq = 2`);
    expect(await under.ledger.verifyChain()).toMatchObject({ problem: 'MISSING', seq: 2n });
  });

  test('the last journal taken away without a trace', async () => {
    const last = await journalAt(4);
    await force(
      `delete from ledger_entries where journal_id = '${last}'`,
      `delete from ledger_chain where seq = 4`,
      `delete from ledger_journals where id = '${last}'`,
    );
    expect(await under.ledger.verifyChain()).toMatchObject({ problem: 'HEAD_DIFFERS', seq: 4n });
  });

  test('a journal taken away by a superuser, whom not even foreign keys stop', async () => {
    const journalId = await journalAt(2);
    const superuser = new pg.Client({ connectionString: under.superuserUrl });
    await superuser.connect();
    await superuser.query(`set session_replication_role = 'replica'`);
    await superuser.query(`delete from ${under.schema}.ledger_journals where id = $1`, [journalId]);
    await superuser.end();
    expect(await under.ledger.verifyChain()).toEqual({
      intact: false,
      problem: 'CHANGED',
      seq: 2n,
      journalId,
    });
  });

  test('a journal slipped in past the checks', async () => {
    const id = newId();
    await force(
      `insert into ledger_journals (id, kind, key, request_hash, reason, cause, effective_at, created_at)
       values ('${id}', 'posted', 'slipped', '', 'gift', '{}', now(), now())`,
    );
    expect(await under.ledger.verifyChain()).toMatchObject({ problem: 'UNSEALED', journalId: id });
  });

  test('a balance that its entries do not explain', async () => {
    await force(`update ledger_accounts set posted = posted + 1 where code = 'ann'`);
    expect(await under.ledger.drift()).toEqual(['ann']);
    expect(await under.ledger.trialBalance()).toContainEqual(
      expect.objectContaining({ unit: 'EUR', difference: -1n }),
    );
  });
});
