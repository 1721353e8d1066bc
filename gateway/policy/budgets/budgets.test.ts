import { setImmediate as breathe } from 'node:timers/promises';
import { pino } from 'pino';
import { testDatabase } from '#shared/testing/postgres.ts';
import { until } from '../../testing/platform.ts';
import { Budgets } from './budgets.ts';
import { networkOf, payerOf } from './payer.ts';
import { type BudgetStore, BudgetsInPostgres, budgetsInMemory } from './store.ts';

const logger = pino({ level: 'silent' });

interface Counted extends BudgetStore {
  readonly draws: () => number;
  /** Until all that was asked is answered. */
  readonly answered: () => Promise<unknown>;
}

/** Counts how often a store is asked. */
function counted(store: BudgetStore): Counted {
  let draws = 0;
  let last: Promise<unknown> = Promise.resolve();
  return {
    draw: (key, points) => {
      draws += 1;
      const answer = store.draw(key, points);
      last = answer;
      return answer;
    },
    draws: () => draws,
    answered: async () => {
      await last;
      await breathe();
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

const budgetsOver = (store: BudgetStore) => new Budgets({ store, inMemory: budgetsInMemory(), logger });

/** How many of `attempts` are granted. */
async function granted(budgets: Budgets, key: string, limit: number, points: number, attempts: number) {
  const waits = await Promise.all(Array.from({ length: attempts }, () => budgets.spend(key, limit, points)));
  return waits.filter((wait) => wait === 0).length;
}

describe.each(['memory', 'PostgreSQL'])('a budget in %s', (kind) => {
  let resources: AsyncDisposableStack;
  let open: () => BudgetStore;

  beforeAll(async () => {
    resources = new AsyncDisposableStack();
    if (kind === 'memory') {
      const shared = budgetsInMemory();
      open = () => shared;
    } else {
      const database = resources.use(await testDatabase());
      open = () => new BudgetsInPostgres(database.url, logger);
    }
  });
  afterAll(() => resources.disposeAsync());

  test('is spent to the last point and not beyond, whoever asks at once', async () => {
    await using budgets = budgetsOver(open());
    expect(await granted(budgets, 'one', 1_000, 7, 500)).toBe(Math.floor(1_000 / 7));
  });

  test('is one for all gateways: together they grant no more', async () => {
    await using here = budgetsOver(open());
    await using there = budgetsOver(open());
    const [one, other] = await Promise.all([
      granted(here, 'two', 1_000, 10, 200),
      granted(there, 'two', 1_000, 10, 200),
    ]);
    expect(one + other).toBeLessThanOrEqual(100);
    // What the other has drawn and not spent is a twentieth at most.
    expect(one + other).toBeGreaterThanOrEqual(95);
  });

  test('is drawn a twentieth at a time', async () => {
    const store = counted(open());
    await using budgets = budgetsOver(store);
    for (let spent = 0; spent < 1_000; spent += 1) expect(await budgets.spend('three', 1_000, 1)).toBe(0);
    expect(store.draws()).toBe(20);
    const wait = await budgets.spend('three', 1_000, 1);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
    expect(store.draws()).toBe(20);
    await granted(budgets, 'three', 1_000, 1, 100);
    expect(store.draws()).toBe(20);
  });

  test('of one caller is nothing to another', async () => {
    await using budgets = budgetsOver(open());
    expect(await granted(budgets, 'four', 10, 1, 20)).toBe(10);
    expect(await granted(budgets, 'five', 10, 1, 20)).toBe(10);
  });

  test('leaves what is too dear for it to the cheap', async () => {
    await using budgets = budgetsOver(open());
    expect(await budgets.spend('six', 100, 101)).toBe(60);
    expect(await budgets.spend('six', 100, 90)).toBe(0);
    expect(await budgets.spend('six', 100, 20)).toBeGreaterThan(0);
    expect(await budgets.spend('six', 100, 10)).toBe(0);
  });

  test('counts at once, and what was let pass while it drew is taken off', async () => {
    const store = counted(open());
    await using budgets = budgetsOver(store);
    const burst = Array.from({ length: 30 }, () => budgets.count('seven', 40));
    expect(burst).toEqual(Array(30).fill(0));
    await store.answered();
    let passed = 30;
    while (passed < 100 && budgets.count('seven', 40) === 0) {
      passed += 1;
      await store.answered();
    }
    expect(passed).toBe(40);
  });
});

test('while the store is lost each gateway grants the budget by itself', async () => {
  const lost: BudgetStore = {
    draw: () => Promise.reject(new Error('lost')),
    [Symbol.asyncDispose]: async () => undefined,
  };
  await using budgets = budgetsOver(lost);
  expect(await granted(budgets, 'one', 10, 1, 20)).toBe(10);
});

test('a budget is whole again when its minute is over', async () => {
  let drawn = 0;
  const quick: BudgetStore = {
    draw: async (_key, points) => {
      drawn += points;
      const answer = { drawn, endsIn: 20 };
      if (drawn >= 10) drawn = 0;
      return answer;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  await using budgets = budgetsOver(quick);
  expect(await granted(budgets, 'one', 10, 10, 2)).toBe(1);
  await until(async () => (await budgets.spend('one', 10, 10)) === 0);
});

describe('who pays', () => {
  const caller = { expiresAt: null, contract: null, scopes: [], keyId: null, address: '192.0.2.1' };
  test('is the partner, the person, or the address of nobody in particular', () => {
    const user = { kind: 'user', userId: 'u', sessionId: 's', roles: [] } as const;
    const partner = { kind: 'partner', partnerId: 'p', keyId: 'k', scopes: [] } as const;
    expect(payerOf({ ...caller, viewer: user })).toBe('user:u');
    expect(payerOf({ ...caller, viewer: partner, keyId: 'k' })).toBe('partner:p');
    expect(payerOf({ ...caller, viewer: { kind: 'anonymous' } })).toBe('address:192.0.2.1');
  });

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:1:2::ffff', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
