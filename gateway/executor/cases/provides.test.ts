import { federated } from './federated.ts';

describe('@provides', () => {
  const author = {
    __typename: 'Author',
    id: '1',
    name: 'Lem',
    address: { city: 'Lviv', street: 'Lepkoho' },
    born: 1921,
  };
  const book = { __typename: 'Book', id: 'b', author, editor: author, reader: author, reference: author };
  const graph = federated(
    {
      books: {
        sdl: `
          type Query { book: Book }
          type Book @key(fields: "id") {
            id: ID!
            author: Author @provides(fields: "name")
            editor: Author
            reader: Author @provides(fields: "address { city }")
          }
          type Author @key(fields: "id") { id: ID!  name: String @external  address: Address @external }
          type Address { city: String @external }`,
      },
      authors: `
        type Author @key(fields: "id") { id: ID!  name: String @shareable  address: Address @shareable  born: Int }
        type Address { city: String @shareable  street: String }`,
    },
    { roots: { book }, entities: [author, book] },
  );
  const fetchesOf = async (query: string) => {
    graph.forget();
    await graph.agrees(query);
    return graph.fetches;
  };
  test('saves the way to the owner', async () =>
    expect(await fetchesOf('{ book { author { name } } }')).toEqual(['books']));
  test('of a nested field too', async () =>
    expect(await fetchesOf('{ book { reader { address { city } } } }')).toEqual(['books']));
  test('holds for its path alone', async () =>
    expect(await fetchesOf('{ book { editor { name } } }')).toEqual(['books', 'authors']));
  test('and for its fields alone', async () =>
    expect(await fetchesOf('{ book { author { name born } reader { address { street city } } } }')).toEqual(
      expect.arrayContaining(['books', 'authors']),
    ));
});

describe('@provides on an abstract type', () => {
  const film = { __typename: 'Film', id: '1', title: 'Solaris', minutes: 167 };
  const song = { __typename: 'Song', id: '2', title: 'Hey', bars: 32 };
  const graph = federated(
    {
      feed: `
        type Query {
          feed: [Media] @provides(fields: "... on Film { title }")
          either: [Either] @provides(fields: "... on Film { title } ... on Song { title }")
        }
        interface Media { id: ID! }
        union Either = Film | Song
        type Film implements Media @key(fields: "id") { id: ID!  title: String @external }
        type Song implements Media @key(fields: "id") { id: ID!  title: String @external }`,
      media: `
        type Film @key(fields: "id") { id: ID!  title: String @shareable  minutes: Int }
        type Song @key(fields: "id") { id: ID!  title: String @shareable  bars: Int }`,
    },
    { roots: { feed: [film, song, film], either: [song, film] }, entities: [film, song] },
  );
  test('an interface, for one of its types', () =>
    graph.agrees('{ feed { __typename ... on Film { title } ... on Song { title } } }'));
  test('a union', async () => {
    graph.forget();
    await graph.agrees('{ either { ... on Film { name: title } ... on Song { title } } }');
    expect(graph.fetches).toEqual(['feed']);
  });
  test('beside what is not provided', () =>
    graph.agrees('{ feed { id ... on Film { title minutes } ... on Song { title bars } } }'));
});

describe('@external', () => {
  const ada = { __typename: 'User', id: '1', name: 'Ada', posts: ['a'] };
  const graph = federated(
    {
      users: 'type Query { user: User } type User @key(fields: "id") { id: ID!  name: String }',
      posts: `
        type Query { writer: User }
        extend type User @key(fields: "id") { id: ID! @external  posts: [String] }`,
    },
    { roots: { user: ada, writer: ada }, entities: [ada] },
  );
  test('on a key of an owner elsewhere changes nothing', () =>
    graph.agrees('{ user { posts name } writer { id name posts } }'));
});
