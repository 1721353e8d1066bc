/** Equal subscriptions cost a subgraph what one costs; what differs is kept apart. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import type { Operation, Socket } from '../client/socket.ts';
import { countTo, nextValue, refusedWith, repeat, valuesOf } from './reading.ts';

const query = onStore('orderPlaced', '{ number note product { name } }');

interface Seen {
  readonly number: number;
  readonly note: string | null;
}

const subscribe = (context: Context, socket: Socket, text = query): Operation =>
  socket.subscribe({ query: text, variables: { store: context.storeName } });

const connectAll = (context: Context, count: number): Promise<Socket[]> =>
  Promise.all(repeat(count, () => context.connect()));

/**
 * Places orders until each of the operations has seen one, and then one more, up to which each takes what came.
 * What comes after that is the same for all of them. Resolves to the number of that last order.
 */
async function settled(context: Context, operations: readonly Operation[]): Promise<number> {
  await context.until('each subscription has an event', () => {
    context.store.place({ note: 'are you there?' });
    return operations.every(({ answered }) => answered);
  });
  const note = `here we are ${context.store.orders.log.length}`;
  context.store.place({ note });
  const last = context.store.orders.log.length;
  for (const operation of operations) {
    const seen: Seen[] = [];
    do seen.push((await nextValue(operation)) as Seen);
    while (seen.at(-1)?.note !== note);
    const numbers = seen.map(({ number }) => number);
    assert.deepEqual(numbers, countTo(last, numbers[0]), 'no gap and no duplicate since its first event');
  }
  return last;
}

const sameSubscription = (name: string, how: string, otherwise: string): CaseOfGroup => ({
  name: `same-${name}`,
  title: `documents that differ ${how} only are the same subscription`,
  needs: ['sharing'],
  run: async (context) => {
    const [one, other] = (await connectAll(context, 2)) as [Socket, Socket];
    await settled(context, [subscribe(context, one), subscribe(context, other, otherwise)]);
    assert.equal(context.store.opened, 1, 'one upstream subscription');
  },
});

export const sharing = group('sharing', [
  {
    name: 'one-upstream',
    title: 'twenty clients with the same subscription are one upstream, and each gets every event once',
    needs: ['sharing'],
    run: async (context) => {
      const operations = (await connectAll(context, 20)).map((socket) => subscribe(context, socket));
      const last = await settled(context, operations);
      assert.equal(context.store.opened, 1, 'one upstream subscription');
      context.store.place({}, {}, {});
      for (const operation of operations)
        assert.deepEqual(
          valuesOf(await operation.take(3)).map((value) => (value as Seen).number),
          countTo(last + 3, last + 1),
        );
    },
  },
  {
    name: 'one-join',
    title: 'an event is joined once for all of its clients',
    needs: ['sharing'],
    run: async (context) => {
      const operations = (await connectAll(context, 10)).map((socket) => subscribe(context, socket));
      await settled(context, operations);
      const product = context.id('product');
      context.store.place({ product });
      for (const operation of operations)
        assert.deepEqual(await nextValue(operation), {
          number: context.store.orders.log.length,
          note: null,
          product: { name: `name of ${product}` },
        });
      assert.equal(context.shop.fetches(product), 1, 'asked for once');
    },
  },
  sameSubscription('layout', 'in layout and comments', query.replaceAll(/([{}])/g, '\n  $1 # layout\n')),
  sameSubscription(
    'operation-name',
    'in the name of the operation',
    query.replace('subscription', 'subscription Named'),
  ),
  {
    name: 'twice-on-one-socket',
    title: 'the same subscription twice on one socket answers under both ids',
    run: async (context) => {
      const socket = await context.connect();
      const operations = [subscribe(context, socket), subscribe(context, socket)];
      const last = await settled(context, operations);
      operations[0]?.stop();
      await socket.roundTrip();
      context.store.place({});
      assert.deepEqual(await nextValue(operations[1]!), { number: last + 1, note: null, product: null });
    },
  },
  {
    name: 'own-selection',
    title: 'clients that listen to the same events with different selections get their own',
    run: async (context) => {
      const product = context.id('product');
      const selections = ['{ number }', '{ number product { name } }', '{ n: number note }'];
      const sockets = await connectAll(context, selections.length);
      const operations: Operation[] = [];
      for (const [index, selection] of selections.entries()) {
        const before = context.store.opened;
        operations.push(subscribe(context, sockets[index]!, onStore('orderPlaced', selection)));
        if (index === 0) await context.until('the first is upstream', () => context.store.opened > before);
      }
      await context.until('each has an event', () => {
        context.store.place({ product, note: 'n' });
        return operations.every(({ answered }) => answered);
      });
      const [first, second, third] = await Promise.all(operations.map(nextValue));
      assert.deepEqual(Object.keys(first as object), ['number']);
      assert.deepEqual((second as { product: unknown }).product, { name: `name of ${product}` });
      assert.deepEqual(Object.keys(third as object), ['n', 'note']);
    },
  },
  {
    name: 'late-joiner',
    title: 'who comes late gets only what comes from then on, and disturbs nobody',
    needs: ['sharing'],
    run: async (context) => {
      const [early, late] = (await connectAll(context, 2)) as [Socket, Socket];
      const first = subscribe(context, early);
      const before = await settled(context, [first]);
      const second = subscribe(context, late);
      await context.until('the late one has an event', () => {
        context.store.place({});
        return second.answered;
      });
      const { number } = (await nextValue(second)) as Seen;
      assert.ok(number > before, 'nothing from before it came');
      await settled(context, [second]);
      const last = context.store.orders.log.length;
      const numbers = valuesOf(await first.take(last - before)).map((value) => (value as Seen).number);
      assert.deepEqual(numbers, countTo(last, before + 1));
      assert.equal(context.store.opened, 1, 'one upstream subscription');
    },
  },
  {
    name: 'one-leaves',
    title: 'who leaves ends nothing for the others; when the last one leaves, the upstream ends',
    needs: ['sharing'],
    run: async (context) => {
      const sockets = await connectAll(context, 4);
      const operations = sockets.map((socket) => subscribe(context, socket));
      await settled(context, operations);
      operations[0]?.stop();
      sockets[1]?.terminate();
      await sockets[2]?.close();
      await settled(context, [operations[3]!]);
      assert.equal(context.store.watching, 1);
      operations[3]?.stop();
      await context.untilWatching(0);
    },
  },
  {
    name: 'again-after-all-left',
    title: 'after all have left, the next one is served anew',
    run: async (context) => {
      for (let times = 0; times < 3; times += 1) {
        const socket = await context.connect();
        const operation = subscribe(context, socket);
        await settled(context, [operation]);
        operation.stop();
        await context.untilWatching(0);
      }
    },
  },
  {
    name: 'first-leaves-at-once',
    title: 'when the one who came first leaves before anything came, the others are served',
    run: async (context) => {
      const sockets = await connectAll(context, 5);
      const operations = sockets.map((socket) => subscribe(context, socket));
      operations[0]?.stop();
      sockets[1]?.terminate();
      await settled(context, operations.slice(2));
    },
  },
  {
    name: 'refused-together',
    title: 'a refusal by the subgraph reaches everybody who asked',
    run: async (context) => {
      const text = 'subscription ($store: ID!) { orderPlaced(store: $store, after: "forged") { number } }';
      const operations = (await connectAll(context, 5)).map((socket) => subscribe(context, socket, text));
      for (const operation of operations) await refusedWith(operation, 'CURSOR_INVALID');
    },
  },
  {
    name: 'source-ends-for-all',
    title: 'when the source ends, every client is completed, after all of its events',
    run: async (context) => {
      const operations = (await connectAll(context, 5)).map((socket) => subscribe(context, socket));
      await settled(context, operations);
      context.store.place({});
      context.store.orders.end();
      for (const operation of operations) {
        await operation.next();
        await operation.completed();
      }
    },
  },
]);
