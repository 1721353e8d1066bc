/** Many clients, slow clients, clients that come and go. */
import assert from 'node:assert/strict';
import { type Context, group, onStore } from '../case.ts';
import type { Result } from '../client/result.ts';
import type { Operation, Socket } from '../client/socket.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import { countTo, numbersOf, repeat } from './reading.ts';

const CHUNK = 'x'.repeat(64 * 1024);
const EVENTS = 400;

/** What a client that had stopped reading finds when it reads again, up to the end that it was told, if any. */
async function readAll(socket: Socket, operation: Operation): Promise<{ numbers: unknown[]; told: boolean }> {
  const numbers: unknown[] = [];
  while (numbers.length < EVENTS) {
    const message = await operation.any().catch(() => undefined);
    if (message?.type !== 'next') return { numbers, told: message !== undefined || !socket.open };
    numbers.push(...numbersOf([message.payload as Result]));
  }
  return { numbers, told: true };
}

async function placeWhile(context: Context, reader: Operation): Promise<void> {
  for (let placed = 0; placed < EVENTS; placed += 20) {
    context.store.place(...repeat(20, () => ({ note: CHUNK })));
    const numbers = numbersOf(await reader.take(20));
    assert.deepEqual(numbers, countTo(placed + 20, placed + 1));
  }
}

export const pressure = group('pressure', [
  {
    name: 'slow-client',
    title:
      'a client that stops reading slows nobody, and what it finds later is whole up to an end that it is told',
    run: async (context) => {
      const [slow, quick] = [await context.connect(), await context.connect()];
      const stalled = await context.watch(slow, '{ number note }');
      const other = await context.live(quick, { query: onStore('requiredOrder', '{ number note }') }, 2);
      slow.pause();
      await placeWhile(context, other);
      slow.resume();
      const { numbers, told } = await readAll(slow, stalled);
      assert.deepEqual(numbers, countTo(numbers.length), 'no gap');
      assert.ok(told, 'it was told that its stream is over');
    },
  },
  {
    name: 'slow-client-same-subscription',
    title: 'the same with clients of the same subscription',
    run: async (context) => {
      const [slow, quick] = [await context.connect(), await context.connect()];
      const stalled = await context.watch(slow, '{ number note }');
      context.store.place({});
      assert.deepEqual(numbersOf(await stalled.take(1)), [1]);
      const other = quick.subscribe({
        query: onStore('orderPlaced', '{ number note }'),
        variables: { store: context.storeName },
      });
      await context.until('the second has an event', () => {
        context.store.place({});
        return other.answered;
      });
      slow.pause();
      const start = context.store.orders.log.length;
      for (let taken: unknown; taken !== start; ) [taken] = numbersOf([await other.next()]);
      for (let placed = 0; placed < EVENTS; placed += 20) {
        context.store.place(...repeat(20, () => ({ note: CHUNK })));
        const numbers = numbersOf(await other.take(20));
        assert.deepEqual(numbers, countTo(start + placed + 20, start + placed + 1));
      }
      slow.resume();
      const { numbers, told } = await readAll(slow, stalled);
      assert.deepEqual(numbers, countTo(numbers.length + 1, 2), 'no gap');
      assert.ok(told, 'it was told that its stream is over');
    },
  },
  {
    name: 'slow-client-resumes',
    title:
      'a client that had stopped reading and resumes behind the last event that it got sees each event once',
    needs: ['resume'],
    run: async (context) => {
      const [slow, quick] = [await context.connect(), await context.connect()];
      const stalled = await context.watch(slow, '{ number note }');
      const other = await context.live(quick, { query: onStore('requiredOrder', '{ number note }') }, 2);
      slow.pause();
      await placeWhile(context, other);
      slow.resume();
      const { numbers } = await readAll(slow, stalled);
      const socket = slow.open ? slow : await context.connect();
      const query = `subscription ($store: ID!, $after: String) { orderPlaced(store: $store, after: $after) { number note } }`;
      const after = numbers.length === 0 ? '' : cursorOf(numbers.length);
      const again = socket.subscribe({ query, variables: { store: context.storeName, after } });
      numbers.push(...numbersOf(await again.take(EVENTS - numbers.length)));
      assert.deepEqual(numbers, countTo(EVENTS));
    },
  },
  {
    name: 'many-clients',
    title: 'a hundred clients get a hundred events each, in order',
    run: async (context) => {
      const sockets = await Promise.all(repeat(100, () => context.connect()));
      const query = onStore('orderPlaced', '{ number note }');
      const operations = sockets.map((socket) =>
        socket.subscribe({ query, variables: { store: context.storeName } }),
      );
      await context.until('each has an event', () => {
        context.store.place({});
        return operations.every(({ answered }) => answered);
      });
      const start = context.store.orders.log.length;
      for (const operation of operations)
        for (let taken: unknown; taken !== start; ) [taken] = numbersOf([await operation.next()]);
      context.store.place(...repeat(100, () => ({ note: 'hello' })));
      for (const operation of operations)
        assert.deepEqual(numbersOf(await operation.take(100)), countTo(start + 100, start + 1));
    },
  },
  {
    name: 'come-and-go',
    title: 'a hundred clients that come and go under a stream of events leave nothing upstream',
    run: async (context) => {
      const query = onStore('orderPlaced', '{ number product { name } }');
      for (let times = 0; times < 10; times += 1) {
        const sockets = await Promise.all(repeat(10, () => context.connect()));
        for (const socket of sockets) socket.subscribe({ query, variables: { store: context.storeName } });
        context.store.place({ product: context.id('product') });
        for (const [index, socket] of sockets.entries()) {
          if (index % 2 === 0) socket.terminate();
          else await socket.close();
        }
      }
      await context.untilWatching(0);
      const operation = await context.watch(await context.connect(), '{ number }');
      context.store.place({});
      assert.deepEqual(numbersOf(await operation.take(1)), [context.store.orders.log.length]);
    },
  },
]);
