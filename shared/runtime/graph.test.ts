import { Writable } from 'node:stream';
import { setImmediate as tick } from 'node:timers/promises';
import { GraphQLError } from 'graphql';
import { pino } from 'pino';
import { Conflict } from '../kernel/errors.ts';
import { anonymous } from '../kernel/viewer.ts';
import {
  type Batch,
  createGraphContext,
  executableSchema,
  type GraphContext,
  groupedBy,
  inOrder,
} from './graph.ts';
import { SubgraphExecutor } from './server/subgraph-executor.ts';
import { PeerUnreachable } from './transient.ts';

const typeDefs = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.10", import: ["@key"])
  type Trip @key(fields: "id") { id: ID! title: String }
  type Query { trips: [Trip!]! trip(id: ID!): Trip bug: String down: String refused: String coded: String }
  type Mutation { rename(id: ID!, title: String!): Trip! }
  type Subscription { renamed: Trip! }
`;

/** A shelf of trips behind one batch, which remembers what it was asked. */
function serve(
  resolvers: (
    load: Batch<string, string>,
    titles: Map<string, string>,
  ) => Record<string, unknown> = () => ({}),
) {
  const titles = new Map([
    ['a', 'Alps'],
    ['b', 'Berlin'],
    ['c', 'Crete'],
  ]);
  const asked: string[][] = [];
  const load: Batch<string, string> = async (_viewer, keys) => {
    asked.push([...keys]);
    return keys.map((key) => titles.get(key) ?? null);
  };
  const said: { path: string; requestId: string; err: { message: string } }[] = [];
  const logger = pino(
    new Writable({
      write(line, _encoding, done) {
        said.push(JSON.parse(String(line)));
        done();
      },
    }),
  );
  const title = ({ id }: { id: string }, _: unknown, context: GraphContext) => context.load(load, id);
  const all: Record<string, unknown> = {
    Query: {
      trips: () => [...titles.keys()].map((id) => ({ id })),
      trip: (_: unknown, { id }: { id: string }) => ({ id }),
      bug: () => {
        throw new TypeError('the password is secret');
      },
      down: () => Promise.reject(new PeerUnreachable('payments')),
      refused: () => Promise.reject(new Conflict('TAKEN', 'Taken', { by: 'x' })),
      coded: () => Promise.reject(new GraphQLError('Slow down', { extensions: { code: 'TOO_MANY' } })),
    },
    Trip: { title, __resolveReference: ({ id }: { id: string }) => ({ id }) },
    Mutation: {
      rename: async (_: unknown, { id, title }: { id: string; title: string }) => {
        titles.set(id, title);
        return { id };
      },
    },
    ...resolvers(load, titles),
  };
  const schema = executableSchema(typeDefs, all, logger);
  const executor = new SubgraphExecutor(
    { name: 'trips', schema, createContext: createGraphContext },
    pino({ level: 'silent' }),
  );
  const call = (query: string, variables = {}) => ({
    query,
    variables,
    viewer: anonymous,
    requestId: 'r-1',
    signal: new AbortController().signal,
  });
  return {
    titles,
    asked,
    said,
    run: (query: string, variables = {}) => executor.execute(call(query, variables)),
    subscribe: (query: string) => executor.subscribe(call(query)),
  };
}

test('all keys that an operation asks of one batch go in one call', async () => {
  const { run, asked } = serve();
  const { data } = await run(
    '{ trips { title } one: trip(id: "b") { title } other: trip(id: "a") { title } }',
  );
  expect(data).toMatchObject({ trips: [{ title: 'Alps' }, { title: 'Berlin' }, { title: 'Crete' }] });
  expect(asked).toEqual([['a', 'b', 'c']]);
});

test('entities that the gateway joins are one call, too', async () => {
  const { run, asked } = serve();
  const representations = ['c', 'x', 'a'].map((id) => ({ __typename: 'Trip', id }));
  const { data } = await run(
    'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Trip { title } } }',
    { representations },
  );
  expect(data).toEqual({ _entities: [{ title: 'Crete' }, { title: null }, { title: 'Alps' }] });
  expect(asked).toEqual([['c', 'x', 'a']]);
});

test('two operations never share what they loaded', async () => {
  const { run, asked } = serve();
  await run('{ trip(id: "a") { title } }');
  await run('{ trip(id: "a") { title } }');
  expect(asked).toEqual([['a'], ['a']]);
});

test('each of several mutations shows the state that it left', async () => {
  const { run } = serve();
  const { data } = await run(
    'mutation { first: rename(id: "a", title: "1") { title } second: rename(id: "a", title: "2") { title } }',
  );
  expect(data).toEqual({ first: { title: '1' }, second: { title: '2' } });
});

test('a mutation that looked before it changed shows what it left', async () => {
  const { run } = serve((load, titles) => ({
    Mutation: {
      rename: async (_: unknown, { id, title }: { id: string; title: string }, context: GraphContext) => {
        const former = await context.load(load, id);
        titles.set(id, `${former} ${title}`);
        return { id };
      },
    },
  }));
  const { data } = await run('mutation { rename(id: "a", title: "1") { title } }');
  expect(data).toEqual({ rename: { title: 'Alps 1' } });
});

test('each event of a subscription shows the state of its time', async () => {
  const { subscribe, titles } = serve(() => ({
    Subscription: {
      renamed: {
        async *subscribe() {
          for (const title of ['1', '2', '3']) {
            titles.set('a', title);
            yield { renamed: { id: 'a' } };
            await tick();
          }
        },
      },
    },
  }));
  const seen: unknown[] = [];
  for await (const { data } of subscribe('subscription { renamed { title } }')) seen.push(data?.renamed);
  expect(seen).toEqual([{ title: '1' }, { title: '2' }, { title: '3' }]);
});

test('a subscription that breaks is logged and told as an internal error', async () => {
  const { subscribe, said } = serve(() => ({
    Subscription: {
      renamed: {
        async *subscribe() {
          yield { renamed: { id: 'a' } };
          throw new TypeError('the password is secret');
        },
      },
    },
  }));
  const events = subscribe('subscription { renamed { id } }');
  expect((await events.next()).value).toEqual({ data: { renamed: { id: 'a' } } });
  await expect(events.next()).rejects.toMatchObject({ message: 'Internal error' });
  expect(said).toMatchObject([{ path: 'Subscription.renamed', err: { message: 'the password is secret' } }]);
});

test('a reader that leaves ends a source that waits', async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const waiting: AsyncIterableIterator<unknown> = {
    next: () => ended.then(() => ({ done: true, value: undefined })),
    return: async () => {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => waiting,
  };
  const { subscribe } = serve(() => ({ Subscription: { renamed: { subscribe: () => waiting } } }));
  const events = subscribe('subscription { renamed { id } }');
  const next = events.next();
  await tick();
  await events.return();
  await ended;
  expect(await next).toMatchObject({ done: true });
});

test('what failed inside is logged with its field and request, and told to nobody', async () => {
  const { run, said } = serve();
  const { data, errors } = await run('{ bug }');
  expect(data).toEqual({ bug: null });
  expect(errors).toMatchObject([
    { message: 'Internal error', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
  ]);
  expect(said).toMatchObject([
    { path: 'Query.bug', requestId: 'r-1', err: { message: 'the password is secret' } },
  ]);
});

test('what may pass is told as such', async () => {
  const { run, said } = serve();
  const { errors } = await run('{ down }');
  expect(errors).toMatchObject([{ message: 'Try again later', extensions: { code: 'UNAVAILABLE' } }]);
  expect(said).toMatchObject([{ path: 'Query.down' }]);
});

test('refusals and coded errors pass as they are and are not logged', async () => {
  const { run, said } = serve();
  const { errors } = await run('{ refused coded }');
  expect(errors?.map(({ extensions }) => extensions)).toEqual([
    { code: 'TAKEN', kind: 'CONFLICT', details: { by: 'x' } },
    { code: 'TOO_MANY' },
  ]);
  expect(said).toEqual([]);
});

test('batch results stand in the order of the keys, with null for what is missing', () => {
  const rows = [{ id: 2 }, { id: 1 }];
  expect(inOrder([1, 3, 2, 1], rows, ({ id }) => id)).toEqual([{ id: 1 }, null, { id: 2 }, { id: 1 }]);
});

test('lists are grouped per key, empty ones included, in the order of the rows', () => {
  const rows = ['b1', 'a2', 'b2', 'x1'];
  expect(groupedBy(['a', 'b', 'c'], rows, (row) => row[0]!)).toEqual([['a2'], ['b1', 'b2'], []]);
});
