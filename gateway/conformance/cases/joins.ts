/** What an event refers to is fetched from the subgraphs that know it. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import { type Activity, type Order, priceOf, type StatusChange } from '../subgraphs/shop.ts';
import { nextValue } from './reading.ts';

/** One event, and what the client must see of it. */
const joined = (
  name: string,
  title: string,
  parts: {
    field?: string;
    selection: string;
    event: (ids: (name: string) => string) => Partial<Order> | Activity | StatusChange;
    expected: (ids: (name: string) => string) => unknown;
  },
): CaseOfGroup => ({
  name,
  title,
  run: async (context: Context) => {
    const ids = (name: string) => context.id(name);
    const { field = 'orderPlaced' } = parts;
    const socket = await context.connect();
    const operation = await context.live(socket, { query: onStore(field, parts.selection) });
    const event = parts.event(ids);
    if (field === 'activity') context.store.activities.emit(event as Activity);
    else if (field === 'statusChanged') context.store.statuses.emit(event as StatusChange);
    else context.store.place(event as Order);
    assert.deepEqual(await nextValue(operation), parts.expected(ids));
  },
});

const nameOf = (id: string) => `name of ${id}`;

export const joins = group('joins', [
  joined('one-hop', 'an event is joined with another subgraph', {
    selection: '{ number product { id name price } }',
    event: (id) => ({ product: id('p') }),
    expected: (id) => ({
      number: 1,
      product: { id: id('p'), name: nameOf(id('p')), price: priceOf(id('p')) },
    }),
  }),
  joined('key-only', 'what the reference itself tells is answered', {
    selection: '{ product { id } }',
    event: (id) => ({ product: id('p') }),
    expected: (id) => ({ product: { id: id('p') } }),
  }),
  joined('two-subgraphs', 'an event is joined with two subgraphs', {
    selection: '{ number product { name } buyer { name } }',
    event: (id) => ({ product: id('p'), buyer: id('b') }),
    expected: (id) => ({ number: 1, product: { name: nameOf(id('p')) }, buyer: { name: nameOf(id('b')) } }),
  }),
  joined('two-hops', 'what a join refers to is joined in turn', {
    selection: '{ product { maker { name } } }',
    event: (id) => ({ product: id('p') }),
    expected: (id) => ({ product: { maker: { name: nameOf(`maker of ${id('p')}`) } } }),
  }),
  joined('three-hops', 'three hops, back and forth between subgraphs', {
    selection: '{ product { maker { favourite { name } } } }',
    event: (id) => ({ product: id('p') }),
    expected: (id) => ({
      product: { maker: { favourite: { name: nameOf(`favourite of maker of ${id('p')}`) } } },
    }),
  }),
  joined('list', 'a list of entities is joined in its order, with its nulls and its repetitions', {
    selection: '{ products { id name } }',
    event: (id) => ({ products: [id('b'), null, id('a'), id('b')] }),
    expected: (id) => ({
      products: [
        { id: id('b'), name: nameOf(id('b')) },
        null,
        { id: id('a'), name: nameOf(id('a')) },
        { id: id('b'), name: nameOf(id('b')) },
      ],
    }),
  }),
  joined('empty-list', 'an empty list stays one', {
    selection: '{ products { name } }',
    event: () => ({ products: [] }),
    expected: () => ({ products: [] }),
  }),
  joined('list-in-join', 'a list that a join brings is joined in turn', {
    selection: '{ buyer { friends { name favourite { name } } } }',
    event: (id) => ({ buyer: id('b') }),
    expected: (id) => ({
      buyer: {
        friends: ['first', 'second'].map((which) => ({
          name: nameOf(`${which} of ${id('b')}`),
          favourite: { name: nameOf(`favourite of ${which} of ${id('b')}`) },
        })),
      },
    }),
  }),
  joined('requires', 'a field that requires what another subgraph knows is joined after it', {
    selection: '{ product { tax } }',
    event: (id) => ({ product: id('p') }),
    expected: (id) => ({ product: { tax: priceOf(id('p')) / 10 } }),
  }),
  joined('other-source', 'events of another subgraph are joined the same way', {
    field: 'statusChanged',
    selection: '{ status person { name } product { name tax } }',
    event: (id) => ({ status: 'open', person: id('b'), product: id('p') }),
    expected: (id) => ({
      status: 'open',
      person: { name: nameOf(id('b')) },
      product: { name: nameOf(id('p')), tax: priceOf(id('p')) / 10 },
    }),
  }),
  joined('union', 'a member of a union is joined by its own type', {
    selection: '{ subject { __typename ... on Product { price } ... on Person { name } } }',
    event: (id) => ({ subject: { __typename: 'Person', id: id('b') } }),
    expected: (id) => ({ subject: { __typename: 'Person', name: nameOf(id('b')) } }),
  }),
  joined('list-of-union', 'a list of different types is joined, each with its own subgraph', {
    selection: '{ subjects { ... on Product { name price } ... on Person { name } } }',
    event: (id) => ({
      subjects: [
        { __typename: 'Person', id: id('b') },
        { __typename: 'Product', id: id('p') },
        { __typename: 'Person', id: id('c') },
      ],
    }),
    expected: (id) => ({
      subjects: [
        { name: nameOf(id('b')) },
        { name: nameOf(id('p')), price: priceOf(id('p')) },
        { name: nameOf(id('c')) },
      ],
    }),
  }),
  joined(
    'interface-sale',
    'an event of an interface is joined by what the interface has and by what its type has',
    {
      field: 'activity',
      selection:
        '{ __typename number by { name } ... on Sale { product { name } } ... on Signup { invitedBy { name } } }',
      event: (id) => ({ __typename: 'Sale', number: 7, by: id('b'), product: id('p') }),
      expected: (id) => ({
        __typename: 'Sale',
        number: 7,
        by: { name: nameOf(id('b')) },
        product: { name: nameOf(id('p')) },
      }),
    },
  ),
  {
    name: 'interface-types-in-turn',
    title: 'events of different types on one subscription are each joined by their type',
    run: async (context) => {
      const [seller, guest, product] = [context.id('seller'), context.id('guest'), context.id('product')];
      const socket = await context.connect();
      const query = onStore(
        'activity',
        '{ number ... on Sale { product { name } } ... on Signup { invitedBy { name } } }',
      );
      const operation = await context.live(socket, { query });
      context.store.activities.emit(
        { __typename: 'Signup', number: 1, by: guest, invitedBy: seller },
        { __typename: 'Sale', number: 2, by: seller, product },
        { __typename: 'Signup', number: 3, by: guest },
      );
      assert.deepEqual(
        [await nextValue(operation), await nextValue(operation), await nextValue(operation)],
        [
          { number: 1, invitedBy: { name: nameOf(seller) } },
          { number: 2, product: { name: nameOf(product) } },
          { number: 3, invitedBy: null },
        ],
      );
    },
  },
  {
    name: 'fresh-every-time',
    title: 'each event is joined anew, not with what an earlier one found',
    run: async (context) => {
      const product = context.id('product');
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ product { name } }');
      context.shop.remove(product);
      context.store.place({ product });
      await operation.next();
      await context.shop.reset();
      context.store.place({ product });
      assert.deepEqual(await nextValue(operation), { product: { name: nameOf(product) } });
    },
  },
]);
