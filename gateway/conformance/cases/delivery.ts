/** Events arrive all, once and in order; and what nobody listens to any more ends upstream. */
import assert from 'node:assert/strict';
import { group, onStore } from '../case.ts';
import { codeOf, type Result } from '../client/result.ts';
import { countTo, dataOf, nextValue, numbersOf, refusedWith, repeat, valuesOf } from './reading.ts';

export const delivery = group('delivery', [
  {
    name: 'in-order-once',
    title: 'events arrive in order and once, and none beyond them',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number }');
      for (let batch = 0; batch < 5; batch += 1) context.store.place({}, {});
      assert.deepEqual(numbersOf(await operation.take(10)), countTo(10));
      await socket.roundTrip();
      assert.equal(operation.inbox.size, 0);
    },
  },
  {
    name: 'only-new',
    title: 'without `after` only what happens from now on arrives',
    run: async (context) => {
      context.store.place({}, {}, {});
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number }');
      context.store.place({});
      assert.deepEqual(await nextValue(operation), { number: 4 });
    },
  },
  {
    name: 'burst',
    title: 'a burst of 1,000 events arrives whole and in order',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number }');
      context.store.place(...repeat(1_000, () => ({})));
      assert.deepEqual(numbersOf(await operation.take(1_000)), countTo(1_000));
    },
  },
  {
    name: 'burst-without-cursor',
    title: 'a burst of 200 events that have no cursor arrives whole and in order',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ price }', 'priceChanged');
      context.store.prices.emit(...repeat(200, (price) => ({ price })));
      assert.deepEqual(
        valuesOf(await operation.take(200)),
        repeat(200, (price) => ({ price })),
      );
    },
  },
  {
    name: 'flood-without-cursor',
    title:
      'a flood of 5,000 events that have no cursor arrives whole, or up to an end that is told with a code',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ price }', 'priceChanged');
      context.store.prices.emit(...repeat(5_000, (price) => ({ price })));
      for (let price = 1; price <= 5_000; price += 1) {
        const { type, payload } = await operation.any();
        if (type === 'error') return assert.ok(codeOf(payload as []), 'the error has a code');
        assert.deepEqual(valuesOf([payload as Result]), [{ price }], 'no gap');
      }
    },
  },
  {
    name: 'burst-of-large-events',
    title: 'a burst of forty events of 200 kB arrives whole and in order',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number note }');
      const note = 'x'.repeat(200_000);
      context.store.place(...repeat(40, () => ({ note })));
      assert.deepEqual(numbersOf(await operation.take(40)), countTo(40));
    },
  },
  {
    name: 'burst-with-joins',
    title: 'a burst of 200 events arrives whole and in order, each with its join',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      const ids = repeat(200, (number) => context.id(`product-${number}`));
      context.store.place(...ids.map((product) => ({ product })));
      const got = (await operation.take(200)).map((result) => dataOf(result).orderPlaced);
      assert.deepEqual(
        got,
        ids.map((id, index) => ({ number: index + 1, product: { name: `name of ${id}` } })),
      );
    },
  },
  {
    name: 'large-event',
    title: 'an event of a megabyte arrives whole, and small ones after it',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number note }');
      const note = 'ä1"\\'.repeat(256 * 1024);
      context.store.place({ note }, { note: 'small' });
      assert.ok(((await nextValue(operation)) as { note: string }).note === note, 'the text is the same');
      assert.deepEqual(await nextValue(operation), { number: 2, note: 'small' });
    },
  },
  {
    name: 'texts',
    title: 'texts of every script arrive as they were sent',
    run: async (context) => {
      const note = 'Zoë 你好 🚚 \u0000 \u2028 "quoted" \\ </script>';
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ note }');
      context.store.place({ note });
      assert.deepEqual(await nextValue(operation), { note });
    },
  },
  {
    name: 'several-on-one-socket',
    title: 'several subscriptions on one socket get their own events, and no others',
    run: async (context) => {
      const socket = await context.connect();
      const orders = await context.watch(socket, '{ number }');
      const prices = await context.live(socket, { query: onStore('priceChanged', '{ price }') }, 2);
      const statuses = await context.live(socket, { query: onStore('statusChanged', '{ status }') }, 3);
      context.store.place({});
      context.store.prices.emit({ price: 5 });
      context.store.statuses.emit({ status: 'open' });
      assert.deepEqual(await nextValue(orders), { number: 1 });
      assert.deepEqual(await nextValue(prices), { price: 5 });
      assert.deepEqual(await nextValue(statuses), { status: 'open' });
      await socket.roundTrip();
      for (const operation of [orders, prices, statuses]) assert.equal(operation.inbox.size, 0);
    },
  },
  {
    name: 'many-on-one-socket',
    title: 'fifty subscriptions on one socket get their own events',
    run: async (context) => {
      const socket = await context.connect();
      const names = repeat(50, (number) => context.id(`store-${number}`));
      const operations = names.map((store) =>
        socket.subscribe({ query: onStore('orderPlaced', '{ note }'), variables: { store } }),
      );
      await context.until('all fifty run', () =>
        names.every((name) => context.shop.store(name).watching === 1),
      );
      for (const name of names) context.shop.store(name).place({ note: name });
      for (const [index, operation] of operations.entries())
        assert.deepEqual(await nextValue(operation), { note: names[index] });
      await socket.close();
      await context.until('all fifty ended', () =>
        names.every((name) => context.shop.store(name).watching === 0),
      );
    },
  },
  {
    name: 'complete-stops-upstream',
    title: "the client's complete ends the subscription upstream, and no event comes after it",
    run: async (context) => {
      const socket = await context.connect();
      const left = await context.watch(socket, '{ number }');
      const other = await context.live(socket, { query: onStore('priceChanged', '{ price }') }, 2);
      left.stop();
      await socket.roundTrip();
      context.store.place({});
      context.store.prices.emit({ price: 1 });
      assert.deepEqual(await nextValue(other), { price: 1 });
      await context.untilWatching(1);
      await socket.roundTrip();
    },
  },
  {
    name: 'close-stops-upstream',
    title: "the end of a client's socket ends its subscriptions upstream",
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, '{ number }');
      await context.live(socket, { query: onStore('statusChanged', '{ status }') }, 2);
      await socket.close();
      await context.untilWatching(0);
    },
  },
  {
    name: 'lost-client-stops-upstream',
    title: 'a client that vanishes without a word ends its subscriptions upstream',
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, '{ number }');
      socket.terminate();
      await context.untilWatching(0);
    },
  },
  {
    name: 'complete-during-join',
    title: 'a subscription that is completed while a join waits ends upstream, and its event never comes',
    run: async (context) => {
      const product = context.id('slow');
      const release = context.shop.hold(product);
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.place({ product });
      await context.until('the join has begun', () => context.shop.fetches(product) > 0);
      operation.stop();
      await context.untilWatching(0);
      await socket.roundTrip();
      release();
      const other = await context.watch(socket, '{ number product { name } }');
      context.store.place({ product });
      assert.deepEqual(await nextValue(other), { number: 2, product: { name: `name of ${product}` } });
    },
  },
  {
    name: 'complete-at-once',
    title: 'forty subscriptions that are completed right after they were sent leave nothing upstream',
    run: async (context) => {
      const socket = await context.connect();
      for (let times = 0; times < 40; times += 1)
        socket
          .subscribe({ query: onStore('orderPlaced', '{ number }'), variables: { store: context.storeName } })
          .stop();
      const last = await context.live(socket, { query: onStore('statusChanged', '{ status }') });
      await context.untilWatching(1);
      context.store.place({});
      context.store.statuses.emit({ status: 'still here' });
      assert.deepEqual(await nextValue(last), { status: 'still here' });
    },
  },
  {
    name: 'leave-at-once',
    title: 'a socket that is lost right after it subscribed leaves nothing upstream',
    run: async (context) => {
      for (let times = 0; times < 10; times += 1) {
        const socket = await context.connect();
        socket.subscribe({
          query: onStore('orderPlaced', '{ number }'),
          variables: { store: context.storeName },
        });
        await socket.roundTrip();
        socket.terminate();
      }
      await context.untilWatching(0);
      const operation = await context.watch(await context.connect(), '{ number }');
      context.store.place({});
      assert.deepEqual(await nextValue(operation), { number: 1 });
    },
  },
  {
    name: 'leave-under-burst',
    title: 'subscriptions that end in the middle of a burst end upstream, and the others lose nothing',
    run: async (context) => {
      const socket = await context.connect();
      const staying = await context.watch(socket, '{ number }');
      const leaving = repeat(5, (number) =>
        socket.subscribe({
          query: onStore('orderPlaced', `{ number n${number}: number }`),
          variables: { store: context.storeName },
        }),
      );
      await context.until('all of them run', () => {
        context.store.place({});
        return leaving.every(({ answered }) => answered);
      });
      context.store.place(...repeat(200, () => ({})));
      for (const operation of leaving) {
        await operation.take(10);
        operation.stop();
      }
      context.store.place(...repeat(200, () => ({})));
      const placed = context.store.orders.log.length;
      assert.deepEqual(numbersOf(await staying.take(placed)), countTo(placed));
      await context.untilWatching(1);
    },
  },
  {
    name: 'source-ends',
    title: 'when the source ends the operation is completed, after all of its events',
    run: async (context) => {
      const socket = await context.connect();
      const operation = socket.subscribe({
        query: 'subscription ($store: ID!) { countdown(store: $store, from: 3) }',
        variables: { store: context.storeName },
      });
      const events = await operation.take(3);
      assert.deepEqual(events.map(dataOf), [{ countdown: 3 }, { countdown: 2 }, { countdown: 1 }]);
      await operation.completed();
      await socket.roundTrip();
    },
  },
  {
    name: 'source-ends-during-join',
    title: 'when the source ends while a join waits, its last event still comes before the complete',
    run: async (context) => {
      const product = context.id('slow');
      const release = context.shop.hold(product);
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.place({ product });
      context.store.orders.end();
      await context.until('the join has begun', () => context.shop.fetches(product) > 0);
      release();
      assert.deepEqual(await nextValue(operation), { number: 1, product: { name: `name of ${product}` } });
      await operation.completed();
    },
  },
  {
    name: 'refused-by-subgraph',
    title: "a subgraph's refusal to subscribe arrives with its code and ends its operation alone",
    run: async (context) => {
      const socket = await context.connect();
      const other = await context.watch(socket, '{ number }');
      const refused = socket.subscribe({
        query: 'subscription ($store: ID!) { orderPlaced(store: $store, after: "forged") { number } }',
        variables: { store: context.storeName },
      });
      await refusedWith(refused, 'CURSOR_INVALID');
      context.store.place({});
      assert.deepEqual(await nextValue(other), { number: 1 });
    },
  },
  {
    name: 'one-fails-others-go-on',
    title: 'a subscription whose source breaks ends alone, with a coded error, or goes on without a gap',
    run: async (context) => {
      const socket = await context.connect();
      const broken = await context.watch(socket, '{ number }');
      const other = await context.live(socket, { query: onStore('priceChanged', '{ price }') }, 2);
      context.store.place({});
      assert.deepEqual(await nextValue(broken), { number: 1 });
      context.store.orders.fail(new Error('the log is gone'));
      context.store.place({});
      const { type, payload } = await broken.any();
      if (type === 'error') assert.ok(codeOf(payload as []), 'the error has a code');
      else if (type === 'next' && (payload as Result).errors) await broken.completed();
      else assert.deepEqual(valuesOf([payload as Result]), [{ number: 2 }], 'the next event, without a gap');
      context.store.prices.emit({ price: 1 });
      assert.deepEqual(await nextValue(other), { price: 1 });
    },
  },
]);
