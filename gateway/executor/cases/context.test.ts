import { federated, type Thing } from './federated.ts';

describe('@fromContext', () => {
  const price = (id: string, currency: string | null) => `${id} in ${currency ?? 'nothing'}`;
  const item = (id: string, currency: string | null): Thing => ({
    __typename: 'Item',
    id,
    name: `item ${id}`,
    price: price(id, currency),
    deep: price(id, currency),
  });
  const shop = (id: string, currency: string | null): Thing => ({
    __typename: 'Shop',
    id,
    currency,
    label: `shop ${id}`,
    settings: { money: { code: currency } },
    item: item(`a${id}`, currency),
    items: [item('b', currency), item('c', currency), item('b', currency)],
    groups: [[item('b', currency)], [], [item('c', currency), null]],
  });
  const shops = [shop('1', 'EUR'), shop('2', 'USD'), shop('3', null), shop('4', 'EUR')];
  const argument = ({ id }: Thing, { currency }: { currency: string | null }) => price(String(id), currency);
  const graph = federated(
    {
      shops: {
        sdl: `
          type Query { shops: [Shop]  shop: Shop }
          type Shop @key(fields: "id") @context(name: "shop") {
            id: ID!  label: String  currency: String  settings: Settings  item: Item  items: [Item!]  groups: [[Item]]
          }
          type Settings { money: Money }
          type Money { code: String }
          type Item @key(fields: "id") {
            id: ID!
            name: String
            price(currency: String @fromContext(field: "$shop { currency }")): String
            deep(currency: String @fromContext(field: "$shop { settings { money { code } } }")): String
          }`,
        resolvers: { Item: { price: argument, deep: argument } },
      },
      names: 'type Item @key(fields: "id") { id: ID!  stock: Int }',
    },
    {
      roots: { shops, shop: shops[0] },
      entities: [...shops, ...['a1', 'a2', 'a3', 'a4', 'b', 'c'].map((id) => item(id, null))],
    },
  );
  test('takes a scalar from what lies around', () => graph.agrees('{ shop { item { price } } }'));
  test('takes a nested field', () => graph.agrees('{ shop { item { deep } } }'));
  test('shows the field to nobody who did not ask', () =>
    graph.agrees('{ shop { label item { name price deep } } }'));
  test('takes for each entity what lies around it', () => graph.agrees('{ shops { label item { price } } }'));
  test('takes for one entity in several places what lies around each', () =>
    graph.agrees('{ shops { items { id price } } }'));
  test('through lists of lists', () => graph.agrees('{ shops { groups { price name } } }'));
  test('several at once, under other names', () =>
    graph.agrees('{ all: shops { item { p: price d: deep } things: items { q: price } } }'));
  test('while the client selects the same field otherwise', () =>
    graph.agrees('{ shops { currency: label money: currency item { price } } }'));
});

describe('@fromContext of a type in another subgraph', () => {
  const child = (id: string, locale: string): Thing => ({
    __typename: 'Child',
    id,
    greeting: `${id} ${locale}`,
  });
  const parents = [
    { __typename: 'Parent', id: '1', locale: 'en', child: child('x', 'en') },
    { __typename: 'Parent', id: '2', locale: 'de', child: child('x', 'de') },
  ];
  const graph = federated(
    {
      parents: 'type Query { parents: [Parent] } type Parent @key(fields: "id") { id: ID!  locale: String! }',
      children: {
        sdl: `
          type Parent @key(fields: "id") @context(name: "parent") { id: ID!  locale: String! @external  child: Child }
          type Child @key(fields: "id") {
            id: ID!
            greeting(locale: String @fromContext(field: "$parent { locale }")): String
          }`,
        resolvers: {
          Child: { greeting: ({ id }: Thing, { locale }: Thing) => `${id} ${locale}` },
        },
      },
    },
    { roots: { parents }, entities: [...parents, child('x', '')] },
  );
  test('is fetched from there first', () => graph.agrees('{ parents { child { greeting } } }'));
});

describe('@fromContext by type', () => {
  const leaf = (id: string, text: string): Thing => ({ __typename: 'Leaf', id, text });
  const trees = [
    { __typename: 'Oak', id: '1', age: 300, leaf: leaf('l', 'l of 300') },
    { __typename: 'Fir', id: '2', height: 40, leaf: leaf('l', 'l of 40') },
  ];
  const graph = federated(
    {
      trees: {
        sdl: `
          type Query { trees: [Tree] }
          union Tree = Oak | Fir
          type Oak @key(fields: "id") @context(name: "tree") { id: ID!  age: Int  leaf: Leaf }
          type Fir @key(fields: "id") @context(name: "tree") { id: ID!  height: Int  leaf: Leaf }
          type Leaf @key(fields: "id") {
            id: ID!
            text(size: Int @fromContext(field: "$tree ... on Oak { age } ... on Fir { height }")): String
          }`,
        resolvers: { Leaf: { text: ({ id }: Thing, { size }: Thing) => `${id} of ${size}` } },
      },
      other: 'type Leaf @key(fields: "id") { id: ID!  colour: String }',
    },
    { roots: { trees }, entities: [...trees, leaf('l', '')] },
  );
  test('takes from each type its own field', () =>
    graph.agrees('{ trees { ... on Oak { leaf { text } } ... on Fir { leaf { text } } } }'));
});
