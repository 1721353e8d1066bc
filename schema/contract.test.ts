/** What a contract shows and hides, on toys; and how its changes are told. */
import { composeServices } from '@apollo/composition';
import { printSchema, Supergraph } from '@apollo/federation-internals';
import { buildSchema, parse } from 'graphql';
import { contractApi, contractOf } from './contract.ts';
import { changesBetween } from './contract-changes.ts';

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.10", import: ["@key", "@tag", "@inaccessible"])`;

function supergraph(...subgraphs: string[]): string {
  const result = composeServices(
    subgraphs.map((sdl, index) => ({
      name: `s${index}`,
      url: `http://s${index}`,
      typeDefs: parse(`${link}\n${sdl}`),
    })),
  );
  if (!result.supergraphSdl) throw new Error(result.errors?.map(({ message }) => message).join('\n'));
  return result.supergraphSdl;
}

const api = (...subgraphs: string[]): string =>
  printSchema(contractApi(contractOf(supergraph(...subgraphs), 'out')))
    .replaceAll(/\s+/g, ' ')
    .trim();

test('a field is seen where it or its type carries the tag, and nothing else is', () => {
  expect(
    api(`
      type Query { a: A @tag(name: "out")  b: B @tag(name: "out")  c: C  d: Int @tag(name: "other") }
      type A @tag(name: "out") { one: Int two(of: Int = 2): Int }
      type B { seen: Int @tag(name: "out") unseen: C }
      type C { hidden: Int }
      type Mutation { change: Int }`),
  ).toBe('type A { one: Int two(of: Int = 2): Int } type B { seen: Int } type Query { a: A b: B }');
});

test('what a tagged type gains in another subgraph is seen too; what a tagged field’s type gains is not', () => {
  const shown = api(
    `type Query { a: A @tag(name: "out") b: B @tag(name: "out") }
     type A @key(fields: "id") @tag(name: "out") { id: ID! }
     type B @key(fields: "id") { id: ID! @tag(name: "out") }`,
    `type A @key(fields: "id") { id: ID! more: Int }
     type B @key(fields: "id") { id: ID! more: Int }`,
  );
  expect(shown).toBe('type A { id: ID! more: Int } type B { id: ID! } type Query { a: A b: B }');
});

test('enums, inputs, unions, interfaces and scalars are seen whole, by their own tag', () => {
  const shown = api(`
    type Query { find(by: By!): [Found!] @tag(name: "out") one: Named @tag(name: "out") }
    input By @tag(name: "out") { kind: Kind at: When }
    enum Kind @tag(name: "out") { X Y }
    enum Unseen { Z }
    scalar When @tag(name: "out")
    union Found @tag(name: "out") = P | Q
    interface Named @tag(name: "out") { name: String }
    type P implements Named @tag(name: "out") { name: String }
    type Q @tag(name: "out") { size: Int unseen: Unseen @inaccessible }`);
  expect(shown).toContain('input By { kind: Kind at: When }');
  expect(shown).toContain('enum Kind { X Y }');
  expect(shown).toContain('union Found = P | Q');
  expect(shown).toContain('type P implements Named');
  expect(shown).toContain('type Q { size: Int }');
  expect(shown).not.toContain('Unseen');
});

test('a field that leads to what cannot be seen is told, all of them at once', () => {
  const sdl = supergraph(`
    type Query { a(by: By): A @tag(name: "out") k: K @tag(name: "out") }
    type A { hidden: Int }
    input By { x: Int }
    enum K { X }`);
  expect(() => contractOf(sdl, 'out')).toThrow(/"A".*"Query\.a"/);
  expect(() => contractOf(sdl, 'out')).toThrow(/"By".*"Query\.a\(by:\)"/);
  expect(() => contractOf(sdl, 'out')).toThrow(/"K".*"Query\.k"/);
});

test('the contract of a supergraph with no such tag is refused', () => {
  expect(() => contractOf(supergraph('type Query { a: Int }'), 'out')).toThrow();
});

test('a contract is a supergraph: its subgraphs and keys are all there', () => {
  const whole = supergraph(
    'type Query { a: A @tag(name: "out") } type A @key(fields: "id") { id: ID! own: Int }',
    'type A @key(fields: "id") { id: ID! other: Int @tag(name: "out") }',
  );
  const contract = contractOf(whole, 'out');
  const names = (sdl: string) => [...Supergraph.build(sdl).subgraphs()].map(({ name }) => name);
  expect(names(contract)).toEqual(names(whole));
  expect(contractOf(contract, 'out')).toBe(contract);
});

const changes = (older: string, newer: string) =>
  changesBetween(buildSchema(older), buildSchema(newer)).map(
    ({ kind, what, breaking }) => `${kind} ${what}${breaking ? ' !' : ''}`,
  );

test('what came, what went and what is out of date is told once, with what it breaks', () => {
  expect(
    changes(
      `type Query { gone(of: Int): Int old: Int by(a: Int): Int pick(of: In): E }
       type Away { x: Int } enum E { A B } input In { x: Int }`,
      `type Query { old: Int @deprecated(reason: "so") by(a: Int, b: Int, c: Int!): Int pick(of: In): E came(of: Int): New }
       type New { x: Int } enum E { A C } input In { x: Int y: Int! z: Int! = 1 }`,
    ),
  ).toEqual([
    'REMOVED Away !',
    'REMOVED E.B !',
    'ADDED E.C',
    'ADDED In.y !',
    'ADDED In.z',
    'ADDED New',
    'ADDED Query.by(b:)',
    'ADDED Query.by(c:) !',
    'ADDED Query.came',
    'REMOVED Query.gone !',
    'DEPRECATED Query.old',
  ]);
});

test.each([
  ['Int', 'Int!', false],
  ['Int!', 'Int', true],
  ['[Int]', '[Int!]!', false],
  ['[Int!]', '[Int]', true],
  ['Int', '[Int]', true],
  ['Int', 'Float', true],
])('an answer that goes from %s to %s breaks programs: %s', (from, to, breaking) => {
  const [out] = changesBetween(
    buildSchema(`type Query { a: ${from} }`),
    buildSchema(`type Query { a: ${to} }`),
  );
  expect(out).toEqual({ kind: 'CHANGED', what: 'Query.a', breaking, detail: `from ${from} to ${to}` });
});

test.each([
  ['Int', 'Int!', true],
  ['Int!', 'Int', false],
  ['Int! = 1', 'Int = 1', false],
  ['Int = 1', 'Int! = 1', true],
  ['[Int!]!', '[Int]', false],
  ['Int = 1', 'Int = 2', false],
])('an argument that goes from %s to %s breaks programs: %s', (from, to, breaking) => {
  const [out] = changesBetween(
    buildSchema(`type Query { a(b: ${from}): Int }`),
    buildSchema(`type Query { a(b: ${to}): Int }`),
  );
  expect(out).toMatchObject({ kind: 'CHANGED', what: 'Query.a(b:)', breaking });
});

test('a first version is told by its types and root fields, and no change by nothing', () => {
  const schema = buildSchema('type Query { a: A } type A { x: Int }');
  expect(changesBetween(null, schema).map(({ what }) => what)).toEqual(['A', 'Query', 'Query.a']);
  expect(changesBetween(schema, schema)).toEqual([]);
});
