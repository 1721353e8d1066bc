import { newId } from '../../kernel/ids.ts';
import { type TestDatabase, testDatabase } from '../../testing/postgres.ts';
import { Capacity } from './capacity.ts';
import { type LedgerUnderTest, openLedger } from './ledger.testing.ts';

let database: TestDatabase;
let under: LedgerUnderTest;
let capacity: Capacity;
beforeAll(async () => {
  database = await testDatabase();
  under = await openLedger({ database });
  capacity = new Capacity(under.db);
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const noon = new Date('2026-05-01T12:00:00Z');
const later = new Date('2026-05-01T13:00:00Z');

async function leg(grams = 1_000): Promise<string> {
  const id = newId();
  await capacity.offer(newId(), id, grams);
  return id;
}

async function hold(items: Record<string, number>, expiresAt = later, holdId = newId()): Promise<string> {
  await capacity.hold({
    holdId,
    shipmentId: newId(),
    items: Object.entries(items).map(([legId, grams]) => ({ legId, grams })),
    expiresAt,
  });
  return holdId;
}

const free = async (legId: string) => (await capacity.free([legId])).get(legId);
const codes = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes
    .map((each) => (each.status === 'fulfilled' ? 'done' : (each.reason as { code: string }).code))
    .sort();

test('what is held is gone, on all legs of a hold or on none', async () => {
  const [one, two] = [await leg(1_000), await leg(500)];
  await hold({ [one]: 400, [two]: 500 });
  expect([await free(one), await free(two)]).toEqual([600, 0]);
  await expect(hold({ [one]: 100, [two]: 1 })).rejects.toMatchObject({
    code: 'CAPACITY_GONE',
    details: { legId: two, freeGrams: 0 },
  });
  expect(await free(one)).toBe(600);
});

test('one leg twice in a hold counts together', async () => {
  const one = await leg(1_000);
  const holdId = newId();
  const items = [600, 500].map((grams) => ({ legId: one, grams }));
  const twice = capacity.hold({ holdId, shipmentId: newId(), items, expiresAt: later });
  await expect(twice).rejects.toMatchObject({
    code: 'CAPACITY_GONE',
    details: { legId: one, freeGrams: 1_000 },
  });
});

test('a leg that never offered anything has nothing to hold', async () => {
  const nowhere = newId();
  expect(await free(nowhere)).toBe(0);
  await expect(hold({ [nowhere]: 1 })).rejects.toMatchObject({
    code: 'CAPACITY_GONE',
    details: { legId: nowhere, freeGrams: 0 },
  });
});

test('the same hold a second time takes nothing more', async () => {
  const one = await leg();
  const holdId = newId();
  const shipmentId = newId();
  const request = { holdId, shipmentId, items: [{ legId: one, grams: 300 }] };
  await capacity.hold({ ...request, expiresAt: noon });
  await capacity.hold({ ...request, expiresAt: later });
  expect(await free(one)).toBe(700);
});

test('of twenty buyers at once as many get through as there is room', async () => {
  const one = await leg(1_000);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => hold({ [one]: 150 })));
  expect(codes(outcomes).filter((code) => code === 'done')).toHaveLength(6);
  expect(new Set(codes(outcomes))).toEqual(new Set(['done', 'CAPACITY_GONE']));
  expect(await free(one)).toBe(100);
});

test('two holds over the same legs in other orders never stop each other', async () => {
  const [one, two] = [await leg(10_000), await leg(10_000)];
  const both = (index: number) => hold(index % 2 ? { [one]: 10, [two]: 10 } : { [two]: 10, [one]: 10 });
  await Promise.all(Array.from({ length: 20 }, (_, index) => both(index)));
  expect([await free(one), await free(two)]).toEqual([9_800, 9_800]);
});

test('an offer may fall to what is promised and no further', async () => {
  const one = await leg(1_000);
  await capacity.confirm(await hold({ [one]: 300 }));
  await hold({ [one]: 200 });
  await expect(capacity.offer(newId(), one, 499)).rejects.toMatchObject({
    code: 'CAPACITY_PROMISED',
    details: { legId: one, promisedGrams: 500 },
  });
  await capacity.offer(newId(), one, 500);
  expect(await free(one)).toBe(0);
  await capacity.offer(newId(), one, 800);
  expect(await free(one)).toBe(300);
});

test('an offer is made once per key, whatever has been offered since', async () => {
  const one = newId();
  const first = newId();
  await capacity.offer(first, one, 100);
  await capacity.offer(newId(), one, 250);
  await capacity.offer(first, one, 100);
  expect(await free(one)).toBe(250);
});

test('offers at once leave one of them, not their sum', async () => {
  const one = newId();
  const offers = [100, 200, 300, 400];
  await Promise.all(offers.map((grams) => capacity.offer(newId(), one, grams)));
  expect(offers).toContain(await free(one));
});

test('a sale stays when its hold would have run out', async () => {
  const one = await leg();
  const holdId = await hold({ [one]: 400 }, noon);
  await capacity.confirm(holdId);
  await capacity.confirm(holdId);
  const expired: string[] = [];
  await capacity.expire(later, async (id) => void expired.push(id));
  expect(expired).not.toContain(holdId);
  expect(await free(one)).toBe(600);
});

test.each([
  ['held', false],
  ['sold', true],
])('what was %s is given back once, whoever gives it back and why', async (_, sold) => {
  const one = await leg();
  const holdId = await hold({ [one]: 400 });
  if (sold) await capacity.confirm(holdId);
  await Promise.all(
    ['cancelled', 'undone', 'refused', 'cancelled'].map((reason) => capacity.release(holdId, reason)),
  );
  await capacity.release(holdId, 'once more');
  expect(await free(one)).toBe(1_000);
});

test('nothing to give back is no fault, an unknown hold cannot be confirmed or extended', async () => {
  await capacity.release(newId());
  await expect(capacity.confirm(newId())).rejects.toMatchObject({ code: 'HOLD_UNKNOWN' });
  await expect(capacity.extend(newId(), later)).rejects.toMatchObject({ code: 'HOLD_UNKNOWN' });
});

test('a hold that was given back can be neither sold nor extended', async () => {
  const holdId = await hold({ [await leg()]: 1 });
  await capacity.release(holdId);
  const resolved = { kind: 'CONFLICT', code: 'HOLD_RESOLVED' };
  await expect(capacity.confirm(holdId)).rejects.toMatchObject(resolved);
  await expect(capacity.extend(holdId, later)).rejects.toMatchObject(resolved);
});

test('what runs out is given back and told once, what was extended is not', async () => {
  const one = await leg();
  const [gone, stays] = [await hold({ [one]: 100 }, noon), await hold({ [one]: 200 }, noon)];
  await capacity.extend(stays, new Date(later.getTime() + 1));
  const expired: string[] = [];
  const expire = () => capacity.expire(later, async (id) => void expired.push(id));
  await Promise.all([expire(), expire(), expire()]);
  expect(expired.filter((id) => id === gone || id === stays)).toEqual([gone]);
  expect(await free(one)).toBe(800);
  expect(await capacity.legsOf(gone)).toEqual([one]);
});

test('a hold whose expiry fails stays held and keeps no other', async () => {
  const [one, two] = [await leg(), await leg()];
  const bad = await hold({ [one]: 100 }, noon);
  const good = await hold({ [two]: 100 }, new Date(noon.getTime() + 1));
  const onExpired = async (id: string) => {
    if (id === bad) throw new Error('nobody listens');
  };
  await expect(capacity.expire(later, onExpired)).rejects.toThrow('nobody listens');
  expect([await free(one), await free(two)]).toEqual([900, 1_000]);
  await capacity.expire(later, async () => {});
  expect(await free(one)).toBe(1_000);
  await expect(capacity.confirm(good)).rejects.toMatchObject({ code: 'HOLD_RESOLVED' });
});

test('confirmed, given back and run out at once, a hold ends one way and in the words of the trade', async () => {
  const one = await leg(1_000);
  for (let round = 0; round < 8; round += 1) {
    const holdId = await hold({ [one]: 1_000 }, noon);
    const outcomes = await Promise.allSettled([
      capacity.confirm(holdId),
      capacity.release(holdId),
      capacity.expire(later, async () => {}),
      capacity.extend(holdId, later),
      capacity.confirm(holdId),
    ]);
    expect(['done', 'HOLD_RESOLVED']).toEqual(expect.arrayContaining(codes(outcomes)));
    await capacity.release(holdId);
    expect(await free(one)).toBe(1_000);
  }
  expect(await under.ledger.verifyChain()).toMatchObject({ intact: true });
});
