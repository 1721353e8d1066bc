import { federated } from './federated.ts';

describe('@shareable', () => {
  const money = { amount: '9.00', currency: 'EUR' };
  const offer = {
    __typename: 'Offer',
    id: '1',
    price: money,
    deposit: money,
    place: { point: { x: 1, y: 2 }, name: 'here' },
  };
  const graph = federated(
    {
      offers: `
        type Query { offer: Offer  health: String @shareable  version: Version @shareable }
        type Offer @key(fields: "id") { id: ID!  price: Money  place: Place @shareable }
        type Money @shareable { amount: String!  currency: String! }
        type Place @shareable { point: Point }
        type Point @shareable { x: Int  y: Int }
        type Version @shareable { major: Int }`,
      deposits: `
        type Query { health: String @shareable  version: Version @shareable }
        type Offer @key(fields: "id") { id: ID!  deposit: Money  place: Place @shareable }
        type Money @shareable { amount: String!  currency: String! }
        type Place { point: Point @shareable  name: String }
        type Point @shareable { x: Int  y: Int }
        type Version { major: Int @shareable  minor: Int }`,
    },
    { roots: { offer, health: 'ok', version: { major: 2, minor: 1 } }, entities: [offer] },
  );
  test('a value type comes from wherever its parent does', () =>
    graph.agrees('{ offer { price { amount currency } deposit { currency amount } } }'));
  test('a root field is asked of one', async () => {
    graph.forget();
    await graph.agrees('{ health }');
    expect(graph.fetches).toHaveLength(1);
  });
  test('a root field whose type differs is asked where it is whole', () =>
    graph.agrees('{ version { minor major } }'));
  test('a nested value is joined from both', () =>
    graph.agrees('{ offer { place { name point { x y } } price { amount } } }'));
  test('a value whose parts no single subgraph has', () =>
    graph.agrees('{ offer { place { point { y } name } deposit { amount } } health version { major } }'));
});

describe('@shareable across subgraphs that each know part of a value', () => {
  const city = { __typename: 'City', id: '1', climate: { rain: 3, sun: 9, wind: 4 } };
  const graph = federated(
    {
      rain: `
        type Query { city: City }
        type City @key(fields: "id") { id: ID!  climate: Climate @shareable }
        type Climate { rain: Int  wind: Int @shareable }`,
      sun: `
        type City @key(fields: "id") { id: ID!  climate: Climate @shareable }
        type Climate { sun: Int  wind: Int @shareable }`,
    },
    { roots: { city }, entities: [city] },
  );
  test('is merged into one object', () => graph.agrees('{ city { climate { sun rain wind } } }'));
  test('under two names', () => graph.agrees('{ city { a: climate { sun } b: climate { rain sun } } }'));
});

describe('@override', () => {
  const bill = { __typename: 'Bill', id: '1', amount: 5, payer: 'me' };
  const from = (name: string) => ({ Bill: { amount: () => name } });
  const graph = federated(
    {
      old: {
        sdl: `
          type Query { bill: Bill }
          type Bill @key(fields: "id") { id: ID!  amount: String  payer: String }`,
        resolvers: from('old'),
      },
      renewed: {
        sdl: 'type Bill @key(fields: "id") { id: ID!  amount: String @override(from: "old") }',
        resolvers: from('new'),
      },
    },
    { roots: { bill }, entities: [bill] },
  );
  test('takes the field from its old owner', () =>
    graph.answers('{ bill { amount payer } }', { bill: { amount: 'new', payer: 'me' } }));
});

describe.each([
  ['percent(0)', 'old'],
  ['percent(100)', 'new'],
])('@override with label %s', (label, owner) => {
  const bill = { __typename: 'Bill', id: '1', payer: 'me' };
  const bills = [bill, { __typename: 'Bill', id: '2', payer: 'you' }];
  const from = (name: string) => ({ Bill: { amount: () => name }, Query: { rate: () => name } });
  const graph = federated(
    {
      old: {
        sdl: `
          type Query { bills: [Bill]  rate: String }
          type Bill @key(fields: "id") { id: ID!  amount: String  payer: String }`,
        resolvers: from('old'),
      },
      renewed: {
        sdl: `
          type Query { rate: String @override(from: "old", label: "${label}") }
          type Bill @key(fields: "id") { id: ID!  amount: String @override(from: "old", label: "${label}") }`,
        resolvers: from('new'),
      },
    },
    { roots: { bills }, entities: bills },
  );
  test(`asks the ${owner} owner of a field`, () =>
    graph.answers('{ bills { payer amount } }', {
      bills: [
        { payer: 'me', amount: owner },
        { payer: 'you', amount: owner },
      ],
    }));
  test(`asks the ${owner} owner of a root field`, () => graph.answers('{ rate }', { rate: owner }));
});

describe('@inaccessible', () => {
  const ada = {
    __typename: 'User',
    id: '1',
    secret: 's1',
    name: 'Ada',
    badge: 'gold',
    mood: 'HIDDEN',
    level: 3,
  };
  const bob = { ...ada, id: '2', secret: 's2', name: 'Bob', mood: 'GLAD' };
  const graph = federated(
    {
      users: `
        type Query { users: [User]  things: [Thing] }
        type User @key(fields: "secret") { secret: ID! @inaccessible  name: String  mood: Mood }
        enum Mood { GLAD  HIDDEN @inaccessible }
        union Thing = User | Ghost
        type Ghost @inaccessible { boo: String }`,
      badges: `
        type User @key(fields: "secret") { secret: ID!  badge: String  level(of: Int = 7, trace: String @inaccessible): Int }`,
    },
    { roots: { users: [ada, bob], things: [ada, { __typename: 'Ghost', boo: '!' }] }, entities: [ada, bob] },
  );
  test('a key that nobody sees still joins', () => graph.agrees('{ users { badge name } }'));
  test('the field does not exist', async () => {
    const { data, errors } = await graph.ask('{ users { secret } }');
    expect([data, errors?.length]).toEqual([undefined, 1]);
  });
  test('nor does it in introspection', () =>
    graph.agrees('{ __type(name: "User") { fields { name } } users { name } }'));
  test('nor does the type', () =>
    graph.agrees('{ __type(name: "Ghost") { name } __schema { queryType { name } } }'));
  test('an argument that nobody sees is refused', async () => {
    const { data, errors } = await graph.ask('{ users { level(trace: "x") } }');
    expect([data, errors?.length]).toEqual([undefined, 1]);
  });
  test('a value of an enum that nobody sees is null with an error, and is not named', async () => {
    const answer = await graph.ask('{ users { name mood } }');
    expect(answer.data).toEqual({
      users: [
        { name: 'Ada', mood: null },
        { name: 'Bob', mood: 'GLAD' },
      ],
    });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['users', 0, 'mood']]);
    expect(JSON.stringify(answer)).not.toContain('HIDDEN');
  });
  test('an object of a type that nobody sees is null with an error, and is not named', async () => {
    const answer = await graph.ask('{ things { __typename ... on User { name } } }');
    expect(answer.data).toEqual({ things: [{ __typename: 'User', name: 'Ada' }, null] });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['things', 1]]);
    expect(JSON.stringify(answer)).not.toContain('Ghost');
  });
});

describe('directives that do not touch answers', () => {
  const ada = { __typename: 'User', id: '1', name: 'Ada', badge: 'gold' };
  const custom = (sdl: string) => `
    extend schema @link(url: "https://example.com/audit/v1.0", import: ["@audited"]) @composeDirective(name: "@audited")
    directive @audited(by: String) on FIELD_DEFINITION
    ${sdl}`;
  const graph = federated(
    {
      users: custom(`
        type Query { user: User @tag(name: "public") @audited(by: "law") }
        type User @key(fields: "id") @tag(name: "public") { id: ID!  name: String @tag(name: "pii") @audited }`),
      badges: custom(
        'type User @key(fields: "id") { id: ID!  badge(size: Int @tag(name: "x")): String @audited(by: "me") }',
      ),
    },
    { roots: { user: ada }, entities: [ada] },
  );
  test('@tag and @composeDirective', () => graph.agrees('{ user { name badge } }'));
});
