/** What a document may say, and how one that may not be run is refused: by errors of its own, never by the socket's end. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import type { Request } from '../client/result.ts';
import { priceOf } from '../subgraphs/shop.ts';
import { dataOf, nextValue, refusalOf } from './reading.ts';

/** The request is refused with an error, and the socket goes on as if it had not been. */
const refused = (
  name: string,
  title: string,
  request: Request | ((context: Context) => Request),
): CaseOfGroup => ({
  name,
  title,
  run: async (context) => {
    const socket = await context.connect();
    const { variables, ...rest } = typeof request === 'function' ? request(context) : request;
    const operation = socket.subscribe({ ...rest, variables: variables ?? { store: context.storeName } });
    const errors = await refusalOf(operation);
    assert.ok(errors[0]?.message, 'the error has words');
    assert.equal(context.store.watching, 0, 'nothing runs upstream');
    const next = await context.watch(socket, '{ number }');
    context.store.place({});
    assert.deepEqual(await nextValue(next), { number: 1 });
  },
});

/** The subscription `document` gets one event and answers `expected`. */
const answers = (
  name: string,
  title: string,
  request: Omit<Request, 'variables'> & { variables?: Record<string, unknown> },
  expected: (product: string, buyer: string) => Record<string, unknown>,
): CaseOfGroup => ({
  name,
  title,
  run: async (context) => {
    const [product, buyer] = [context.id('product'), context.id('buyer')];
    const socket = await context.connect();
    const operation = await context.live(socket, request);
    context.store.place({ product, buyer, note: 'hello' });
    const result = await operation.next();
    assert.equal(
      JSON.stringify(dataOf(result)),
      JSON.stringify(expected(product, buyer)),
      'the data, in this order',
    );
  },
});

const conditional = onStore('orderPlaced', '@include(if: $on) { number }').replace(
  ')',
  ', $on: Boolean = true)',
);

export const operations = group('operations', [
  refused('syntax-error', 'a document with a syntax error is refused', { query: 'subscription {' }),
  refused('unknown-field', 'an unknown field is refused', { query: 'subscription { nothing }' }),
  refused('unknown-nested-field', 'an unknown field of another subgraph is refused', {
    query: onStore('orderPlaced', '{ product { nothing } }'),
  }),
  refused('missing-argument', 'a missing argument is refused', {
    query: 'subscription { orderPlaced { number } }',
  }),
  refused('missing-variable', 'a missing variable is refused', {
    query: onStore('orderPlaced', '{ number }'),
    variables: {},
  }),
  refused('wrong-variable', 'a variable of a wrong type is refused', (context) => ({
    query: 'subscription ($store: ID!, $from: Int!) { countdown(store: $store, from: $from) }',
    variables: { store: context.storeName, from: 'three' },
  })),
  refused('unknown-operation', 'an operationName that the document does not have is refused', {
    query: `subscription A ${onStore('orderPlaced', '{ number }').slice('subscription'.length)}`,
    operationName: 'B',
  }),
  refused('which-operation', 'a document of several operations without operationName is refused', {
    query: ['A', 'B']
      .map(
        (name) => `subscription ${name} ${onStore('orderPlaced', '{ number }').slice('subscription'.length)}`,
      )
      .join('\n'),
  }),
  refused('two-root-fields', 'two root fields are refused', {
    query:
      'subscription ($store: ID!) { orderPlaced(store: $store) { number } priceChanged(store: $store) { price } }',
  }),
  refused('two-root-fields-in-fragment', 'two root fields, one in a fragment, are refused', {
    query: `subscription ($store: ID!) { orderPlaced(store: $store) { number } ...More }
      fragment More on Subscription { priceChanged(store: $store) { price } }`,
  }),
  refused('two-aliases', 'one root field under two aliases is refused', {
    query:
      'subscription ($store: ID!) { a: orderPlaced(store: $store) { number } b: orderPlaced(store: $store) { number } }',
  }),
  refused('fragment-cycle', 'fragments that hold each other are refused', {
    query: `subscription ($store: ID!) { orderPlaced(store: $store) { product { ...A } } }
      fragment A on Product { maker { favourite { ...B } } }
      fragment B on Product { maker { favourite { ...A } } }`,
  }),
  refused('root-typename', 'introspection at the root of a subscription is refused', {
    query: 'subscription { __typename }',
  }),
  {
    name: 'root-condition',
    title: '@include and @skip at the root are refused or obeyed, and nothing else suffers',
    run: async (context) => {
      const socket = await context.connect();
      const other = await context.watch(socket, '{ number }');
      const fragment = `subscription ($store: ID!, $on: Boolean = true) { ...Root }
        fragment Root on Subscription { orderPlaced(store: $store) @skip(if: $on) { number } }`;
      for (const query of [
        conditional,
        conditional.replace('@include(if: $on)', '@skip(if: true)'),
        fragment,
      ]) {
        const operation = socket.subscribe({ query, variables: { store: context.storeName } });
        await context.until('an answer', () => operation.answered || context.store.watching > 1);
        if (operation.answered) {
          const { type } = operation.inbox.unread[0] as { type: string };
          if (type !== 'complete') await refusalOf(operation);
        } else operation.stop();
      }
      context.store.place({});
      assert.deepEqual(await nextValue(other), { number: 1 });
    },
  },
  {
    name: 'query',
    title: 'a query over the socket is answered and completed, or refused with an error',
    run: async (context) => {
      const socket = await context.connect();
      const product = context.id('product');
      const operation = socket.subscribe({
        query: 'query ($id: ID!) { product(id: $id) { name } }',
        variables: { id: product },
      });
      const { type, payload } = await operation.any();
      if (type === 'next') {
        assert.deepEqual(payload, { data: { product: { name: `name of ${product}` } } });
        await operation.completed();
      } else assert.equal(type, 'error', 'an answer, or an error');
      await socket.roundTrip();
    },
  },
  answers(
    'literal-arguments',
    'arguments may be literals',
    { query: onStore('orderPlaced', '{ number }').replace('$store)', '$store, after: null)') },
    () => ({ orderPlaced: { number: 1 } }),
  ),
  answers(
    'operation-name',
    'operationName selects one of several operations',
    {
      query: `query Other { product(id: "x") { name } }
        subscription Wrong($store: ID!) { priceChanged(store: $store) { price } }
        subscription Right($store: ID!) { orderPlaced(store: $store) { number note } }`,
      operationName: 'Right',
    },
    () => ({ orderPlaced: { number: 1, note: 'hello' } }),
  ),
  answers(
    'aliases',
    'aliases rename fields at the root, in the event and in joins',
    {
      query: `subscription ($store: ID!) { placed: orderPlaced(store: $store) {
        n: number  thing: product { label: name  name: price }  also: product { name } } }`,
    },
    (product) => ({
      placed: {
        n: 1,
        thing: { label: `name of ${product}`, name: priceOf(product) },
        also: { name: `name of ${product}` },
      },
    }),
  ),
  answers(
    'fragments',
    'fragments may be named, inline, nested and at the root',
    {
      query: `subscription ($store: ID!) { ...Root }
        fragment Root on Subscription { orderPlaced(store: $store) { ...Of  ... { note }  ... on Order { product { ...P } } } }
        fragment Of on Order { number }
        fragment P on Product { name }`,
    },
    (product) => ({ orderPlaced: { number: 1, note: 'hello', product: { name: `name of ${product}` } } }),
  ),
  answers(
    'typename',
    '__typename is answered on every level',
    { query: onStore('orderPlaced', '{ __typename product { __typename name } }') },
    (product) => ({
      orderPlaced: { __typename: 'Order', product: { __typename: 'Product', name: `name of ${product}` } },
    }),
  ),
  answers(
    'field-order',
    'fields come in the order in which they were asked for, wherever they come from',
    { query: onStore('orderPlaced', '{ buyer { name id } note product { tax name id } number }') },
    (product, buyer) => ({
      orderPlaced: {
        buyer: { name: `name of ${buyer}`, id: buyer },
        note: 'hello',
        product: { tax: priceOf(product) / 10, name: `name of ${product}`, id: product },
        number: 1,
      },
    }),
  ),
  answers(
    'merged-fields',
    'a field that is selected twice is answered once, with both selections',
    { query: onStore('orderPlaced', '{ product { name } number product { price } }') },
    (product) => ({
      orderPlaced: { product: { name: `name of ${product}`, price: priceOf(product) }, number: 1 },
    }),
  ),
  answers(
    'merged-root',
    'one root field that is selected twice is one root field',
    {
      query: `subscription ($store: ID!) { orderPlaced(store: $store) { number } ...More }
        fragment More on Subscription { orderPlaced(store: $store) { product { name } } }`,
    },
    (product) => ({ orderPlaced: { number: 1, product: { name: `name of ${product}` } } }),
  ),
  {
    name: 'null-members',
    title: 'operationName, variables and extensions may be null',
    run: async (context) => {
      const socket = await context.connect();
      const query = `subscription { countdown(store: "${context.storeName}", from: 1) }`;
      const operation = socket.subscribe({ query, operationName: null, variables: null, extensions: null });
      assert.equal(await nextValue(operation), 1);
      await operation.completed();
    },
  },
  answers(
    'include-and-skip',
    '@include and @skip on nested fields are obeyed, by literals and by variables',
    {
      query: `subscription ($store: ID!, $yes: Boolean!, $no: Boolean = false) { orderPlaced(store: $store) {
        number @include(if: $yes)  note @skip(if: $yes)  cursor @include(if: false)
        product { name @include(if: $yes)  price @include(if: $no) }
        ... on Order @include(if: $no) { buyer { name } } } }`,
      variables: { yes: true },
    },
    (product) => ({ orderPlaced: { number: 1, product: { name: `name of ${product}` } } }),
  ),
  {
    name: 'skipped-join',
    title: 'a join that a variable excludes asks nothing of its subgraph',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const query = `subscription ($store: ID!, $join: Boolean!) { orderPlaced(store: $store) {
        number product @include(if: $join) { name } } }`;
      const operation = await context.live(socket, { query, variables: { join: false } });
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), { number: 1 });
      assert.equal(context.shop.fetches(product), 0);
    },
  },
  {
    name: 'input-objects',
    title: 'input objects and lists reach the subgraph, by literals and by variables',
    run: async (context) => {
      const socket = await context.connect();
      const query = `subscription ($store: ID!, $prices: [Int!]) {
        priceChanged(store: $store, filter: { atLeast: 2, oneOf: $prices }) { price } }`;
      const operation = await context.live(socket, { query, variables: { prices: [1, 2, 4] } });
      context.store.prices.emit(...[1, 2, 3, 4].map((price) => ({ price })));
      assert.deepEqual(
        [await nextValue(operation), await nextValue(operation)],
        [{ price: 2 }, { price: 4 }],
      );
    },
  },
  {
    name: 'variables-apart',
    title: 'subscriptions that differ in their variables alone get their own events',
    run: async (context) => {
      const socket = await context.connect();
      const query = `subscription ($store: ID!, $filter: PriceFilter) { priceChanged(store: $store, filter: $filter) { price } }`;
      const high = await context.live(socket, { query, variables: { filter: { atLeast: 3 } } });
      const all = await context.live(socket, { query, variables: { filter: null } }, 2);
      context.store.prices.emit({ price: 1 }, { price: 4 });
      assert.deepEqual([await nextValue(all), await nextValue(all)], [{ price: 1 }, { price: 4 }]);
      assert.deepEqual(await nextValue(high), { price: 4 });
    },
  },
  {
    name: 'null-event',
    title: 'an event that is null is answered as null, without an error',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.orders.emit(null);
      assert.deepEqual(await operation.next(), { data: { orderPlaced: null } });
    },
  },
  {
    name: 'null-fields',
    title: 'nulls of the event are answered as nulls, and nothing is joined to them',
    run: async (context) => {
      const socket = await context.connect();
      const operation = await context.watch(
        socket,
        '{ note product { name maker { name } } products { name } subject { ... on Product { name } } }',
      );
      context.store.place({});
      assert.deepEqual(await nextValue(operation), {
        note: null,
        product: null,
        products: null,
        subject: null,
      });
    },
  },
]);
