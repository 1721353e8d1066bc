import { federated, type Thing } from './federated.ts';

const echo = (args: Thing) => JSON.stringify(args);
const user = (id: string): Thing => ({
  __typename: 'User',
  id,
  name: `n${id}`,
  age: Number(id),
  tags: ['a', id],
  echo,
  shout: ({ text = 'nothing', times }: Thing) => `${text}${times ?? ''}`,
  said: echo,
  friend: null,
});
const ada: Thing = { ...user('1') };
const bob: Thing = { ...user('2'), friend: ada };
Object.assign(ada, { friend: bob });

const toys = {
  users: `
    type Query { user(id: ID! = "1"): User  users(ids: [ID!]): [User]  echo(filter: Filter, sort: [Sort!] = [UP], n: Int, b: Boolean = true, f: Float, day: Day): String }
    type User @key(fields: "id") { id: ID!  name: String  age: Int  tags: [String!]!  friend: User  shout(text: String = "hey", times: Int): String }
    input Filter { name: String  range: Range = { from: 1 }  tags: [String] }
    input Range { from: Int! = 0  to: Int }
    enum Sort { UP DOWN }
    scalar Day`,
  echoes: `
    type User @key(fields: "id") { id: ID!  echo(filter: Filter, sort: [Sort!] = [UP], n: Int, b: Boolean = true): String  said(words: [[String]]): String }
    input Filter { name: String  range: Range = { from: 1 }  tags: [String] }
    input Range { from: Int! = 0  to: Int }
    enum Sort { UP DOWN }`,
};
const graph = federated(toys, {
  roots: {
    user: ({ id }: Thing) => (id === '1' ? ada : id === '2' ? bob : null),
    users: ({ ids }: { ids?: string[] | null }) =>
      ids?.map((id) => (id === '1' ? ada : id === '2' ? bob : null)) ?? null,
    echo,
  },
  entities: [ada, bob],
});

describe('variables', () => {
  const query = `query ($filter: Filter, $sort: [Sort!], $n: Int, $b: Boolean) {
    echo(filter: $filter, sort: $sort, n: $n, b: $b)
    user { echo(filter: $filter, sort: $sort, n: $n, b: $b) }
  }`;
  test.each<[string, Thing]>([
    ['absent, so that defaults hold', {}],
    ['null, so that defaults do not', { filter: null, sort: null, n: null, b: null }],
    ['an input object with its own defaults', { filter: {} }],
    ['input objects in each other', { filter: { name: 'x', range: { to: 3 }, tags: ['t', null] } }],
    ['a list', { sort: ['DOWN', 'UP'] }],
    ['a single value for a list', { sort: 'DOWN' }],
    ['false and nought', { b: false, n: 0 }],
    ['null within an input object', { filter: { name: null, range: null, tags: null } }],
  ])('%s', (_, variables) => graph.agrees(query, variables));
  test('defaults of their own', () =>
    graph.agrees(
      'query ($n: Int = 5, $sort: [Sort!] = [DOWN]) { echo(n: $n, sort: $sort) user { echo(n: $n, sort: $sort) } }',
    ));
  test('defaults of their own, against null', () =>
    graph.agrees('query ($n: Int = 5) { echo(n: $n) user { echo(n: $n) } }', { n: null }));
  test('within literals', () =>
    graph.agrees(
      'query ($t: Int, $s: Sort!, $w: String) { echo(filter: { range: { from: 2, to: $t }, tags: [$w, "x"] }, sort: [$s, UP]) user { echo(filter: { name: $w }, sort: [$s]) said(words: [[$w], null]) } }',
      { t: 4, s: 'DOWN' },
    ));
  test('in fragments', () =>
    graph.agrees(
      'query ($n: Int) { user { ...F } } fragment F on User { echo(n: $n) friend { echo(n: $n, b: false) } }',
      { n: 3 },
    ));
  test('with names that objects have anyway', () =>
    graph.agrees(
      'query ($constructor: Int, $toString: Boolean, $__proto__: Filter) { echo(n: $constructor, b: $toString, filter: $__proto__) user { echo(n: $constructor, filter: $__proto__) } }',
      JSON.parse('{ "constructor": 1, "toString": false, "__proto__": { "name": "x" } }') as Thing,
    ));
  test('that nobody declared are ignored', () => graph.agrees('{ user { echo } }', { n: 3, x: [] }));
  test('of a custom scalar pass as they are', () =>
    graph.agrees('query ($day: Day) { echo(day: $day) }', { day: { year: 1, parts: [1, '2', null] } }));
  test.each<[string, Thing]>([
    ['of another type', { n: 'three' }],
    ['beyond the range', { n: 2 ** 31 }],
    ['of no such enum value', { sort: ['SIDEWAYS'] }],
    ['of no such input field', { filter: { nick: 'x' } }],
    ['null where an input field must not be', { filter: { range: { from: null } } }],
  ])('%s are refused before anything is asked', async (_, variables) => {
    graph.forget();
    const { data, errors } = await graph.ask(query, variables);
    expect({ data, code: errors?.[0]?.extensions?.code, fetches: graph.fetches }).toEqual({
      data: undefined,
      code: 'BAD_USER_INPUT',
      fetches: [],
    });
  });
});

describe('aliases', () => {
  test('the same field with other arguments, in both subgraphs', () =>
    graph.agrees(
      '{ a: user(id: 1) { x: echo(n: 1) y: echo(n: 2) s: shout t: shout(text: "b") } b: user(id: 2) { x: echo(n: 3) } }',
    ));
  test('that swap names', () => graph.agrees('{ user { name: shout shout: name age: id } }'));
  test('that swap names across subgraphs', () =>
    graph.agrees('{ user { said: shout shout: said(words: [["x"]]) name: echo } }'));
  test('of names that objects have anyway', () =>
    graph.agrees(
      '{ user { constructor: name toString: echo __proto__: age hasOwnProperty: said valueOf: friend { then: echo } } }',
    ));
  test('that need not be told from paths', () =>
    graph.agrees('{ length: user { path: echo data: name errors: friend { key: echo } } }'));
});

describe('@include and @skip', () => {
  const query = `query ($yes: Boolean!, $no: Boolean = false) {
    user {
      name @include(if: $yes)
      age @skip(if: $yes)
      echo @include(if: $no)
      said @skip(if: $no)
      ... @include(if: $yes) { shout friend @skip(if: $no) { echo } }
      ...F @skip(if: $yes)
      both: age @include(if: $yes) @skip(if: $no)
    }
  }
  fragment F on User { tags friend { said } }`;
  test.each([{ yes: true }, { yes: false }, { yes: true, no: true }, { yes: false, no: true }])(
    'by variables %j',
    (variables) => graph.agrees(query, variables),
  );
  test('by literals', () =>
    graph.agrees('{ user { name @skip(if: true) age @include(if: true) echo @include(if: false) } }'));
  test.each([
    { a: true, b: true },
    { a: true, b: false },
    { a: false, b: true },
    { a: false, b: false },
  ])('within each other %j', (variables) =>
    graph.agrees(
      'query ($a: Boolean!, $b: Boolean!) { user { ... @include(if: $a) { friend { echo @skip(if: $b) ... @include(if: $b) { said name } } } ... @skip(if: $a) { said } } }',
      variables,
    ),
  );
  test('a field that is selected twice comes when one of them holds', () =>
    graph.agrees('query ($a: Boolean!) { user { echo @include(if: $a) name echo } }', { a: false }));
  test('at the root', () =>
    graph.agrees(
      'query ($a: Boolean!) { a: user @include(if: $a) { echo } b: user @skip(if: $a) { said } }',
      { a: false },
    ));
  test('that leave nothing', () =>
    graph.agrees('query ($a: Boolean!) { user @include(if: $a) { echo } }', { a: false }));
  test('that leave an empty object', () =>
    graph.agrees('query ($a: Boolean!) { user { echo @include(if: $a) } }', { a: false }));
  test('a subgraph of which nothing is wanted is not asked', async () => {
    graph.forget();
    await graph.agrees('query ($a: Boolean!) { user { name echo @include(if: $a) } }', { a: false });
    expect(graph.fetches).toEqual(['users']);
  });
  test('a subgraph under a condition that holds', () =>
    graph.agrees('query ($a: Boolean!) { user { name ... @include(if: $a) { echo said } } }', { a: true }));
});

describe('__typename', () => {
  test('of the root alone', () => graph.agrees('{ __typename }'));
  test('of the root beside data, under other names', () =>
    graph.agrees('{ a: __typename user { echo } b: __typename }'));
  test('at every level', () =>
    graph.agrees('{ user { __typename friend { t: __typename echo friend { __typename } } } }'));
  test('of nothing else of an object', () => graph.agrees('{ user { __typename } }'));
  test('under conditions', () =>
    graph.agrees(
      'query ($a: Boolean!) { __typename @skip(if: $a) user { __typename @include(if: $a) echo } }',
      { a: true },
    ));
});

describe('introspection', () => {
  test('beside data', () =>
    graph.agrees('{ __type(name: "User") { name kind } user { echo } __schema { queryType { name } } }'));
  test('with variables', () =>
    graph.agrees(
      'query ($name: String!) { type: __type(name: $name) { name enumValues { name } } user { name } }',
      { name: 'Sort' },
    ));
  test('of no such type', () => graph.agrees('{ __type(name: "Nobody") { name } }'));
  test('in fragments', () =>
    graph.agrees(
      '{ ...Q } fragment Q on Query { __schema { ...S } user { id } } fragment S on __Schema { mutationType { name } queryType { ...T } } fragment T on __Type { name }',
    ));
  test('shows nothing of the machinery', async () => {
    const { data } = await graph.ask(
      '{ __schema { types { name } directives { name } queryType { fields { name } } } }',
    );
    expect(JSON.stringify(data)).not.toMatch(
      /_Entity|_Any|_Service|_entities|join__|link__|federation__|"key"/,
    );
  });
  test('needs no subgraph', async () => {
    graph.forget();
    await graph.agrees(
      '{ __typename __type(name: "User") { fields { name type { name kind ofType { name } } } } }',
    );
    expect(graph.fetches).toEqual([]);
  });
});

describe('the order of fields', () => {
  test('is that of the query, whoever answers first', () =>
    graph.agrees('{ user { echo name said age id } }'));
  test('with fragments is that of their first mention', () =>
    graph.agrees(
      '{ user { ...A age echo ...B } } fragment A on User { said name } fragment B on User { id name shout echo }',
    ));
  test('of objects that are selected twice is merged', () =>
    graph.agrees('{ user { friend { name } echo friend { said name age } } user { age friend { echo } } }'));
  test('at the root', () =>
    graph.agrees('{ b: user(id: 2) { name } __typename a: user(id: 1) { echo } b: user(id: 2) { echo } }'));
  test('for names that are numbers to JavaScript alone', () =>
    graph.agrees('{ user { _1: echo _0: name z: age a: id } }'));
});

describe('lists and depth', () => {
  test('the same entity many times is asked for once', async () => {
    graph.forget();
    const ids = Array.from({ length: 50 }, (_, index) => String(1 + (index % 2)));
    await graph.agrees('query ($ids: [ID!]) { users(ids: $ids) { echo } }', { ids });
    expect(graph.references.map(({ representation }) => representation.id)).toEqual(['1', '2']);
  });
  test('one entity on two paths has the fields of each', () =>
    graph.agrees('{ a: user(id: 1) { echo friend { said } } b: user(id: 2) { friend { name said } echo } }'));
  test.each<[string, Thing]>([
    ['empty', { ids: [] }],
    ['null', { ids: null }],
    ['with nulls only', { ids: ['7', '8'] }],
    ['with nulls between', { ids: ['7', '1', '8', '2'] }],
  ])('a list that is %s', (_, variables) =>
    graph.agrees('query ($ids: [ID!]) { users(ids: $ids) { name echo friend { echo tags } } }', variables),
  );
  test('nothing is asked for a list without entities', async () => {
    graph.forget();
    await graph.agrees('{ users(ids: []) { echo } }');
    expect(graph.fetches).toEqual(['users']);
  });
  test('forty levels', () => {
    const deep = (levels: number): string => (levels === 0 ? 'echo' : `name friend { ${deep(levels - 1)} }`);
    return graph.agrees(`{ user { ${deep(40)} } }`);
  });
});

describe('lists of lists', () => {
  const cell = (id: string): Thing => ({ __typename: 'Cell', id, value: Number(id) });
  const [one, two, three] = [cell('1'), cell('2'), cell('3')];
  const grids = federated(
    {
      grid: 'type Query { grid: [[[Cell]!]] } type Cell @key(fields: "id") { id: ID! }',
      values: 'type Cell @key(fields: "id") { id: ID!  value: Int }',
    },
    {
      roots: { grid: [[[one, null], []], null, [], [[two, one], [three]]] },
      entities: [one, two, three] as Thing[],
    },
  );
  test('keep their shape', () => grids.agrees('{ grid { value } }'));
});

describe('what a request asks for', () => {
  test('is one operation of several', async () => {
    const response = await fetch(graph.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'query A { user { name } } query B($n: Int) { user { echo(n: $n) } }',
        operationName: 'B',
        variables: { n: 2 },
      }),
    });
    expect(await response.json()).toEqual({ data: { user: { echo: '{"sort":["UP"],"n":2,"b":true}' } } });
  });
});
