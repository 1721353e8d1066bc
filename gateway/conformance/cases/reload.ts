/** A new supergraph is taken up without a restart, and ends only what it makes invalid. */
import assert from 'node:assert/strict';
import { type Context, group, onStore } from '../case.ts';
import { codeOf } from '../client/result.ts';
import type { Operation } from '../client/socket.ts';
import { countTo, nextValue, numbersOf, refusalOf } from './reading.ts';

/** Places orders while the work goes on. */
async function placingDuring(context: Context, work: () => Promise<void>): Promise<void> {
  let working = true;
  const placing = (async () => {
    while (working) {
      context.store.place({ product: context.id('product') });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  await work().finally(() => {
    working = false;
  });
  await placing;
}

async function sawEverything(context: Context, operation: Operation): Promise<void> {
  const placed = context.store.orders.log.length;
  assert.deepEqual(numbersOf(await operation.take(placed)), countTo(placed));
}

export const reload = group('reload', [
  {
    name: 'live-goes-on',
    title: 'live subscriptions go on over a new supergraph, without gap or duplicate',
    needs: ['reload'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      await placingDuring(context, () => context.publish('weightAdded'));
      await sawEverything(context, operation);
      context.store.place({ product: context.id('later') });
      assert.deepEqual((await nextValue(operation)) as object, {
        number: context.store.orders.log.length,
        product: { name: `name of ${context.id('later')}` },
      });
    },
  },
  {
    name: 'again-and-again',
    title: 'they go on over several new supergraphs in a row',
    needs: ['reload'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number }');
      await placingDuring(context, async () => {
        for (const version of ['weightAdded', 'legacyRemoved', 'ratingMoved', 'first'] as const)
          await context.publish(version);
      });
      await sawEverything(context, operation);
      operation.stop();
      await context.untilWatching(0);
    },
  },
  {
    name: 'added-field',
    title: 'a field that was added can be used on the same socket',
    needs: ['reload'],
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const query = onStore('orderPlaced', '{ product { weight } }');
      const early = socket.subscribe({ query, variables: { store: context.storeName } });
      await refusalOf(early);
      await context.publish('weightAdded');
      const operation = await context.live(socket, { query });
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), { product: { weight: product.length } });
    },
  },
  {
    name: 'removed-field',
    title: 'a field that was removed ends what used it, with a coded error, and nothing else',
    needs: ['reload'],
    run: async (context) => {
      const socket = await context.connect();
      const user = await context.watch(socket, '{ number legacy }');
      const other = await context.live(socket, { query: onStore('requiredOrder', '{ number note }') }, 2);
      context.store.place({});
      assert.deepEqual(await nextValue(user), { number: 1, legacy: 'legacy 1' });
      assert.deepEqual(await nextValue(other), { number: 1, note: null });
      await context.publish('legacyRemoved');
      assert.ok(codeOf(await user.failure()), 'the error has a code');
      context.store.place({});
      assert.deepEqual(await nextValue(other), { number: 2, note: null });
      await context.untilWatching(1);
      const query = onStore('orderPlaced', '{ legacy }');
      await refusalOf(socket.subscribe({ query, variables: { store: context.storeName } }));
    },
  },
  {
    name: 'moved-field',
    title: 'a field that moved to another subgraph is asked of that one, for live subscriptions too',
    needs: ['reload'],
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ product { rating } }');
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), { product: { rating: 'by products' } });
      await context.publish('ratingMoved');
      await context.until('the live subscription follows', async () => {
        context.store.place({ product });
        const value = (await nextValue(operation)) as { product: { rating: string } };
        return value.product.rating === 'by people';
      });
    },
  },
  {
    name: 'moved-field-of-event',
    title: 'a field that moved to the subgraph of the events comes with them, without gap or duplicate',
    needs: ['reload', 'resume'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { label } }');
      context.store.place({ product: context.id('product') });
      assert.deepEqual(await nextValue(operation), { number: 1, product: { label: 'by products' } });
      await placingDuring(context, () => context.publish('labelMoved'));
      const labels: string[] = [];
      const follow = async (to: number) => {
        for (let number = labels.length + 2; number <= to; number += 1) {
          const value = (await nextValue(operation)) as { number: number; product: { label: string } };
          assert.equal(value.number, number, 'no gap and no duplicate');
          labels.push(value.product.label);
        }
      };
      await follow(context.store.orders.log.length);
      await context.until('the live subscription follows', async () => {
        context.store.place({ product: context.id('product') });
        await follow(context.store.orders.log.length);
        return labels.at(-1) === 'by orders';
      });
    },
  },
  {
    name: 'unusable',
    title: 'a supergraph that cannot be used changes nothing',
    needs: ['reload'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      for (const text of ['', 'type Query {', 'type Query { lastOrder: Int }']) {
        await context.publishText(text);
        // That nothing happens cannot be waited for.
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      const product = context.id('product');
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), { number: 1, product: { name: `name of ${product}` } });
      const fresh = await context.live(socket, { query: onStore('priceChanged', '{ price }') }, 2);
      context.store.prices.emit({ price: 1 });
      assert.deepEqual(await nextValue(fresh), { price: 1 });
    },
  },
  {
    name: 'nothing-left-upstream',
    title: 'what ends after a new supergraph ends upstream too',
    needs: ['reload'],
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number }');
      await context.live(socket, { query: onStore('statusChanged', '{ status }') }, 2);
      await context.publish('weightAdded');
      operation.stop();
      await context.untilWatching(1);
      await socket.close();
      await context.untilWatching(0);
    },
  },
]);
