import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Supergraph } from '@apollo/federation-internals';
import { Kind, parse } from 'graphql';
import { projectRoot } from '#shared/runtime/rover.ts';
import { composed, operationIn, supergraphOf } from '../testing/supergraph.ts';
import { amountAt, type Variables } from './amount.ts';
import { CostModel } from './reckoning.ts';

const limits = { MAX_PAGE_SIZE: 100, ASSUMED_LIST_SIZE: 10 };

const supergraph = supergraphOf(`
  type Query {
    book(id: ID!): Book
    shelf: [Book!]! @listSize(assumedSize: 7)
    books(first: Int = 20): [Book!]! @listSize(slicingArguments: ["first"])
    either(first: Int, last: Int): [Book!]! @listSize(slicingArguments: ["first", "last"])
    perhaps(first: Int, last: Int): [Book!]!
      @listSize(slicingArguments: ["first", "last"], assumedSize: 5, requireOneSlicingArgument: false)
    pages(first: Int): BookPage! @listSize(slicingArguments: ["first"], sizedFields: ["edges"])
    relay(first: Int): BookPage!
    plain: [Book!]!
    limited(limit: Int): [Book!]!
    found(input: Find): [Book!]! @listSize(assumedSize: 3)
    thing: Thing
    named: Named
    dear: Int @cost(weight: 50)
    weighed(of: Filter @cost(weight: 5), as: Kind): Int
  }
  type Mutation { add(input: Find!): Book }
  type Subscription { added: Book }
  type BookPage { edges: [BookEdge!]!  total: Int }
  type BookEdge { node: Book! }
  type Book implements Named { id: ID!  name: String  author: Author  blurb: Blurb  kind: Kind }
  type Author implements Named @cost(weight: 4) { name: String  books: [Book!]! }
  interface Named { name: String }
  union Thing = Book | Author
  scalar Blurb @cost(weight: 3)
  enum Kind @cost(weight: 2) { NOVEL }
  input Find { text: String @cost(weight: 6)  first: Int  inner: [Filter!] }
  input Filter { a: Int }
`);
const model = new CostModel(supergraph, limits);

function reckon(text: string) {
  const { document, operation } = operationIn(supergraph, text);
  return model.reckon(document, operation);
}
const cost = (text: string, variables: Variables = {}) => amountAt(reckon(text).cost, variables);
const fits = (text: string, variables: Variables = {}) => reckon(text).pagesFit(variables);

describe('the cost of an operation', () => {
  test.each([
    ['an object is one, its scalars nothing', '{ book(id: 1) { id name } }', 1],
    ['what is in it is added', '{ book(id: 1) { author { name } } }', 1 + 4],
    ['scalars and enums weigh what they say', '{ book(id: 1) { blurb kind } }', 1 + 3 + 2],
    ['a field weighs what it says', '{ dear }', 50],
    ['a list is multiplied by its assumed size', '{ shelf { author { name } } }', 7 * (1 + 4)],
    ['a list of which nothing is known by the usual size', '{ plain { id } }', 10],
    ['a page by what was asked', '{ books(first: 3) { id } }', 3],
    ["a page by its argument's default", '{ books { id } }', 20],
    ['the greater of two slices', '{ perhaps(first: 2, last: 9) { id } }', 9],
    ['no slice by the assumed size', '{ perhaps { id } }', 5],
    ['a page of edges', '{ pages(first: 4) { total edges { node { id } } } }', 1 + 4 * (1 + 1)],
    [
      'edges in a fragment',
      '{ pages(first: 4) { ...P } } fragment P on BookPage { edges { node { id } } }',
      9,
    ],
    ['a connection that declares nothing', '{ relay(first: 4) { edges { node { id } } } }', 9],
    ['limit is a page size', '{ limited(limit: 6) { id } }', 6],
    ['lists in lists', '{ books(first: 100) { author { books { author { name } } } } }', 100 * (5 + 10 * 5)],
    ['an interface is its dearest object', '{ named { name } }', 4],
    [
      'every branch of a union',
      '{ thing { ... on Book { blurb } ... on Author { books { id } } } }',
      4 + 3 + 10,
    ],
    ['an argument weighs what it says', '{ weighed(of: { a: 1 }, as: NOVEL) }', 5 + 2],
    ['input objects are one each', '{ found(input: { inner: [{ a: 1 }, {}] }) { id } }', 3 + 1 + 2],
    ['a null argument is nothing', '{ found(input: null) { id } }', 3],
    ['a mutation costs ten', 'mutation { add(input: { text: "x" }) { id } }', 10 + 1 + 1 + 6],
    ['a subscription costs its event', 'subscription { added { id } }', 1],
    ['what is left out costs nothing', '{ dear @skip(if: true) book(id: 1) @include(if: false) { id } }', 0],
    ['the schema itself costs nothing', '{ __schema { types { name } } __typename }', 0],
  ])('%s', (_, text, expected) => {
    expect(cost(text)).toBe(expected);
  });

  test('variables decide each time anew', () => {
    const text = 'query ($n: Int = 5, $on: Boolean!) { books(first: $n) { id } dear @include(if: $on) }';
    expect(cost(text, { on: false })).toBe(5);
    expect(cost(text, { n: 30, on: true })).toBe(80);
    expect(cost('query ($n: Int) { books(first: $n) { id } }')).toBe(20);
    expect(cost('query ($f: Find) { found(input: $f) { id } }', { f: { inner: [{}, {}, {}] } })).toBe(7);
    expect(cost('query ($f: Filter!) { found(input: { inner: [$f, $f] }) { id } }', { f: { a: 1 } })).toBe(6);
  });

  test('an operation without variables in its way is reckoned once', () => {
    expect(reckon('query ($id: ID!) { book(id: $id) { id author { books { id } } } }').cost).toBe(1 + 4 + 10);
  });
});

describe('page sizes', () => {
  test.each([
    '{ books(first: 101) { id } }',
    '{ books(first: -1) { id } }',
    '{ either { id } }',
    '{ either(first: 1, last: 1) { id } }',
    '{ pages { total } }',
    '{ books(first: null) { id } }',
    '{ relay(first: 2147483647) { total } }',
    '{ limited(limit: 101) { id } }',
    '{ limited(limit: -1) { id } }',
    '{ found(input: { first: 101 }) { id } }',
    '{ a: books(first: 1) { id } b: books(first: 101) { id } }',
    '{ ...P } fragment P on Query { books(first: 101) { id } }',
  ])('%s is refused', (text) => {
    expect(fits(text)).toBe(false);
  });

  test.each([
    '{ books(first: 100) { id } }',
    '{ books { id } }',
    '{ limited { id } }',
    '{ relay { total } }',
    '{ books(first: 0) { id } }',
  ])('%s will do', (text) => {
    expect(fits(text)).toBe(true);
  });

  test('variables are looked at each time', () => {
    const text = 'query ($n: Int) { books(first: $n) { id } }';
    expect([fits(text, { n: 100 }), fits(text, { n: 101 }), fits(text, { n: -1 })]).toEqual([
      true,
      false,
      false,
    ]);
    const nested = 'query ($f: Find) { found(input: $f) { id } }';
    expect([fits(nested, { f: { first: 100 } }), fits(nested, { f: { first: 101 } })]).toEqual([true, false]);
  });
});

test('directives are known by the names that the supergraph gives them', () => {
  const renamed = composed(`
    extend schema @link(
      url: "https://specs.apollo.dev/federation/v2.9"
      import: [{ name: "@cost", as: "@price" }, { name: "@listSize", as: "@length" }]
    )
    type Query { a: Int @price(weight: 9)  b: [B] @length(assumedSize: 2) }
    type B { c: Int }
  `);
  const { document, operation } = operationIn(renamed, '{ a b { c } }');
  expect(new CostModel(renamed, limits).reckon(document, operation).cost).toBe(9 + 2);
});

test('a supergraph that is silent about cost is told from one that is not', () => {
  expect(model.weights.declared).toBe(true);
  expect(new CostModel(composed('type Query { a: Int }'), limits).weights.declared).toBe(false);
});

test('what client applications send costs less than half of what is allowed, and its pages fit', () => {
  const folder = join(projectRoot, 'schema');
  const real = Supergraph.build(readFileSync(join(folder, 'supergraph.graphql'), 'utf8'));
  const ours = new CostModel(real.schema.toGraphQLJSSchema(), limits);
  const files = readdirSync(join(folder, 'operations')).filter((file) => file.endsWith('.graphql'));
  const costs = files.flatMap((file) => {
    const document = parse(readFileSync(join(folder, 'operations', file), 'utf8'));
    return document.definitions
      .filter((each) => each.kind === Kind.OPERATION_DEFINITION)
      .map((operation) => {
        const { cost: amount, pagesFit } = ours.reckon(document, operation);
        return { name: operation.name?.value, cost: amountAt(amount, { input: {} }), fits: pagesFit({}) };
      });
  });
  expect(costs.length).toBeGreaterThan(50);
  expect(costs.filter((each) => each.cost > 5_000 || !each.fits)).toEqual([]);
});
