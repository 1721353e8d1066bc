import { anonymous } from '#shared/kernel/viewer.ts';
import { GuardedClient, type Guards } from './guarded-client.ts';
import { type SubgraphClient, SubgraphFailure, type SubgraphRequest } from './subgraph-client.ts';

const guards: Guards = { concurrency: 2, failuresInARow: 3, restAfterFailures: 100 };

/** A subgraph whose answers the test gives, one after the other. */
function subgraph() {
  const asked: PromiseWithResolvers<{ data: Record<string, unknown> }>[] = [];
  const client: SubgraphClient = {
    name: 'books',
    execute: () => {
      const answer = Promise.withResolvers<{ data: Record<string, unknown> }>();
      asked.push(answer);
      return answer.promise;
    },
    subscribe: () => {
      throw new Error('not asked here');
    },
    fetchRoute: () => Promise.reject(new Error('not asked here')),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const guarded = new GuardedClient(client, guards);
  let count = 0;
  /** Each another query, unless `same` is given. */
  const ask = (same?: string, over: Partial<SubgraphRequest['facts']> = {}) => {
    count += 1;
    const operation = { id: 1, query: '{a}', operationName: undefined, mutation: false, bodyHead: '' };
    return guarded.execute({
      operation,
      variables: {},
      variablesText: same ?? String(count),
      facts: { viewer: anonymous, requestId: 'r', signal: new AbortController().signal, ...over },
      deadline: performance.now() + 10_000,
      traceparent: undefined,
    });
  };
  const failure = () => new SubgraphFailure('SUBGRAPH_UNAVAILABLE', 'books');
  return { asked, ask, guarded, failure };
}

const unavailable = expect.objectContaining({ code: 'SUBGRAPH_UNAVAILABLE' });
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('so many requests at once, the others in their turn', async () => {
  const { asked, ask, guarded } = subgraph();
  const answers = [ask(), ask(), ask(), ask()];
  await settled();
  expect([asked.length, guarded.figures.running, guarded.figures.waiting]).toEqual([2, 2, 2]);
  asked[0]!.resolve({ data: { a: 1 } });
  await settled();
  expect([asked.length, guarded.figures.waiting]).toEqual([3, 1]);
  asked[1]!.resolve({ data: { a: 2 } });
  await settled();
  for (const each of asked.slice(2)) each.resolve({ data: { a: 3 } });
  expect((await Promise.all(answers)).map(({ data }) => data?.a)).toEqual([1, 2, 3, 3]);
  expect([guarded.figures.running, guarded.figures.waiting]).toEqual([0, 0]);
});

test('more than may wait are refused at once', async () => {
  const { asked, ask } = subgraph();
  const answers = Array.from({ length: 22 }, () => ask());
  await expect(ask()).rejects.toEqual(unavailable);
  for (let index = 0; index < 22; index += 1) {
    while (asked.length <= index) await settled();
    asked[index]!.resolve({ data: {} });
  }
  await Promise.all(answers);
});

test('after failures in a row nothing is sent for a while, then one tries for all', async () => {
  const { asked, ask, guarded, failure } = subgraph();
  for (const index of [0, 1, 2]) {
    const answer = ask();
    asked[index]!.reject(failure());
    await expect(answer).rejects.toEqual(unavailable);
  }
  expect(guarded.figures.breaker).toBe('open');
  await expect(ask()).rejects.toEqual(unavailable);
  expect(asked).toHaveLength(3);
  while (guarded.figures.breaker === 'open') await settled();
  const trial = ask();
  await expect(ask()).rejects.toEqual(unavailable);
  expect(asked).toHaveLength(4);
  asked[3]!.resolve({ data: {} });
  await trial;
  expect(guarded.figures.breaker).toBe('closed');
  const again = ask();
  asked[4]!.resolve({ data: {} });
  await again;
});

test('a success in between, or clients that leave, are no failures in a row', async () => {
  const { asked, ask, guarded, failure } = subgraph();
  const left = Object.assign(failure(), { abandoned: true });
  for (const [index, outcome] of [
    failure(),
    failure(),
    undefined,
    failure(),
    left,
    left,
    failure(),
  ].entries()) {
    const answer = ask();
    if (outcome) asked[index]!.reject(outcome);
    else asked[index]!.resolve({ data: {} });
    await answer.catch(() => undefined);
  }
  expect(guarded.figures.breaker).toBe('closed');
});

test('equal queries on their way are sent once, and nobody shares what another changes', async () => {
  const { asked, ask, guarded } = subgraph();
  const answers = [ask('same'), ask('same')];
  asked[0]!.resolve({ data: { list: [1] } });
  const [one, other] = await Promise.all(answers);
  expect(asked).toHaveLength(1);
  expect(other).toEqual(one);
  expect(other?.data?.list).not.toBe(one?.data?.list);
  expect(guarded.figures.shared).toBe(1);
});

test('other viewers do not share', async () => {
  const { asked, ask } = subgraph();
  const user = { kind: 'user', userId: 'u', sessionId: 's', roles: [] } as const;
  const answers = [ask('same'), ask('same', { viewer: user })];
  expect(asked).toHaveLength(2);
  for (const each of asked) each.resolve({ data: {} });
  await Promise.all(answers);
});

test('who waits for a shared answer does not suffer when the first client leaves', async () => {
  const { asked, ask, failure } = subgraph();
  const leaving = new AbortController();
  const first = ask('same', { signal: leaving.signal });
  const second = ask('same');
  leaving.abort();
  asked[0]!.reject(Object.assign(failure(), { abandoned: true }));
  await expect(first).rejects.toEqual(unavailable);
  while (asked.length < 2) await settled();
  asked[1]!.resolve({ data: { a: 1 } });
  expect(await second).toEqual({ data: { a: 1 } });
});
