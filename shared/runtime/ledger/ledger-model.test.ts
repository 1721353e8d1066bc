/** The ledger against a model of it in memory: random requests, the same answers, the same books. */
import fc from 'fast-check';
import { Refusal } from '../../kernel/errors.ts';
import { LedgerModel } from './ledger.model.ts';
import { type LedgerUnderTest, move, openLedger } from './ledger.testing.ts';
import type { AccountOpening, EntryDraft } from './ledger.ts';

const STORIES = 20;
const REQUESTS_PER_STORY = 200;
const SEED = 20_261_101;

const chart: readonly AccountOpening[] = [
  { code: 'cash', unit: 'EUR', normal: 'debit' },
  { code: 'ann', unit: 'EUR', normal: 'credit', floor: 0n },
  { code: 'bob', unit: 'EUR', normal: 'credit', floor: 0n },
  { code: 'line', unit: 'EUR', normal: 'credit', floor: -40n },
  { code: 'till', unit: 'EUR', normal: 'debit', floor: 0n },
  { code: 'fees', unit: 'EUR', normal: 'credit' },
  { code: 'total', unit: 'g', normal: 'debit' },
  { code: 'free', unit: 'g', normal: 'credit', floor: 0n },
  { code: 'sold', unit: 'g', normal: 'credit', floor: 0n },
];

const among = (...unit: string[]) =>
  fc.constantFrom(...chart.filter((each) => unit.includes(each.unit)).map((each) => each.code));
const amount = fc.bigInt({ min: 1n, max: 60n });
const transfer = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(among('EUR'), among('EUR'), amount) },
  { weight: 6, arbitrary: fc.tuple(among('g'), among('g'), amount) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      among('EUR', 'g'),
      fc.constantFrom('cash', 'free', 'nowhere'),
      fc.bigInt({ min: 0n, max: 60n }),
    ),
  },
);
const entries = fc
  .tuple(fc.array(transfer, { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 40 }))
  .map(([transfers, drop]) => {
    const all = transfers.flatMap(([debit, credit, moved]) => move(debit, credit, moved));
    return drop < all.length ? all.toSpliced(drop, 1) : all;
  });
const at = fc.nat({ max: 1_000 });
/** Mostly a new key; now and then one that another request had. */
const reuse = fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: at });

type Request =
  | { type: 'post'; entries: EntryDraft[]; reuse: number | null }
  | { type: 'hold'; entries: EntryDraft[]; reuse: number | null; expiresAt: number }
  | { type: 'postHold'; hold: number; percent: number | null; reuse: number | null }
  | { type: 'voidHold'; hold: number; reuse: number | null }
  | { type: 'extendHold'; hold: number; expiresAt: number }
  | { type: 'expireHolds'; now: number }
  | { type: 'again'; request: number };

const request: fc.Arbitrary<Request> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('post' as const), entries, reuse }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('hold' as const), entries, reuse, expiresAt: at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('postHold' as const),
      hold: at,
      percent: fc.option(fc.integer({ min: 0, max: 140 }), { freq: 2 }),
      reuse,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('voidHold' as const), hold: at, reuse }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('extendHold' as const), hold: at, expiresAt: at }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('again' as const), request: at }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('expireHolds' as const), now: fc.nat({ max: 200 }) }),
  },
);

const funding: Request[] = [
  ...['ann', 'bob', 'fees'].map((code) => move('cash', code, 400n)),
  move('till', 'fees', 300n),
  move('total', 'free', 500n),
].map((funds) => ({ type: 'post', entries: funds, reuse: null }));

const scaled = (list: readonly EntryDraft[], percent: number): EntryDraft[] =>
  list.map((entry) => ({ ...entry, amount: (entry.amount * BigInt(percent)) / 100n }));

let under: LedgerUnderTest;
let written = 0n;
const answers = new Map<string, number>();
beforeAll(async () => {
  under = await openLedger();
});
afterAll(() => under[Symbol.asyncDispose]());

/** A request put to the model, and the same put to the ledger. */
interface Ask {
  model(): string;
  ledger(): Promise<{ replayed: boolean } | undefined>;
}

const time = (seconds: number) => new Date(Date.UTC(2030, 0, 1) + seconds * 1_000);

async function answerOf(ask: Ask): Promise<string> {
  try {
    return (await ask.ledger())?.replayed ? 'REPLAYED' : 'WRITTEN';
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** One life of a set of accounts of its own: every request is put to the model and to the ledger. */
async function story(requests: readonly Request[], name: string): Promise<void> {
  const { ledger } = under;
  const accounts = chart.map((account) => ({ ...account, code: `${name}:${account.code}` }));
  const model = new LedgerModel(accounts);
  await ledger.openAccounts(accounts);
  const inStory = (list: readonly EntryDraft[]) =>
    list.map((entry) => ({ ...entry, account: `${name}:${entry.account}` }));
  const why = { reason: 'story', cause: { story: name } };
  const holdIds = new Map<string, string>();
  const keys: string[] = [];
  const keyFor = (reused: number | null): string => {
    if (reused !== null && keys.length > 0) return keys[reused % keys.length]!;
    keys.push(`${name}-${keys.length}`);
    return keys.at(-1)!;
  };

  const asked: Ask[] = [];
  const asks = (each: Exclude<Request, { type: 'expireHolds' }>): Ask | undefined => {
    if (each.type === 'again') return asked[each.request % asked.length];
    if (each.type === 'post') {
      const draft = { ...why, key: keyFor(each.reuse), entries: inStory(each.entries) };
      return { model: () => model.post(draft.key, draft.entries), ledger: () => ledger.post(draft) };
    }
    if (each.type === 'hold') {
      const { expiresAt } = each;
      const draft = { ...why, key: keyFor(each.reuse), entries: inStory(each.entries) };
      return {
        model: () => model.hold(draft.key, draft.entries, expiresAt),
        ledger: async () => {
          const receipt = await ledger.hold({ ...draft, expiresAt: time(expiresAt) });
          holdIds.set(draft.key, receipt.id);
          return receipt;
        },
      };
    }
    if (model.holds.size === 0) return undefined;
    const hold = [...model.holds.keys()].at(-1 - (each.hold % Math.min(model.holds.size, 6)))!;
    const id = holdIds.get(hold)!;
    if (each.type === 'extendHold')
      return {
        model: () => model.extendHold(hold, each.expiresAt),
        ledger: async () => void (await ledger.extendHold(id, time(each.expiresAt))),
      };
    const key = keyFor(each.reuse);
    if (each.type === 'voidHold')
      return { model: () => model.voidHold(key, hold), ledger: () => ledger.voidHold(key, id) };
    const part = each.percent === null ? undefined : scaled(model.holds.get(hold)!.entries, each.percent);
    return {
      model: () => model.postHold(key, hold, part),
      ledger: () => ledger.postHold(key, id, { entries: part }),
    };
  };

  for (const each of [...funding, ...requests]) {
    if (each.type === 'expireHolds') {
      expect(await ledger.expireHolds(time(each.now))).toBe(model.expireHolds(each.now));
      continue;
    }
    const ask = asks(each);
    if (!ask) continue;
    asked.push(ask);
    const answer = ask.model();
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    expect(await answerOf(ask)).toBe(answer);
  }

  for (const balance of await ledger.balances({ prefix: `${name}:` })) {
    const { posted, pendingIn, pendingOut, floor } = balance;
    expect({ code: balance.code, posted, pendingIn, pendingOut }).toEqual({
      code: balance.code,
      ...model.balance(balance.code),
    });
    if (floor !== null) expect(posted - pendingOut).toBeGreaterThanOrEqual(floor);
  }
  // Holds of this story would expire in the next one's time.
  model.expireHolds(1_000);
  await ledger.expireHolds(time(1_000));
  written += model.journals;
}

test('thousands of random requests are answered as the model answers them, and the books agree', async () => {
  let stories = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 20, maxLength: REQUESTS_PER_STORY, size: 'max' }),
      async (requests) => {
        stories += 1;
        await story(requests, `story-${stories}`);
      },
    ),
    { seed: SEED, numRuns: STORIES, endOnFailure: false },
  );
  for (const { unit, difference } of await under.ledger.trialBalance())
    expect({ unit, difference }).toEqual({ unit, difference: 0n });
  expect(await under.ledger.drift()).toEqual([]);
  expect(await under.ledger.verifyChain()).toMatchObject({ intact: true, length: written });
  // The stories are worth nothing unless they meet every answer.
  expect([...answers.keys()].sort()).toEqual([
    'LEDGER_ACCOUNT_UNKNOWN',
    'LEDGER_AMOUNT_INVALID',
    'LEDGER_FLOOR',
    'LEDGER_HOLD_RESOLVED',
    'LEDGER_KEY_REUSED',
    'LEDGER_UNBALANCED',
    'REPLAYED',
    'WRITTEN',
  ]);
  expect(Math.min(...answers.values())).toBeGreaterThan(20);
  expect(answers.get('WRITTEN')).toBeGreaterThan(800);
}, 120_000);
