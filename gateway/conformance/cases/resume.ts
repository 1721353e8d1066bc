/** A client that comes back with its last cursor misses nothing and sees nothing twice. */
import assert from 'node:assert/strict';
import { group, onStore } from '../case.ts';
import { isObject, type Result } from '../client/result.ts';
import type { Operation, Socket } from '../client/socket.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import { Follower, keepPlacing, place, query, subscribe } from './following.ts';
import { countTo, nextValue, numbersOf, refusedWith, repeat, valuesOf } from './reading.ts';

const joined = `subscription ($store: ID!, $after: String) {
  orderPlaced(store: $store, after: $after) { number cursor product { name } } }`;

const cursorsOf = (results: readonly Result[]) => results.map(({ extensions }) => extensions?.cursor);

export const resume = group('resume', [
  {
    name: 'missed-then-live',
    title: 'what came after the cursor comes first, then what is new, without gap or duplicate',
    needs: ['resume'],
    run: async (context) => {
      place(context, 5);
      const socket = await context.connect();
      const operation = subscribe(context, socket, cursorOf(2));
      assert.deepEqual(numbersOf(await operation.take(3)), [3, 4, 5]);
      place(context, 2);
      assert.deepEqual(numbersOf(await operation.take(2)), [6, 7]);
      await socket.roundTrip();
      assert.equal(operation.inbox.size, 0);
    },
  },
  {
    name: 'from-the-beginning',
    title: 'an empty cursor begins at the beginning',
    needs: ['resume'],
    run: async (context) => {
      place(context, 3);
      const operation = subscribe(context, await context.connect(), '');
      assert.deepEqual(numbersOf(await operation.take(3)), [1, 2, 3]);
      place(context, 1);
      assert.deepEqual(numbersOf(await operation.take(1)), [4]);
    },
  },
  {
    name: 'from-the-newest',
    title: 'the newest cursor brings only what is new',
    needs: ['resume'],
    run: async (context) => {
      place(context, 3);
      const operation = await context.live(await context.connect(), {
        query,
        variables: { after: cursorOf(3) },
      });
      place(context, 1);
      assert.deepEqual(numbersOf(await operation.take(1)), [4]);
    },
  },
  {
    name: 'literal-cursor',
    title: 'the cursor may be a literal in the document',
    needs: ['resume'],
    run: async (context) => {
      place(context, 3);
      const socket = await context.connect();
      const operation = socket.subscribe({
        query: `subscription ($store: ID!) { orderPlaced(store: $store, after: "${cursorOf(1)}") { number } }`,
        variables: { store: context.storeName },
      });
      assert.deepEqual(numbersOf(await operation.take(2)), [2, 3]);
    },
  },
  {
    name: 'default-cursor',
    title: 'the cursor may be the default of a variable',
    needs: ['resume'],
    run: async (context) => {
      place(context, 3);
      const socket = await context.connect();
      const operation = socket.subscribe({
        query: query.replace('$after: String', `$after: String = "${cursorOf(1)}"`),
        variables: { store: context.storeName },
      });
      assert.deepEqual(numbersOf(await operation.take(2)), [2, 3]);
    },
  },
  {
    name: 'invalid-cursor',
    title: "a cursor that is not the log's is refused with its code, and the others go on",
    needs: ['resume'],
    run: async (context) => {
      const socket = await context.connect();
      const other = await context.watch(socket, '{ number }');
      for (const after of ['forged', cursorOf(1_000)])
        await refusedWith(subscribe(context, socket, after), 'CURSOR_INVALID');
      place(context, 1);
      assert.deepEqual(await nextValue(other), { number: 1 });
    },
  },
  {
    name: 'replay-is-joined',
    title: 'what is replayed is joined like what is new',
    needs: ['resume'],
    run: async (context) => {
      const ids = repeat(5, (number) => context.id(`product-${number}`));
      context.store.place(...ids.map((product) => ({ product })));
      const operation = subscribe(context, await context.connect(), cursorOf(1), joined);
      assert.deepEqual(
        valuesOf(await operation.take(4)),
        ids.slice(1).map((id, index) => ({
          number: index + 2,
          cursor: cursorOf(index + 2),
          product: { name: `name of ${id}` },
        })),
      );
    },
  },
  {
    name: 'long-replay',
    title: 'a thousand missed events come whole and in order',
    needs: ['resume'],
    run: async (context) => {
      place(context, 1_000);
      const operation = subscribe(context, await context.connect(), '');
      assert.deepEqual(numbersOf(await operation.take(1_000)), countTo(1_000));
    },
  },
  {
    name: 'live-while-another-replays',
    title: 'a replay for one client is not seen by another that listens live',
    needs: ['resume'],
    run: async (context) => {
      const live = await context.live(await context.connect(), { query });
      place(context, 3);
      assert.deepEqual(numbersOf(await live.take(3)), [1, 2, 3]);
      const replaying = subscribe(context, await context.connect(), '');
      assert.deepEqual(numbersOf(await replaying.take(3)), [1, 2, 3]);
      place(context, 2);
      assert.deepEqual(numbersOf(await replaying.take(2)), [4, 5]);
      assert.deepEqual(numbersOf(await live.take(2)), [4, 5]);
    },
  },
  {
    name: 'far-behind-others',
    title: 'a client may resume far behind what others were just sent, and go live with them',
    needs: ['resume'],
    run: async (context) => {
      const live = await context.live(await context.connect(), { query });
      place(context, 800);
      assert.deepEqual(numbersOf(await live.take(800)), countTo(800));
      const near = subscribe(context, await context.connect(), cursorOf(795));
      const far = subscribe(context, await context.connect(), cursorOf(10));
      assert.deepEqual(numbersOf(await near.take(5)), countTo(800, 796));
      assert.deepEqual(numbersOf(await far.take(790)), countTo(800, 11));
      place(context, 3);
      for (const operation of [live, near, far])
        assert.deepEqual(numbersOf(await operation.take(3)), countTo(803, 801));
    },
  },
  {
    name: 'together',
    title: 'thirty clients that return with the same cursor at once get the same, and then what is new',
    needs: ['resume'],
    run: async (context) => {
      place(context, 100);
      const sockets = await Promise.all(repeat(30, () => context.connect()));
      const operations = sockets.map((socket) => subscribe(context, socket, cursorOf(40)));
      for (const operation of operations)
        assert.deepEqual(numbersOf(await operation.take(60)), countTo(100, 41));
      place(context, 2);
      for (const operation of operations) assert.deepEqual(numbersOf(await operation.take(2)), [101, 102]);
    },
  },
  {
    name: 'many-positions',
    title: 'twenty clients resume at twenty cursors while events flow, and each sees all behind its own',
    needs: ['resume'],
    run: async (context) => {
      place(context, 20);
      const stop = keepPlacing(context);
      const clients = await Promise.all(
        countTo(20).map(async (number) => ({
          number,
          operation: subscribe(context, await context.connect(), cursorOf(number)),
        })),
      );
      const last = await stop();
      for (const { number, operation } of clients)
        assert.deepEqual(numbersOf(await operation.take(last - number)), countTo(last, number + 1));
    },
  },
  {
    name: 'reconnecting-while-events-flow',
    title: 'a client that is cut again and again while events flow sees each event once',
    needs: ['resume'],
    run: async (context) => {
      const stop = keepPlacing(context);
      const seen: unknown[] = [];
      const follow = async (count: number, leave: (socket: Socket, operation: Operation) => unknown) => {
        const socket = await context.connect();
        const operation = subscribe(context, socket, seen.length === 0 ? '' : cursorOf(seen.length), joined);
        seen.push(...numbersOf(await operation.take(count)));
        await leave(socket, operation);
      };
      for (let times = 0; times < 4; times += 1) {
        await follow(7, (socket) => socket.terminate());
        await follow(5, (_socket, operation) => operation.stop());
        await follow(3, (socket) => socket.close());
      }
      const last = await stop();
      if (seen.length < last) await follow(last - seen.length, (socket) => socket.close());
      assert.deepEqual(seen, countTo(last));
    },
  },
  {
    name: 'source-lost-while-events-flow',
    title:
      'a client that resumes whenever its stream ends sees each event once, however often the source is lost',
    needs: ['resume'],
    run: async (context) => {
      const socket = await context.connect();
      const stop = keepPlacing(context);
      const follower = new Follower(context, socket, 0);
      for (let times = 1; times <= 5; times += 1) {
        await follower.upTo(times * 10);
        context.shop.subgraphs.orders.dropSockets();
      }
      const last = await stop();
      await follower.upTo(last);
      assert.deepEqual(follower.seen, countTo(last));
    },
  },
  {
    name: 'everybody-after-loss',
    title: 'ten clients at ten cursors see each event once, however often the source is lost',
    needs: ['resume'],
    run: async (context) => {
      place(context, 10);
      const stop = keepPlacing(context);
      const followers = await Promise.all(
        countTo(10).map(async (from) => new Follower(context, await context.connect(), from)),
      );
      for (let times = 1; times <= 3; times += 1) {
        for (const follower of followers) await follower.upTo(times * 40);
        context.shop.subgraphs.orders.dropSockets();
      }
      const last = await stop();
      for (const follower of followers) {
        await follower.upTo(last);
        assert.deepEqual(follower.seen, countTo(last, follower.from + 1));
      }
    },
  },
  {
    name: 'source-restart',
    title: 'a client that resumes after the subgraph of the events was started again misses nothing',
    needs: ['resume'],
    run: async (context) => {
      const socket = await context.connect();
      const follower = new Follower(context, socket, 0);
      place(context, 2);
      await follower.upTo(2);
      await context.shop.subgraphs.orders.stop();
      place(context, 3);
      await context.shop.subgraphs.orders.start();
      await follower.upTo(5);
      assert.deepEqual(follower.seen, [1, 2, 3, 4, 5]);
    },
  },
  {
    name: 'cursor-in-extensions',
    title: 'every event tells its cursor, whether the client selected it or not, under whatever name',
    needs: ['event-cursor'],
    run: async (context) => {
      const socket = await context.connect();
      const plain = await context.watch(socket, '{ number }');
      place(context, 3);
      assert.deepEqual(cursorsOf(await plain.take(3)), [1, 2, 3].map(cursorOf));
      const query =
        'subscription ($store: ID!) { orderPlaced(store: $store, after: "") { n: number at: cursor cursor: number } }';
      const renamed = socket.subscribe({ query, variables: { store: context.storeName } });
      const results = await renamed.take(3);
      assert.deepEqual(cursorsOf(results), [1, 2, 3].map(cursorOf));
      assert.deepEqual(valuesOf(results)[0], { n: 1, at: cursorOf(1), cursor: 1 });
    },
  },
  {
    name: 'cursor-not-in-data',
    title: 'a cursor that the client did not select is not in its data',
    needs: ['event-cursor'],
    run: async (context) => {
      const operation = await context.watch(await context.connect(), '{ number }');
      place(context, 1);
      assert.deepEqual(await nextValue(operation), { number: 1 });
    },
  },
  {
    name: 'cursor-with-errors',
    title: 'an event with errors tells its cursor too',
    needs: ['event-cursor'],
    run: async (context) => {
      const product = context.id('product');
      context.shop.break(product);
      const operation = await context.watch(await context.connect(), '{ number product { name } }');
      context.store.place({ product });
      const result = await operation.next();
      assert.ok(result.errors);
      assert.equal(result.extensions?.cursor, cursorOf(1));
    },
  },
  {
    name: 'no-cursor-no-extension',
    title: 'an event without a cursor tells none',
    needs: ['event-cursor'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.live(socket, { query: onStore('priceChanged', '{ price }') });
      context.store.prices.emit({ price: 1 });
      const { extensions } = await operation.next();
      assert.ok(!isObject(extensions) || !('cursor' in extensions));
    },
  },
  {
    name: 'last-event-id',
    title: 'a client resumes by `extensions.lastEventId` where its document names no cursor',
    needs: ['event-cursor'],
    run: async (context) => {
      place(context, 4);
      const socket = await context.connect();
      const operation = socket.subscribe({
        query: onStore('orderPlaced', '{ number }'),
        variables: { store: context.storeName },
        extensions: { lastEventId: cursorOf(2) },
      });
      assert.deepEqual(numbersOf(await operation.take(2)), [3, 4]);
      place(context, 1);
      assert.deepEqual(numbersOf(await operation.take(1)), [5]);
    },
  },
  {
    name: 'gap-notice',
    title: 'a resumed subscription that cannot be replayed says in its first event that some may be missing',
    needs: ['gap-notice'],
    run: async (context) => {
      const socket = await context.connect();
      const request = { query: onStore('priceChanged', '{ price }') };
      const fresh = await context.live(socket, request);
      const resumed = await context.live(socket, { ...request, extensions: { lastEventId: '-' } }, 1);
      await context.until('both have an event', () => {
        context.store.prices.emit({ price: 1 });
        return fresh.answered && resumed.answered;
      });
      context.store.prices.emit({ price: 2 });
      assert.equal((await resumed.next()).extensions?.mayHaveMissed, true);
      assert.ok(!(await resumed.next()).extensions?.mayHaveMissed, 'once');
      assert.ok(!(await fresh.next()).extensions?.mayHaveMissed, 'not for a fresh subscription');
    },
  },
]);
