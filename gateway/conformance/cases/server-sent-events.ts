/** GraphQL over server-sent events, in distinct connections mode, and its resumption by `Last-Event-ID`. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import type { EventStream } from '../client/event-stream.ts';
import { codeOf, type Request, type ResultError } from '../client/result.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import { countTo, dataOf, numbersOf, repeat, valuesOf } from './reading.ts';

const sse = (each: CaseOfGroup): CaseOfGroup => ({ ...each, needs: ['sse', ...(each.needs ?? [])] });

const place = (context: Context, count: number): void => context.store.place(...repeat(count, () => ({})));

/** The errors of a request that was refused, by status 4xx or by a result and the end of the stream. */
async function refusalOf(stream: EventStream): Promise<readonly ResultError[]> {
  if (!stream.isEventStream) {
    assert.ok(stream.status >= 400 && stream.status < 500, `status 4xx, but it was ${stream.status}`);
    return (JSON.parse(stream.body) as { errors: readonly ResultError[] }).errors;
  }
  const { result } = await stream.next();
  await stream.completed();
  assert.ok(result.errors?.length, 'a result of errors');
  assert.ok(
    Object.values(result.data ?? {}).every((value) => value === null),
    'no data',
  );
  return result.errors;
}

const refused = (name: string, title: string, request: Request): CaseOfGroup => ({
  name,
  title: `${title} is refused, by status 4xx or by a result of errors and the complete`,
  run: async (context) => {
    const errors = await refusalOf(await context.stream(request));
    assert.ok(errors[0]?.message);
    assert.equal(context.store.watching, 0, 'nothing runs upstream');
  },
});

const countdown = 'subscription ($store: ID!) { countdown(store: $store, from: 3) }';

async function countsDown(stream: EventStream): Promise<void> {
  assert.equal(stream.status, 200);
  assert.match(stream.contentType, /^text\/event-stream\b/);
  assert.deepEqual((await stream.take(3)).map(dataOf), [
    { countdown: 3 },
    { countdown: 2 },
    { countdown: 1 },
  ]);
  const { data } = await stream.completed();
  assert.equal(data, '', 'complete has no data');
}

export const serverSentEvents = group(
  'sse',
  [
    {
      name: 'post',
      title: 'a subscription by POST is answered with `next` events and a `complete`',
      run: async (context: Context) => countsDown(await context.stream({ query: countdown })),
    },
    {
      name: 'get',
      title: 'a subscription by GET is answered the same way, as an EventSource asks',
      run: async (context: Context) =>
        countsDown(await context.stream({ query: countdown }, { method: 'GET' })),
    },
    {
      name: 'live',
      title: 'events arrive as they happen, joined, in order and once',
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number product { name } }');
        const ids = repeat(20, (number) => context.id(`product-${number}`));
        context.store.place(...ids.map((product) => ({ product })));
        assert.deepEqual(
          valuesOf(await stream.take(20)),
          ids.map((id, index) => ({ number: index + 1, product: { name: `name of ${id}` } })),
        );
        assert.equal(stream.unread.length, 0);
      },
    },
    {
      name: 'operation-name',
      title: 'operationName and variables are obeyed',
      run: async (context: Context) => {
        const query = `subscription Wrong($store: ID!) { priceChanged(store: $store) { price } }
          subscription Right($store: ID!, $from: Int!) { countdown(store: $store, from: $from) }`;
        const stream = await context.stream({ query, operationName: 'Right', variables: { from: 1 } });
        assert.deepEqual((await stream.take(1)).map(dataOf), [{ countdown: 1 }]);
        await stream.completed();
      },
    },
    {
      name: 'texts',
      title: 'texts with line ends, and a megabyte of them, arrive as they were sent',
      run: async (context: Context) => {
        const stream = await context.streamOf('{ note }');
        for (const note of ['one\ntwo\r\nthree\rfour\n\ndata: five\u2028', 'ä\n'.repeat(512 * 1024)]) {
          context.store.place({ note });
          assert.ok(
            (valuesOf(await stream.take(1))[0] as { note: string }).note === note,
            'the text is the same',
          );
        }
      },
    },
    {
      name: 'burst',
      title: 'a burst of 1,000 events arrives whole and in order',
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number }');
        place(context, 1_000);
        assert.deepEqual(numbersOf(await stream.take(1_000)), countTo(1_000));
      },
    },
    {
      name: 'errors-in-joins',
      title: 'errors of joins are in their event, with their paths, and the next event is whole',
      run: async (context: Context) => {
        const [bad, good] = [context.id('bad'), context.id('good')];
        const stream = await context.streamOf('{ product { name } }');
        context.shop.break(bad);
        context.store.place({ product: bad }, { product: good });
        const { result } = await stream.next();
        assert.deepEqual(result.data, { orderPlaced: { product: { name: null } } });
        assert.deepEqual(result.errors?.[0]?.path, ['orderPlaced', 'product', 'name']);
        assert.deepEqual(valuesOf(await stream.take(1)), [{ product: { name: `name of ${good}` } }]);
      },
    },
    refused('syntax-error', 'a syntax error', { query: 'subscription {' }),
    refused('unknown-field', 'an unknown field', { query: 'subscription { nothing }' }),
    refused('missing-argument', 'a missing argument', { query: 'subscription { orderPlaced { number } }' }),
    refused('two-root-fields', 'a document with two root fields', {
      query:
        'subscription ($store: ID!) { orderPlaced(store: $store) { number } countdown(store: $store, from: 1) }',
    }),
    refused('unknown-operation', 'an unknown operationName', { query: countdown, operationName: 'Nothing' }),
    {
      name: 'refused-by-subgraph',
      title: "a subgraph's refusal arrives with its code, and the stream ends",
      run: async (context: Context) => {
        const query = 'subscription ($store: ID!) { orderPlaced(store: $store, after: "forged") { number } }';
        assert.equal(codeOf(await refusalOf(await context.stream({ query }))), 'CURSOR_INVALID');
      },
    },
    {
      name: 'query',
      title: 'a query is answered by one event and a complete, or as plain JSON, or refused',
      run: async (context: Context) => {
        const stream = await context.stream({ query: 'query { product(id: "p") { name } }' });
        if (stream.isEventStream) {
          const { result } = await stream.next();
          assert.ok(result.errors || result.data);
          await stream.completed();
        } else assert.ok(stream.status < 500 && JSON.parse(stream.body), 'JSON, and no server error');
      },
    },
    {
      name: 'not-asked-for',
      title: 'a subscription of a client that does not accept an event stream is refused at once',
      run: async (context: Context) => {
        const headers = { accept: 'application/json' };
        const stream = await context.stream({ query: onStore('orderPlaced', '{ number }') }, { headers });
        assert.ok(!stream.isEventStream && stream.status < 500, 'no event stream, and no server error');
        if (stream.status < 400)
          assert.ok((JSON.parse(stream.body) as { errors?: unknown }).errors, 'errors');
        await context.untilWatching(0);
      },
    },
    {
      name: 'close-stops-upstream',
      title: 'when the client closes its connection, the subscription ends upstream',
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number }');
        stream.close();
        await context.untilWatching(0);
      },
    },
    {
      name: 'close-at-once',
      title: 'clients that leave before their first event leave nothing upstream',
      run: async (context: Context) => {
        for (let times = 0; times < 10; times += 1)
          (await context.stream({ query: onStore('orderPlaced', '{ number }') })).close();
        await context.untilWatching(0);
        const stream = await context.streamOf('{ number }');
        place(context, 1);
        assert.deepEqual(numbersOf(await stream.take(1)), [1]);
      },
    },
    {
      name: 'keep-alive',
      title: 'an idle stream shows signs of life',
      waitsFor: 'keepAlive' as const,
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number }');
        await stream.comments.take('a comment', context.limits.keepAlive);
        place(context, 1);
        assert.deepEqual(numbersOf(await stream.take(1)), [1]);
      },
    },
    {
      name: 'many',
      title: 'thirty streams at once get their events, beside sockets',
      run: async (context: Context) => {
        const socket = await context.connect();
        const operation = await context.watch(socket, '{ number note }');
        const streams = await Promise.all(repeat(30, () => context.streamOf('{ number note }')));
        await context.until('each has an event', () => {
          context.store.place({});
          return operation.answered && streams.every(({ unread }) => unread.length > 0);
        });
        const note = 'the last';
        context.store.place({ note });
        for (const stream of streams) {
          const seen: { number: number; note: string | null }[] = [];
          do seen.push(...(valuesOf(await stream.take(1)) as typeof seen));
          while (seen.at(-1)?.note !== note);
          assert.deepEqual(
            seen.map(({ number }) => number),
            countTo(context.store.orders.log.length, seen[0]?.number),
          );
        }
      },
    },
    {
      name: 'slow-client',
      title: 'a stream that is not read slows nobody, and what is found later is whole up to its end',
      run: async (context: Context) => {
        const slow = await context.streamOf('{ number note }');
        const socket = await context.connect();
        const quick = await context.live(socket, { query: onStore('requiredOrder', '{ number note }') }, 2);
        slow.pause();
        const note = 'x'.repeat(64 * 1024);
        for (let placed = 0; placed < 400; placed += 20) {
          context.store.place(...repeat(20, () => ({ note })));
          assert.deepEqual(numbersOf(await quick.take(20)), countTo(placed + 20, placed + 1));
        }
        slow.resume();
        const numbers: unknown[] = [];
        let end: string | undefined;
        while (numbers.length < 400 && end === undefined)
          await slow.next().then(
            ({ result }) => {
              if (result.errors) end = 'told by an error';
              else numbers.push(...numbersOf([result]));
            },
            (error: Error) => {
              end = error.message;
            },
          );
        assert.deepEqual(numbers, countTo(numbers.length), 'no gap');
        assert.ok(!end?.includes('nothing came'), `an end that is told: ${end}`);
      },
    },
    {
      name: 'shared-with-sockets',
      title: 'streams and sockets with the same subscription are one upstream',
      needs: ['sharing'] as const,
      run: async (context: Context) => {
        const socket = await context.connect();
        const operation = await context.watch(socket, '{ number }');
        const stream = await context.streamOf('{ number }');
        await context.until('both have an event', () => {
          place(context, 1);
          return operation.answered && stream.unread.length > 0;
        });
        assert.equal(context.store.opened, 1, 'one upstream subscription');
      },
    },
    {
      name: 'source-ends-or-breaks',
      title: 'when the source is lost the stream ends with a coded error and a complete, or goes on',
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number }');
        place(context, 1);
        assert.deepEqual(numbersOf(await stream.take(1)), [1]);
        context.shop.subgraphs.orders.dropSockets();
        await context.until('it is noticed', () => context.store.watching === 0 || context.store.opened > 1);
        place(context, 1);
        const { result } = await stream.next();
        if (result.errors) {
          assert.ok(codeOf(result.errors), 'the error has a code');
          await stream.completed();
        } else assert.deepEqual(result.data, { orderPlaced: { number: 2 } }, 'the next event, without a gap');
      },
    },
    {
      name: 'after',
      title: 'the argument `after` replays what was missed, then goes live',
      needs: ['resume'] as const,
      run: async (context: Context) => {
        place(context, 3);
        const query = `subscription ($store: ID!, $after: String) { orderPlaced(store: $store, after: $after) { number } }`;
        const stream = await context.stream({ query, variables: { after: cursorOf(1) } });
        assert.deepEqual(numbersOf(await stream.take(2)), [2, 3]);
        place(context, 1);
        assert.deepEqual(numbersOf(await stream.take(1)), [4]);
      },
    },
    {
      name: 'id',
      title: 'the id of each event is its cursor',
      needs: ['event-cursor'] as const,
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number }');
        place(context, 2);
        for (const number of [1, 2]) {
          const { id, result } = await stream.next();
          assert.equal(id, cursorOf(number));
          assert.equal(result.extensions?.cursor, cursorOf(number));
        }
      },
    },
    {
      name: 'last-event-id',
      title: 'Last-Event-ID resumes, by GET and by POST, and wins over `after`',
      needs: ['event-cursor'] as const,
      run: async (context: Context) => {
        place(context, 3);
        const headers = { 'last-event-id': cursorOf(2) };
        const after = `subscription ($store: ID!) { orderPlaced(store: $store, after: "") { number } }`;
        for (const method of ['GET', 'POST'] as const)
          for (const query of [onStore('orderPlaced', '{ number }'), after]) {
            const stream = await context.stream({ query }, { method, headers });
            assert.deepEqual(numbersOf(await stream.take(1)), [3]);
            stream.close();
          }
        await context.untilWatching(0);
      },
    },
    {
      name: 'reconnecting-while-events-flow',
      title: 'a client that is cut again and again and resumes by Last-Event-ID sees each event once',
      needs: ['event-cursor'] as const,
      run: async (context: Context) => {
        let going = true;
        const placing = (async () => {
          for (; going; await new Promise((resolve) => setTimeout(resolve, 2))) place(context, 2);
          return context.store.orders.log.length;
        })();
        const seen: unknown[] = [];
        let lastId = '';
        const follow = async (count: number) => {
          const stream = await context.stream(
            { query: `subscription ($store: ID!) { orderPlaced(store: $store, after: "") { number } }` },
            { method: 'GET', headers: lastId ? { 'last-event-id': lastId } : {} },
          );
          for (let taken = 0; taken < count; taken += 1) {
            const { id, result } = await stream.next();
            seen.push(...numbersOf([result]));
            lastId = id;
          }
          stream.close();
        };
        try {
          for (let times = 0; times < 10; times += 1) await follow(4);
        } finally {
          going = false;
        }
        const last = await placing;
        if (seen.length < last) await follow(last - seen.length);
        assert.deepEqual(seen, countTo(last));
      },
    },
    {
      name: 'gap-notice',
      title:
        'a stream that was resumed and cannot be replayed says in its first event that some may be missing',
      needs: ['gap-notice'] as const,
      run: async (context: Context) => {
        const query = onStore('priceChanged', '{ price }');
        const first = await context.stream({ query });
        await context.untilWatching(1);
        context.store.prices.emit({ price: 1 });
        const { id, result } = await first.next();
        assert.ok(!result.extensions?.mayHaveMissed, 'not for a fresh stream');
        assert.ok(id, 'an id, so that an EventSource comes back with it');
        first.close();
        await context.untilWatching(0);
        const again = await context.stream({ query }, { headers: { 'last-event-id': id } });
        await context.untilWatching(1);
        context.store.prices.emit({ price: 2 }, { price: 3 });
        const results = await again.take(2);
        assert.deepEqual(
          results.map(({ extensions }) => extensions?.mayHaveMissed === true),
          [true, false],
        );
      },
    },
    {
      name: 'over-a-reload',
      title: 'a stream goes on over a new supergraph',
      needs: ['reload'] as const,
      run: async (context: Context) => {
        const stream = await context.streamOf('{ number product { name } }');
        place(context, 1);
        await context.publish('weightAdded');
        place(context, 1);
        assert.deepEqual(numbersOf(await stream.take(2)), [1, 2]);
      },
    },
  ].map(sse),
);
