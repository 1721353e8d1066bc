import { federated } from './federated.ts';

describe('@key of one field', () => {
  const ada = { __typename: 'User', id: '1', name: 'Ada', rank: 1 };
  const bob = { __typename: 'User', id: '2', name: null, rank: 2 };
  const ghost = { __typename: 'User', id: '404' };
  const graph = federated(
    {
      accounts: {
        sdl: `
          type Query { users: [User]  user(id: ID!): User  ghost: User  nobody: User }
          type User @key(fields: "id") { id: ID!  name: String }`,
      },
      ranks: 'type User @key(fields: "id") { id: ID!  rank: Int }',
    },
    {
      roots: {
        users: [ada, bob, null, ada],
        user: ({ id }: { id: string }) => [ada, bob].find((each) => each.id === id) ?? null,
        ghost,
        nobody: null,
      },
      entities: [ada, bob],
    },
  );
  test('joins what two subgraphs know', () => graph.agrees('{ user(id: 1) { id name rank } }'));
  test('the key need not be selected', () => graph.agrees('{ user(id: 1) { rank } }'));
  test('of a list with nulls and repetitions', () => graph.agrees('{ users { rank name } }'));
  test('of an absent root', () => graph.agrees('{ nobody { rank name } }'));
  test('of an entity that the other subgraph does not know: its fields are null without an error', () =>
    graph.answers('{ ghost { id name rank } }', { ghost: { id: '404', name: null, rank: null } }));
  test('under another name', () =>
    graph.agrees('{ a: user(id: 1) { key: id  place: rank  again: rank  n: name } }'));
  test('where the client gives another field the name of the key', () =>
    graph.agrees('{ user(id: 1) { id: name  rank  name: id } }'));
  test('where the client gives another field the name of the type', () =>
    graph.agrees('{ user(id: 1) { __typename: name  rank } }'));
  test('each distinct entity is asked for once', async () => {
    graph.forget();
    await graph.agrees('{ users { rank } other: user(id: 1) { name } }');
    expect(graph.references.map(({ representation }) => representation.id).sort()).toEqual(['1', '2']);
  });
});

describe('@key of several fields', () => {
  const part = (shop: string, number: number) => ({
    __typename: 'Part',
    shop,
    number,
    weight: number * 10,
    name: `${shop}${number}`,
  });
  const parts = [part('a', 1), part('a', 2), part('b', 1)];
  const graph = federated(
    {
      shop: 'type Query { parts: [Part!]! } type Part @key(fields: "shop number") { shop: String!  number: Int!  name: String }',
      scales: 'type Part @key(fields: "number shop") { shop: String!  number: Int!  weight: Int! }',
    },
    { roots: { parts }, entities: parts },
  );
  test('joins by all of them', () => graph.agrees('{ parts { weight name } }'));
});

describe('@key of a nested field', () => {
  const book = (isbn: string, shelf: string) => ({
    __typename: 'Book',
    edition: { isbn, publisher: { code: `p${isbn}`, city: 'Rome' } },
    title: `title of ${isbn}`,
    shelf,
  });
  const books = [book('1', 'north'), book('2', 'south')];
  const graph = federated(
    {
      catalogue: `
        type Query { books: [Book] }
        type Book @key(fields: "edition { isbn publisher { code } }") { edition: Edition!  title: String }
        type Edition { isbn: ID!  publisher: Publisher @shareable }
        type Publisher { code: ID! @shareable  city: String }`.replace('isbn: ID!', 'isbn: ID! @shareable'),
      shelves: `
        type Book @key(fields: "edition { isbn publisher { code } }") { edition: Edition! @shareable  shelf: String }
        type Edition @shareable { isbn: ID!  publisher: Publisher }
        type Publisher @shareable { code: ID! }`.replace('edition: Edition! @shareable', 'edition: Edition!'),
    },
    { roots: { books }, entities: books },
  );
  test('joins by what lies within', () => graph.agrees('{ books { shelf title } }'));
  test('and its own fields may be selected otherwise', () =>
    graph.agrees('{ books { shelf edition { publisher { city code } number: isbn } } }'));
});

describe('@key of a list', () => {
  const team = (...ids: string[]) => ({
    __typename: 'Team',
    members: ids.map((id) => ({ id, name: `n${id}` })),
    score: ids.length,
  });
  const teams = [team('1', '2'), team('3'), team()];
  const graph = federated(
    {
      rosters: `
        type Query { teams: [Team] }
        type Team @key(fields: "members { id }") { members: [Member!]! }
        type Member { id: ID! @shareable  name: String }`,
      scores: `
        type Team @key(fields: "members { id }") { members: [Member!]!  score: Int }
        type Member @shareable { id: ID! }`,
    },
    { roots: { teams }, entities: teams },
  );
  test('joins by all its items', () => graph.agrees('{ teams { score members { name } } }'));
});

describe('several @keys, each subgraph with another', () => {
  const users = [1, 2].map((n) => ({
    __typename: 'User',
    id: `i${n}`,
    email: `e${n}`,
    handle: `h${n}`,
    age: n,
    karma: n * 2,
  }));
  const graph = federated(
    {
      accounts:
        'type Query { users: [User] } type User @key(fields: "id") @key(fields: "email") { id: ID!  email: String! }',
      handles:
        'type User @key(fields: "email") @key(fields: "handle") { email: String!  handle: String!  age: Int }',
      karma: 'type User @key(fields: "handle") { handle: String!  karma: Int }',
    },
    { roots: { users }, entities: users },
  );
  test('one leads to the next', () => graph.agrees('{ users { karma } }'));
  test('and all fields come together', () => graph.agrees('{ users { karma age email handle id } }'));
});

describe('null in a @key', () => {
  const items = [
    { __typename: 'Item', id: '1', owner: { __typename: 'Owner', tag: null, name: 'x' } },
    { __typename: 'Item', id: '2', owner: { __typename: 'Owner', tag: 't', name: 'y' } },
  ];
  const owners = [
    { __typename: 'Owner', tag: null, name: 'nameless tag' },
    { __typename: 'Owner', tag: 't', name: 'y' },
  ];
  const graph = federated(
    {
      items: `
        type Query { items: [Item] }
        type Item { id: ID!  owner: Owner }
        type Owner @key(fields: "tag") { tag: String }`,
      owners: 'type Owner @key(fields: "tag") { tag: String  name: String }',
    },
    { roots: { items }, entities: owners },
  );
  test('is a value as any other where the field may be null', () =>
    graph.answers('{ items { owner { tag name } } }', {
      items: [{ owner: { tag: null, name: 'nameless tag' } }, { owner: { tag: 't', name: 'y' } }],
    }));
});

describe('@key with resolvable: false', () => {
  const ada = { __typename: 'User', id: '1', name: 'Ada' };
  const graph = federated(
    {
      posts:
        'type Query { posts: [Post] } type Post { text: String  author: User } type User @key(fields: "id", resolvable: false) { id: ID! }',
      accounts: 'type User @key(fields: "id") { id: ID!  name: String }',
    },
    {
      roots: {
        posts: [
          { text: 'hi', author: ada },
          { text: 'ho', author: null },
        ],
      },
      entities: [ada],
    },
  );
  test('leads out of a subgraph', () => graph.agrees('{ posts { author { name } text } }'));
  test('and a key alone needs no other subgraph', async () => {
    graph.forget();
    await graph.agrees('{ posts { author { id __typename } } }');
    expect(graph.fetches).toEqual(['posts']);
  });
});

describe('@key of an interface', () => {
  const film = { __typename: 'Film', id: '1', title: 'Solaris', minutes: 167, stars: 5 };
  const song = { __typename: 'Song', id: '2', title: 'Hey', bars: 32, stars: 3 };
  const graph = federated(
    {
      library: `
        type Query { media: [Media]  pick: Media }
        interface Media @key(fields: "id") { id: ID!  title: String }
        type Film implements Media @key(fields: "id") { id: ID!  title: String  minutes: Int }
        type Song implements Media @key(fields: "id") { id: ID!  title: String  bars: Int }`,
      charts: {
        sdl: `
          type Query { best: Media }
          type Media @key(fields: "id") @interfaceObject { id: ID!  stars: Int }`,
        resolvers: { Query: { best: () => ({ id: '1', stars: 5 }) } },
      },
    },
    { roots: { media: [film, song, null, film], pick: song, best: film }, entities: [film, song] },
  );
  test('reaches what another subgraph adds to all its types', () =>
    graph.agrees('{ media { title stars } }'));
  test('and leads back to what only the owner knows', () => graph.agrees('{ best { title stars } }'));
  test('with the true type of each', () =>
    graph.agrees('{ best { __typename stars ... on Film { minutes } ... on Song { bars } } }'));
});
