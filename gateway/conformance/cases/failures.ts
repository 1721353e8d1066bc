/** What fails costs what it would have told, in the event in which it fails, and nothing else. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import { codeOf, type Result } from '../client/result.ts';
import type { Fault } from '../subgraphs/subgraph-server.ts';
import { countTo, dataOf, nextValue, numbersOf, refusalOf, repeat, valuesOf } from './reading.ts';

const pathsOf = ({ errors = [] }: Result): unknown[] => errors.map(({ path }) => path);

/** Every error points into the event, below this path. */
function assertErrorsBelow(result: Result, path: readonly (string | number)[]): void {
  assert.ok(result.errors?.length, 'the event has errors');
  for (const error of result.errors)
    assert.deepEqual(error.path?.slice(0, path.length), path, `the path of "${error.message}"`);
}

/** The products subgraph answers wrongly while the first of two events is joined. */
const outage = (name: string, title: string, fail: (context: Context) => Promise<void>): CaseOfGroup => ({
  name,
  title,
  run: async (context) => {
    const [product, buyer] = [context.id('product'), context.id('buyer')];
    const socket = await context.connect();
    const operation = await context.watch(socket, '{ number product { id name } buyer { name } }');
    await fail(context);
    context.store.place({ product, buyer });
    const result = await operation.next();
    assert.deepEqual(result.data, {
      orderPlaced: { number: 1, product: { id: product, name: null }, buyer: { name: `name of ${buyer}` } },
    });
    assertErrorsBelow(result, ['orderPlaced', 'product']);
    await context.shop.reset();
    context.store.place({ product, buyer });
    assert.deepEqual(await nextValue(operation), {
      number: 2,
      product: { id: product, name: `name of ${product}` },
      buyer: { name: `name of ${buyer}` },
    });
  },
});

const fault = (kind: Fault) => async (context: Context) => {
  context.shop.subgraphs.products.fault = kind;
};

export const failures = group('failures', [
  {
    name: 'field-of-join',
    title: 'a field that fails in a join is null, with its error and its path; the next event is whole',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { id name } }');
      context.shop.break(product);
      context.store.place({ product });
      const result = await operation.next();
      assert.deepEqual(result.data, { orderPlaced: { number: 1, product: { id: product, name: null } } });
      assert.deepEqual(pathsOf(result), [['orderPlaced', 'product', 'name']]);
      context.shop.repair(product);
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), {
        number: 2,
        product: { id: product, name: `name of ${product}` },
      });
    },
  },
  {
    name: 'aliased-path',
    title: 'paths of errors are told in the names that the client chose',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const query =
        'subscription ($store: ID!) { placed: orderPlaced(store: $store) { thing: product { label: name } } }';
      const operation = await context.live(socket, { query });
      context.shop.break(product);
      context.store.place({ product });
      const result = await operation.next();
      assert.deepEqual(result.data, { placed: { thing: { label: null } } });
      assert.deepEqual(pathsOf(result), [['placed', 'thing', 'label']]);
    },
  },
  {
    name: 'item-of-list',
    title: 'an item of a list that fails costs itself, and its path has its index',
    run: async (context) => {
      const [good, bad] = [context.id('good'), context.id('bad')];
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ products { name } }');
      context.shop.break(bad);
      context.store.place({ products: [good, bad] });
      const result = await operation.next();
      assert.deepEqual(result.data, {
        orderPlaced: { products: [{ name: `name of ${good}` }, { name: null }] },
      });
      assert.deepEqual(pathsOf(result), [['orderPlaced', 'products', 1, 'name']]);
    },
  },
  {
    name: 'field-of-event',
    title: "a field of the event itself that fails is null, with its error, its path and the subgraph's code",
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number fragile }');
      context.store.place({ note: 'broken' }, {});
      const result = await operation.next();
      assert.deepEqual(result.data, { orderPlaced: { number: 1, fragile: null } });
      assert.deepEqual(pathsOf(result), [['orderPlaced', 'fragile']]);
      assert.equal(codeOf(result.errors), 'OUT_OF_ORDER');
      assert.deepEqual(await nextValue(operation), { number: 2, fragile: 'whole' });
    },
  },
  {
    name: 'second-hop',
    title: 'a second hop that fails costs itself, not the first one',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ product { name maker { name } } }');
      context.shop.break(`maker of ${product}`);
      context.store.place({ product });
      const result = await operation.next();
      assert.deepEqual(result.data, {
        orderPlaced: { product: { name: `name of ${product}`, maker: { name: null } } },
      });
      assert.deepEqual(pathsOf(result), [['orderPlaced', 'product', 'maker', 'name']]);
    },
  },
  {
    name: 'unknown-entity',
    title: 'an entity that its subgraph does not know leaves null fields, and the next event is whole',
    run: async (context) => {
      const [gone, here] = [context.id('gone'), context.id('here')];
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { id name } }');
      context.shop.remove(gone);
      context.store.place({ product: gone }, { product: here });
      const { data } = await operation.next();
      assert.deepEqual(data, { orderPlaced: { number: 1, product: { id: gone, name: null } } });
      assert.deepEqual(await nextValue(operation), {
        number: 2,
        product: { id: here, name: `name of ${here}` },
      });
    },
  },
  {
    name: 'required-field-of-join',
    title: 'a required field that fails in a join nulls the nearest field that may be null',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { id requiredName } }');
      context.shop.break(product);
      context.store.place({ product });
      const result = await operation.next();
      assert.deepEqual(result.data, { orderPlaced: { number: 1, product: null } });
      assertErrorsBelow(result, ['orderPlaced', 'product']);
    },
  },
  {
    name: 'required-field-to-root',
    title: 'a required field that fails under required fields only nulls the data of its event, and no other',
    run: async (context) => {
      const [bad, good] = [context.id('bad'), context.id('good')];
      const socket = await context.connect();
      const query = onStore('requiredOrder', '{ number requiredProduct { requiredName } }');
      const operation = await context.live(socket, { query });
      context.shop.break(bad);
      context.store.place({ product: bad }, { product: good });
      const result = await operation.next();
      assert.equal(result.data, null);
      assertErrorsBelow(result, ['requiredOrder']);
      assert.deepEqual(await nextValue(operation), {
        number: 2,
        requiredProduct: { requiredName: `name of ${good}` },
      });
    },
  },
  {
    name: 'required-root',
    title:
      'a required root field that is null nulls the data of its event, with an error, and the stream goes on',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.live(socket, { query: onStore('requiredOrder', '{ number }') });
      context.store.orders.emit(null);
      context.store.place({});
      const result = await operation.next();
      assert.equal(result.data, null);
      assert.deepEqual(pathsOf(result), [['requiredOrder']]);
      assert.deepEqual(await nextValue(operation), { number: 2 });
    },
  },
  outage('status-500', 'a subgraph that answers with status 500 costs its own fields', fault('status 500')),
  outage(
    'rubbish',
    'a subgraph that answers with something else than JSON costs its own fields',
    fault('rubbish'),
  ),
  outage(
    'down',
    'a subgraph that is down costs its own fields, and is used again when it is back',
    async ({ shop }) => {
      await shop.subgraphs.products.stop();
    },
  ),
  {
    name: 'join-timeout',
    title: 'a subgraph that never answers costs its own fields after a while; the events behind are whole',
    waitsFor: 'join',
    run: async (context) => {
      const [slow, quick] = [context.id('slow'), context.id('quick')];
      const socket = await context.connect(undefined, { patience: context.limits.join });
      const operation = await context.watch(socket, '{ number product { name } }');
      context.shop.hold(slow);
      context.store.place({ product: slow }, { product: quick });
      const result = await operation.next();
      assert.deepEqual(result.data, { orderPlaced: { number: 1, product: { name: null } } });
      assertErrorsBelow(result, ['orderPlaced', 'product']);
      assert.deepEqual(await nextValue(operation), { number: 2, product: { name: `name of ${quick}` } });
    },
  },
  {
    name: 'slow-join-keeps-order',
    title: 'events behind a slow join keep their order, and none is lost',
    run: async (context) => {
      const slow = context.id('slow');
      const release = context.shop.hold(slow);
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.place(
        { product: slow },
        ...repeat(20, (number) => ({ product: context.id(`quick-${number}`) })),
      );
      await context.until('the join has begun', () => context.shop.fetches(slow) > 0);
      context.store.place({}, {});
      release();
      assert.deepEqual(numbersOf(await operation.take(23)), countTo(23));
    },
  },
  {
    name: 'long-queue-behind-slow-join',
    title: 'six hundred events that come while a join waits are delivered after it, whole and in order',
    run: async (context) => {
      const slow = context.id('slow');
      const release = context.shop.hold(slow);
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.place({ product: slow });
      await context.until('the join has begun', () => context.shop.fetches(slow) > 0);
      context.store.place(...repeat(600, (number) => ({ product: context.id(`quick-${number % 10}`) })));
      release();
      assert.deepEqual(numbersOf(await operation.take(601)), countTo(601));
    },
  },
  {
    name: 'slow-join-alone',
    title: 'a slow join delays its own subscription only, on the same socket too',
    run: async (context) => {
      const slow = context.id('slow');
      const release = context.shop.hold(slow);
      const socket = await context.connect();
      const waiting = await context.watch(socket, '{ number product { name } }');
      const plain = await context.live(socket, { query: onStore('requiredOrder', '{ number }') }, 2);
      const joined = await context.live(
        socket,
        { query: onStore('priceChanged', '{ price product { name } }') },
        3,
      );
      context.store.place({ product: slow });
      await context.until('the join has begun', () => context.shop.fetches(slow) > 0);
      context.store.prices.emit({ price: 1, product: context.id('quick') });
      assert.deepEqual(await nextValue(plain), { number: 1 });
      assert.deepEqual(await nextValue(joined), {
        price: 1,
        product: { name: `name of ${context.id('quick')}` },
      });
      assert.equal(waiting.answered, false);
      release();
      assert.deepEqual(await nextValue(waiting), { number: 1, product: { name: `name of ${slow}` } });
    },
  },
  {
    name: 'join-subgraph-restarts',
    title: 'after a subgraph that is only joined was started again, events are whole',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      const place = async (number: number) => {
        const product = context.id(`product-${number}`);
        context.store.place({ product });
        assert.deepEqual(await nextValue(operation), { number, product: { name: `name of ${product}` } });
      };
      await place(1);
      await context.shop.subgraphs.products.restart();
      await place(2);
    },
  },
  {
    name: 'source-lost',
    title:
      'a lost connection to a subgraph ends what it fed with a coded error, or goes on; the others notice nothing',
    run: async (context) => {
      const socket = await context.connect();
      const fed = await context.watch(socket, '{ number }');
      const other = await context.live(socket, { query: onStore('statusChanged', '{ status }') }, 2);
      context.store.place({});
      assert.deepEqual(await nextValue(fed), { number: 1 });
      context.shop.subgraphs.orders.dropSockets();
      await context.until(
        'it is noticed',
        () => context.store.orders.watching === 0 || context.store.orders.opened > 1,
      );
      context.store.place({});
      const { type, payload } = await fed.any();
      const { errors } = payload as Result;
      if (type === 'error') assert.ok(codeOf(payload as []), 'the error has a code');
      else if (errors) {
        assert.ok(codeOf(errors), 'the error has a code');
        await fed.completed();
      } else
        assert.deepEqual(valuesOf([payload as Result]), [{ number: 2 }], 'the next event, without a gap');
      context.store.statuses.emit({ status: 'open' });
      assert.deepEqual(await nextValue(other), { status: 'open' });
    },
  },
  {
    name: 'source-restarts',
    title: 'after the subgraph of the events was started again, the same socket can subscribe to it',
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, '{ number }');
      await context.shop.subgraphs.orders.restart();
      await context.untilWatching(0).catch(() => undefined);
      const already = context.store.watching;
      await subscribedAgain(context, async () => {
        const operation = socket.subscribe({
          query: onStore('orderPlaced', '{ number note }'),
          variables: { store: context.storeName },
        });
        await context.until('subscribed', () => context.store.watching > already || operation.answered);
        if (operation.answered) return false;
        context.store.place({ note: 'back' });
        assert.deepEqual(valuesOf([await operation.next()]), [{ number: 1, note: 'back' }]);
        return true;
      });
    },
  },
  {
    name: 'source-down',
    title:
      'subscribing while the subgraph is down is refused with a coded error, or waits for it; others go on',
    run: async (context) => {
      const socket = await context.connect();
      const other = await context.live(socket, { query: onStore('statusChanged', '{ status }') });
      await context.shop.subgraphs.orders.stop();
      const operation = socket.subscribe({
        query: onStore('orderPlaced', '{ number }'),
        variables: { store: context.storeName },
      });
      context.store.statuses.emit({ status: 'open' });
      assert.deepEqual(await nextValue(other), { status: 'open' });
      const refused = await context
        .until('an answer', () => operation.answered)
        .then(
          () => true,
          () => false,
        );
      if (refused) assert.ok(codeOf(await refusalOf(operation)), 'the error has a code');
      else operation.stop();
      await context.shop.reset();
      await subscribedAgain(context, async () => {
        const again = socket.subscribe({
          query: onStore('orderPlaced', '{ number }'),
          variables: { store: context.storeName },
        });
        await context.until('subscribed', () => context.store.orders.watching > 0 || again.answered);
        return !again.answered;
      });
    },
  },
  {
    name: 'together',
    title: 'an error in one subscription is in no event of another',
    run: async (context) => {
      const [good, bad] = [context.id('good'), context.id('bad')];
      const socket = await context.connect();
      const orders = await context.watch(socket, '{ product { name } }');
      const prices = await context.live(
        socket,
        { query: onStore('priceChanged', '{ product { name } }') },
        2,
      );
      context.shop.break(bad);
      context.store.place({ product: bad });
      context.store.prices.emit({ price: 1, product: good });
      assert.ok((await orders.next()).errors);
      assert.deepEqual(dataOf(await prices.next()), {
        priceChanged: { product: { name: `name of ${good}` } },
      });
    },
  },
]);

/** A client tries again after a refusal: it must succeed before its patience ends. */
const subscribedAgain = (context: Context, attempt: () => Promise<boolean>): Promise<void> =>
  context.until('a new subscription succeeds', attempt);
