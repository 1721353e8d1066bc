import { HOLD_UNTIL, journal, type LedgerUnderTest, move, openLedger } from './ledger.testing.ts';
import type { AccountOpening } from './ledger.ts';

let under: LedgerUnderTest;
beforeAll(async () => {
  under = await openLedger({ poolSize: 20 });
});
afterEach(async () => {
  for (const { unit, difference } of await under.ledger.trialBalance())
    expect({ unit, difference }).toEqual({ unit, difference: 0n });
  expect(await under.ledger.drift()).toEqual([]);
  expect(await under.ledger.verifyChain()).toMatchObject({ intact: true });
});
afterAll(() => under[Symbol.asyncDispose]());

let legs = 0;

/** A leg with so many grams to sell: `total` funds `free`, bookings move grams from `free` to `sold`. */
async function leg(capacityGrams: bigint) {
  legs += 1;
  const [total, free, sold] = [`leg:${legs}:total`, `leg:${legs}:free`, `leg:${legs}:sold`];
  await under.ledger.openAccounts([
    { code: total, unit: 'g', normal: 'debit' },
    { code: free, unit: 'g', normal: 'credit', floor: 0n },
    { code: sold, unit: 'g', normal: 'credit', floor: 0n },
  ]);
  await under.ledger.post(journal(move(total, free, capacityGrams)));
  const state = async () => {
    const [freely, taken] = await under.ledger.balances([free, sold]);
    return { free: freely!.available, held: freely!.pendingOut, sold: taken!.posted };
  };
  const hold = (grams: bigint, expiresAt = HOLD_UNTIL) =>
    under.ledger.hold({ ...journal(move(free, sold, grams)), expiresAt });
  return { total, free, sold, state, hold };
}

const refused = (code: string, details: Record<string, unknown> = {}) =>
  expect.objectContaining({ code, details: expect.objectContaining(details) });

describe('accounts', () => {
  const account: AccountOpening = { code: 'payable:ann', unit: 'EUR', normal: 'credit', floor: 0n };

  test('an account opened twice is one account', async () => {
    await under.ledger.openAccount(account);
    await under.ledger.openAccounts([account, { ...account, code: 'payable:bob' }]);
    expect(await under.ledger.balances({ prefix: 'payable:' })).toMatchObject([
      { code: 'payable:ann', available: 0n },
      { code: 'payable:bob', available: 0n },
    ]);
  });

  test.each([{ unit: 'USD' }, { normal: 'debit' }, { floor: null }, { floor: -1n }] as const)(
    'an open account is not opened in another form: %p',
    async (other) => {
      await under.ledger.openAccount(account);
      await expect(under.ledger.openAccount({ ...account, ...other })).rejects.toEqual(
        refused('LEDGER_ACCOUNT_DIFFERS', { account: account.code }),
      );
    },
  );

  test.each([{ unit: 'euros!' }, { floor: 1n }, { code: '' }])(
    'no account can be opened with %p',
    async (wrong) => {
      await expect(under.ledger.openAccount({ ...account, ...wrong })).rejects.toEqual(
        refused('LEDGER_ACCOUNT_INVALID'),
      );
    },
  );

  test('a credit line is a floor below zero', async () => {
    await under.ledger.openAccounts([
      { code: 'line', unit: 'EUR', normal: 'credit', floor: -100n },
      { code: 'line:drawn', unit: 'EUR', normal: 'credit' },
    ]);
    await under.ledger.post(journal(move('line', 'line:drawn', 100n)));
    expect(await under.ledger.balance('line')).toMatchObject({ posted: -100n, available: 0n });
    await expect(under.ledger.post(journal(move('line', 'line:drawn', 1n)))).rejects.toEqual(
      refused('LEDGER_FLOOR', { account: 'line', available: '0' }),
    );
  });
});

describe('posting', () => {
  test('the same key is written once, even fifty times at once', async () => {
    const { free, sold, state } = await leg(1_000n);
    const draft = journal(move(free, sold, 300n));
    const receipts = await Promise.all(Array.from({ length: 50 }, () => under.ledger.post(draft)));
    expect(receipts.filter((receipt) => !receipt.replayed)).toHaveLength(1);
    expect(new Set(receipts.map((receipt) => receipt.id)).size).toBe(1);
    expect(await state()).toEqual({ free: 700n, held: 0n, sold: 300n });
  });

  test('the same key at once on accounts that are never locked is written once', async () => {
    await under.ledger.openAccounts([
      { code: 'hot:a', unit: 'EUR', normal: 'debit' },
      { code: 'hot:b', unit: 'EUR', normal: 'credit' },
    ]);
    const draft = journal(move('hot:a', 'hot:b', 7n));
    const receipts = await Promise.all(Array.from({ length: 20 }, () => under.ledger.post(draft)));
    expect(receipts.filter((receipt) => !receipt.replayed)).toHaveLength(1);
    expect(await under.ledger.balance('hot:b')).toMatchObject({ posted: 7n });
  });

  test('a replay answers as before although the account is empty by now', async () => {
    const { free, sold } = await leg(500n);
    const draft = journal(move(free, sold, 500n));
    const first = await under.ledger.post(draft);
    expect(await under.ledger.post(draft)).toEqual({ id: first.id, replayed: true });
  });

  test('a key is not reused for another amount, reason, cause or phase', async () => {
    const { free, sold } = await leg(500n);
    const draft = journal(move(free, sold, 1n));
    await under.ledger.post(draft);
    const reused = refused('LEDGER_KEY_REUSED', { key: draft.key });
    await expect(under.ledger.post({ ...draft, entries: move(free, sold, 2n) })).rejects.toEqual(reused);
    await expect(under.ledger.post({ ...draft, reason: 'another' })).rejects.toEqual(reused);
    await expect(under.ledger.post({ ...draft, cause: {} })).rejects.toEqual(reused);
    await expect(under.ledger.hold({ ...draft, expiresAt: HOLD_UNTIL })).rejects.toEqual(reused);
  });

  test('what is not there cannot be taken', async () => {
    const { free, sold, state } = await leg(500n);
    await expect(under.ledger.post(journal(move(free, sold, 501n)))).rejects.toEqual(
      refused('LEDGER_FLOOR', { account: free, available: '500' }),
    );
    expect(await state()).toEqual({ free: 500n, held: 0n, sold: 0n });
  });

  test('debits equal credits in every unit and there are at least two', async () => {
    const { free, sold } = await leg(500n);
    await under.ledger.openAccount({ code: 'cash', unit: 'EUR', normal: 'debit' });
    const unbalanced = refused('LEDGER_UNBALANCED');
    const [debit, credit] = move(free, sold, 5n);
    await expect(under.ledger.post(journal([debit!]))).rejects.toEqual(unbalanced);
    await expect(under.ledger.post(journal([]))).rejects.toEqual(unbalanced);
    await expect(under.ledger.post(journal([debit!, { ...credit!, amount: 4n }]))).rejects.toEqual(
      unbalanced,
    );
    await expect(under.ledger.post(journal(move('cash', sold, 5n)))).rejects.toEqual(unbalanced);
  });

  test.each([0n, -1n, 2n ** 63n])('%p is no amount', async (amount) => {
    const { free, sold } = await leg(500n);
    await expect(under.ledger.post(journal(move(free, sold, amount)))).rejects.toEqual(
      refused('LEDGER_AMOUNT_INVALID', { amount: String(amount) }),
    );
  });

  test('nothing is posted to an account that was not opened', async () => {
    const { free } = await leg(500n);
    await expect(under.ledger.post(journal(move(free, 'nowhere', 5n)))).rejects.toEqual(
      refused('LEDGER_ACCOUNT_UNKNOWN', { accounts: ['nowhere'] }),
    );
    await expect(under.ledger.balance('nowhere')).rejects.toEqual(refused('LEDGER_ACCOUNT_UNKNOWN'));
    await expect(under.ledger.entriesOf('nowhere')).rejects.toEqual(refused('LEDGER_ACCOUNT_UNKNOWN'));
  });

  test("the caller's transaction survives a refusal, and its rollback takes the journal along", async () => {
    const [small, large] = [await leg(10n), await leg(100n)];
    await under.db.transaction(async () => {
      await expect(small.hold(50n)).rejects.toEqual(refused('LEDGER_FLOOR'));
      await large.hold(50n);
      expect(await large.state()).toMatchObject({ held: 50n });
    });
    expect(await large.state()).toEqual({ free: 50n, held: 50n, sold: 0n });
    const change = under.db.transaction(async () => {
      await large.hold(50n);
      throw new Error('changed my mind');
    });
    await expect(change).rejects.toThrow('changed my mind');
    expect(await large.state()).toEqual({ free: 50n, held: 50n, sold: 0n });
  });

  test('a statement lists what moved, newest first, page by page', async () => {
    const { free, sold } = await leg(500n);
    for (const grams of [1n, 2n, 3n]) await under.ledger.post(journal(move(free, sold, grams)));
    const first = await under.ledger.entriesOf(sold, { first: 2 });
    expect(first.edges.map(({ node }) => [node.amount, node.side, node.unit])).toEqual([
      [3n, 'credit', 'g'],
      [2n, 'credit', 'g'],
    ]);
    const second = await under.ledger.entriesOf(sold, { first: 2, after: first.pageInfo.endCursor });
    expect(second.edges.map(({ node }) => node.amount)).toEqual([1n]);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const forged = Buffer.from('x').toString('base64url');
    await expect(under.ledger.entriesOf(sold, { after: forged })).rejects.toEqual(refused('CURSOR_INVALID'));
  });
});

describe('holding', () => {
  test('what is held is gone for others and not yet there for its receiver', async () => {
    const { hold, sold, free, state } = await leg(500n);
    await hold(400n);
    expect(await state()).toEqual({ free: 100n, held: 400n, sold: 0n });
    expect(await under.ledger.balance(sold)).toMatchObject({ pendingIn: 400n, available: 0n });
    await expect(hold(101n)).rejects.toEqual(refused('LEDGER_FLOOR', { account: free, available: '100' }));
    await expect(under.ledger.post(journal(move(sold, free, 1n)))).rejects.toEqual(
      refused('LEDGER_FLOOR', { account: sold, available: '0' }),
    );
  });

  test('fifty ask at once for the last kilos: as many win as fit, and nobody waits in a circle', async () => {
    await using contested = await openLedger({ poolSize: 25 });
    const { ledger } = contested;
    await ledger.openAccounts([
      { code: 'total', unit: 'g', normal: 'debit' },
      { code: 'free', unit: 'g', normal: 'credit', floor: 0n },
      { code: 'sold', unit: 'g', normal: 'credit', floor: 0n },
    ]);
    await ledger.post(journal(move('total', 'free', 10_000n)));
    const asked = await Promise.allSettled(
      Array.from({ length: 50 }, () =>
        ledger.hold({ ...journal(move('free', 'sold', 1_500n)), expiresAt: HOLD_UNTIL }),
      ),
    );
    const won = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.id] : []));
    const lost = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []));
    expect(won).toHaveLength(6);
    expect(lost).toEqual(Array.from({ length: 44 }, () => 'LEDGER_FLOOR'));
    await Promise.all(
      won.map((id, at) => (at % 2 ? ledger.postHold(`p${id}`, id) : ledger.voidHold(`v${id}`, id))),
    );
    expect(await ledger.balance('free')).toMatchObject({ posted: 5_500n, pendingOut: 0n });
    expect(await deadlocks(contested)).toBe(0);
  });

  test('transfers in every direction between the same accounts never wait in a circle', async () => {
    await using contested = await openLedger({ poolSize: 25 });
    const codes = ['a', 'b', 'c', 'd'];
    await contested.ledger.openAccounts([
      { code: 'world', unit: 'EUR', normal: 'debit' },
      ...codes.map((code) => ({ code, unit: 'EUR', normal: 'credit' as const, floor: 0n })),
    ]);
    await contested.ledger.post(journal(...codes.map((code) => move('world', code, 1_000n))));
    await Promise.all(
      Array.from({ length: 120 }, (_, at) => {
        const [from, via, to] = [codes[at % 4]!, codes[(at + 1 + (at % 3)) % 4]!, codes[(at * 3 + 2) % 4]!];
        return contested.ledger.post(journal(move(from, via, 2n), move(via, to, 1n)));
      }),
    );
    expect(await contested.ledger.trialBalance()).toEqual([
      { unit: 'EUR', debits: 4_000n, credits: 4_000n, difference: 0n },
    ]);
    expect(await contested.ledger.drift()).toEqual([]);
    expect(await contested.ledger.verifyChain()).toMatchObject({ intact: true, length: 121n });
    expect(await deadlocks(contested)).toBe(0);
  });

  test('a hold is posted once although ten try at once', async () => {
    const { hold, state } = await leg(500n);
    const { id } = await hold(200n);
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) =>
        at % 2 ? under.ledger.postHold(`${id}-${at}`, id) : under.ledger.voidHold(`${id}-${at}`, id),
      ),
    );
    expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected')
        expect(answer.reason).toEqual(refused('LEDGER_HOLD_RESOLVED', { hold: id }));
    const posted = (await under.ledger.holdStatus(id)).state === 'POSTED';
    expect(await state()).toEqual({ free: posted ? 300n : 500n, held: 0n, sold: posted ? 200n : 0n });
  });

  test('posting or voiding under the same key answers as before', async () => {
    const { hold } = await leg(500n);
    const [first, second] = [await hold(1n), await hold(2n)];
    const posts = await Promise.all(
      Array.from({ length: 5 }, () => under.ledger.postHold(`${first.id}-p`, first.id)),
    );
    expect(posts.filter((receipt) => !receipt.replayed)).toHaveLength(1);
    const voided = await under.ledger.voidHold(`${second.id}-v`, second.id);
    expect(await under.ledger.voidHold(`${second.id}-v`, second.id)).toEqual({
      id: voided.id,
      replayed: true,
    });
    await expect(under.ledger.voidHold(`${first.id}-p`, first.id)).rejects.toEqual(
      refused('LEDGER_KEY_REUSED'),
    );
    await expect(under.ledger.postHold(`${first.id}-p`, second.id)).rejects.toEqual(
      refused('LEDGER_KEY_REUSED'),
    );
  });

  test('a part is posted and the rest released', async () => {
    const { hold, state, free, sold } = await leg(500n);
    const { id } = await hold(200n);
    await under.ledger.postHold(`${id}-p`, id, { entries: move(free, sold, 150n), reason: 're-weighed' });
    expect(await state()).toEqual({ free: 350n, held: 0n, sold: 150n });
    expect(await under.ledger.holdStatus(id)).toEqual({ state: 'POSTED', expiresAt: null });
  });

  test('no more than what is held can be posted, and to nobody else', async () => {
    const { hold, state, free, sold, total } = await leg(500n);
    const { id } = await hold(200n);
    const above = refused('LEDGER_AMOUNT_INVALID');
    const post = (entries: ReturnType<typeof move>) => under.ledger.postHold(`${id}-p`, id, { entries });
    await expect(post(move(free, sold, 201n))).rejects.toEqual(above);
    await expect(post([...move(free, sold, 150n), ...move(free, sold, 51n)])).rejects.toEqual(above);
    await expect(post(move(free, total, 100n))).rejects.toEqual(above);
    await expect(post(move(free, sold, 0n))).rejects.toEqual(above);
    await expect(post(move(free, sold, 5n).slice(1))).rejects.toEqual(refused('LEDGER_UNBALANCED'));
    expect(await state()).toEqual({ free: 300n, held: 200n, sold: 0n });
  });

  test('a hold that never was cannot be resolved, extended or asked for', async () => {
    const { free, sold } = await leg(500n);
    const posted = await under.ledger.post(journal(move(free, sold, 1n)));
    for (const id of ['018f0000-0000-7000-8000-000000000000', posted.id]) {
      const unknown = refused('LEDGER_HOLD_UNKNOWN', { hold: id });
      await expect(under.ledger.postHold(`${id}-p`, id)).rejects.toEqual(unknown);
      await expect(under.ledger.voidHold(`${id}-v`, id)).rejects.toEqual(unknown);
      await expect(under.ledger.extendHold(id, HOLD_UNTIL)).rejects.toEqual(unknown);
      await expect(under.ledger.holdStatus(id)).rejects.toEqual(unknown);
    }
    await expect(under.ledger.postHold('p', 'no-uuid')).rejects.toEqual(refused('ID_MALFORMED'));
  });

  test('past its expiry a hold is released, unless it was extended or resolved', async () => {
    const { hold, state } = await leg(500n);
    const expiry = new Date('2029-01-01T10:00:00Z');
    const [due, later, done] = [await hold(10n, expiry), await hold(20n, expiry), await hold(40n, expiry)];
    await under.ledger.extendHold(later.id, HOLD_UNTIL);
    await under.ledger.postHold(`${done.id}-p`, done.id);
    await expect(under.ledger.extendHold(done.id, HOLD_UNTIL)).rejects.toEqual(
      refused('LEDGER_HOLD_RESOLVED', { state: 'POSTED' }),
    );
    expect(await under.ledger.expireHolds(new Date(expiry.getTime() - 1))).toBe(0);
    const sweeps = await Promise.all([1, 2, 3].map(() => under.ledger.expireHolds(expiry)));
    expect(sweeps.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(await under.ledger.holdStatus(due.id)).toEqual({ state: 'VOIDED', expiresAt: null });
    expect(await under.ledger.holdStatus(later.id)).toEqual({ state: 'OPEN', expiresAt: HOLD_UNTIL });
    expect(await state()).toEqual({ free: 440n, held: 20n, sold: 40n });
  });

  test('more holds expire than fit one batch', async () => {
    const { hold, state } = await leg(500n);
    const expiry = new Date('2028-01-01T00:00:00Z');
    await Promise.all(Array.from({ length: 130 }, () => hold(1n, expiry)));
    expect(await under.ledger.expireHolds(expiry)).toBe(130);
    expect(await state()).toEqual({ free: 500n, held: 0n, sold: 0n });
  });
});

/** Retries hide deadlocks; the server counts them. Its connections must be gone for the count to be whole. */
async function deadlocks({ db, sql, databaseName }: LedgerUnderTest): Promise<number> {
  await db[Symbol.asyncDispose]();
  for (;;) {
    const { rows } = await sql.query(
      `select deadlocks::int, (select count(*)::int from pg_stat_activity where datname = $1) as connections
       from pg_stat_database where datname = $1`,
      [databaseName],
    );
    if (rows[0].connections === 1) return rows[0].deadlocks;
  }
}
