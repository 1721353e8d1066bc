import { GraphQLError } from 'graphql';
import { federated, places, type Thing } from './federated.ts';
import { askForParts, type Part, sorted, type Transport, together, transports } from './parts.ts';

const review = (text: string): Thing => ({ __typename: 'Review', text, author: null as unknown });
const author: Thing = { __typename: 'Author', id: 'a', name: 'Ada', bio: 'wrote', books: null as unknown };
const book = (id: string): Thing => ({
  __typename: 'Book',
  id,
  title: `title ${id}`,
  blurb: `blurb ${id}`,
  reviews: [review(`good ${id}`), review(`bad ${id}`)],
  author,
  stock: Number(id),
  must: `must ${id}`,
});
const books = [book('1'), book('2')];
Object.assign(author, { books });
const film: Thing = { __typename: 'Film', id: 'f', title: 'film', minutes: 90 };

/** Held until told: whose fetch waits for it comes later than everything else. */
let gate = Promise.withResolvers<void>();
let failing = false;

const graph = federated(
  {
    books: {
      sdl: `
        type Query { books: [Book]  book: Book  nobody: Book  goods: [Good] }
        type Mutation { add: Book }
        union Good = Book | Film
        type Film @key(fields: "id") { id: ID!  title: String }
        type Book @key(fields: "id") { id: ID!  title: String  blurb: String  author: Author }
        type Author @key(fields: "id") { id: ID! }`,
    },
    reviews: {
      sdl: `
        type Book @key(fields: "id") { id: ID!  reviews: [Review!]  stock: Int  must: String! }
        type Film @key(fields: "id") { id: ID!  minutes: Int }
        type Review { text: String! }`,
      resolvers: {
        Book: {
          stock: async ({ stock }: Thing) => {
            await gate.promise;
            return stock;
          },
          must: ({ id, must }: Thing) => {
            if (failing && id === '2') throw new GraphQLError('No must', { extensions: { code: 'NO_MUST' } });
            return must;
          },
        },
      },
    },
    authors:
      'type Author @key(fields: "id") { id: ID!  name: String  bio: String  books: [Book] } type Book @key(fields: "id", resolvable: false) { id: ID! }',
  },
  {
    roots: { books, book: books[0], nobody: null, add: books[1], goods: [books[0], film] },
    entities: [...books, author, film],
  },
);

beforeEach(() => {
  gate = Promise.withResolvers();
  gate.resolve();
  failing = false;
});

const parts = (query: string, variables?: Thing, transport: Transport = 'multipart') =>
  askForParts(graph.url, transport, query, variables);
const patches = (all: readonly Part[]) => all.flatMap(({ incremental }) => incremental ?? []);
const undeferred = (query: string) => query.replaceAll(/@defer(\([^)]*\))?/g, '');

describe.each(Object.keys(transports) as Transport[])('@defer over %s', (transport) => {
  test.each<[string, string, Thing?]>([
    ['of a field in another subgraph', '{ book { title ... @defer { reviews { text } } } }'],
    ['of a field in the same subgraph', '{ book { title ... @defer { blurb } } }'],
    ['with a label', '{ book { title ... @defer(label: "later") { stock } } }'],
    ['of a named fragment', '{ book { id ...R @defer } } fragment R on Book { reviews { text } stock }'],
    ['in the items of a list', '{ books { title ... @defer { stock } } }'],
    [
      'within another',
      '{ book { ... @defer(label: "out") { blurb author { ... @defer(label: "in") { name bio } } } } }',
    ],
    [
      'beside another',
      '{ book { title ... @defer(label: "a") { stock } ... @defer(label: "b") { author { name } } } }',
    ],
    ['of the whole root', '{ ... @defer { books { title stock } } }'],
    ['of part of the root', '{ book { title } ... @defer { books { id reviews { text } } } }'],
    ['of an entity two hops away', '{ book { author { ... @defer { books { title stock } } } } }'],
    [
      'in a list within a deferred list',
      '{ books { ... @defer { author { books { ... @defer { stock } id } } } title } }',
    ],
    ['under an absent object', '{ nobody { title ... @defer { stock } } book { ... @defer { stock } } }'],
    [
      'of one type of a union',
      '{ goods { __typename ... on Book @defer { title stock } ... on Film { minutes } } }',
    ],
    ['of what is selected already', '{ book { title stock ... @defer { title stock blurb } } }'],
    ['under other names', '{ b: book { t: title ... @defer { s: stock again: stock } } }'],
    ['with fields left out', '{ book { title ... @defer { stock @skip(if: true) blurb } } }'],
    [
      'if a variable says so',
      'query ($yes: Boolean!) { book { title id @skip(if: $yes) ... @defer(if: $yes) { stock } } }',
      { yes: true },
    ],
    [
      'unless a variable says so',
      'query ($yes: Boolean!) { book { title id @skip(if: $yes) ... @defer(if: $yes) { stock } } }',
      { yes: false },
    ],
    ['of __typename', '{ book { ... @defer { __typename stock } } ... @defer { __typename } }'],
    [
      'with variables of its own',
      'query ($no: Boolean = false) { book { title ... @defer { stock @include(if: $no) blurb } } }',
    ],
    ['in a mutation', 'mutation { add { title ... @defer { stock reviews { text } } } }'],
  ])('%s: put together it is the whole answer', async (...[, query, variables]) => {
    const whole = together(await parts(query, variables, transport));
    const truth = await graph.truth(undeferred(query), variables);
    expect(sorted(whole)).toBe(sorted(truth));
    expect(whole.errors).toEqual(truth.errors);
  });

  test('comes after what is not deferred', async () => {
    const [first, ...later] = await parts(
      '{ book { title ... @defer(label: "slow") { stock } } }',
      undefined,
      transport,
    );
    expect(first).toEqual({ data: { book: { title: 'title 1' } }, hasNext: true });
    expect(patches(later)).toEqual([{ data: { stock: 1 }, path: ['book'], label: 'slow' }]);
  });
  test('the first part does not wait for the deferred', async () => {
    gate = Promise.withResolvers();
    const response = await fetch(graph.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: transports[transport] },
      body: JSON.stringify({ query: '{ book { title ... @defer { stock } } }' }),
      signal: AbortSignal.timeout(3_000),
    });
    const decoder = new TextDecoder();
    let seen = '';
    for await (const chunk of response.body ?? []) {
      seen += decoder.decode(chunk as Uint8Array, { stream: true });
      if (!seen.includes('title 1')) continue;
      if (!seen.includes('stock')) gate.resolve();
    }
    expect(seen).toContain('"stock":1');
  });
});

describe('@defer', () => {
  test('has the path of each item and the label of its fragment', async () => {
    const all = await parts('{ them: books { ... @defer(label: "x") { stock } } }');
    expect(patches(all)).toEqual(
      expect.arrayContaining([
        { data: { stock: 1 }, path: ['them', 0], label: 'x' },
        { data: { stock: 2 }, path: ['them', 1], label: 'x' },
      ]),
    );
  });
  test('has no label where none was given', async () => {
    for (const patch of patches(await parts('{ book { ... @defer { stock } } }')))
      expect(patch).not.toHaveProperty('label');
  });
  test('with if: false is as if it were not there', async () => {
    const all = await parts('{ book { title ... @defer(if: false) { stock } } }');
    expect(all).toHaveLength(1);
    expect(all[0]?.data).toEqual({ book: { title: 'title 1', stock: 1 } });
    expect(all[0]?.hasNext ?? false).toBe(false);
  });
  test('that is fast comes before one that is slow', async () => {
    gate = Promise.withResolvers();
    setTimeout(() => gate.resolve(), 150);
    const all = await parts(
      '{ book { id ... @defer(label: "slow") { stock } ... @defer(label: "fast") { author { name } } } }',
    );
    expect(patches(all).map(({ label }) => label)).toEqual(['fast', 'slow']);
  });
  test('within a deferred comes after it', async () => {
    const all = await parts(
      '{ book { ... @defer(label: "out") { author { id ... @defer(label: "in") { name } } } } }',
    );
    expect(patches(all).map(({ label, path }) => [label, path])).toEqual([
      ['out', ['book']],
      ['in', ['book', 'author']],
    ]);
  });
  test('within a deferred in a list asks each subgraph once', async () => {
    graph.forget();
    const all = await parts('{ books { id ... @defer { blurb author { id ... @defer { name } } } } }');
    expect(together(all).data).toMatchObject({
      books: [{ author: { name: 'Ada' } }, { author: { name: 'Ada' } }],
    });
    expect(graph.fetches.filter((each) => each === 'authors')).toHaveLength(1);
  });
  test('an error within it comes with it, under its whole path', async () => {
    failing = true;
    const [first, ...later] = await parts('{ books { title ... @defer { must } } }');
    expect(first).toEqual({ data: { books: [{ title: 'title 1' }, { title: 'title 2' }] }, hasNext: true });
    const found = patches(later).find(({ path }) => path.at(-1) === 1);
    expect(found?.data).toBeNull();
    expect(places({ errors: found?.errors ?? [] }, true)).toEqual(['books.1.must NO_MUST']);
    const other = patches(later).find(({ path }) => path.at(-1) === 0);
    expect(other).toEqual({ data: { must: 'must 1' }, path: ['books', 0] });
  });
  test('an error outside of it is told at once', async () => {
    failing = true;
    const [first, ...later] = await parts('{ books { must ... @defer { stock } } }');
    expect(first?.data).toEqual({ books: [{ must: 'must 1' }, null] });
    expect(places(first ?? {}, true)).toEqual(['books.1.must NO_MUST']);
    expect(patches(later).map(({ path, data }) => [path, data])).toEqual([[['books', 0], { stock: 1 }]]);
  });
  test('to a client that takes no parts is as if it were not there', async () => {
    const { data } = await graph.ask('{ book { title ... @defer { stock } } }');
    expect(data).toEqual({ book: { title: 'title 1', stock: 1 } });
  });
  test('a query without it comes in one part', async () => {
    const all = await parts('{ book { title stock } }');
    expect(all).toHaveLength(1);
    expect(all[0]?.data).toEqual({ book: { title: 'title 1', stock: 1 } });
    expect(all[0]?.hasNext ?? false).toBe(false);
  });
  test('a query that is not valid is refused in one part', async () => {
    const all = await parts('{ book { title ... @defer { nothing } } }');
    expect(all).toHaveLength(1);
    expect(all[0]?.data).toBeUndefined();
    expect(all[0]?.errors?.length).toBe(1);
  });
  test('when the client leaves, the deferred is given up and the gateway serves on', async () => {
    gate = Promise.withResolvers();
    const leaving = new AbortController();
    const response = await fetch(graph.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: transports.multipart },
      body: JSON.stringify({ query: '{ book { title ... @defer { stock } } }' }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    gate.resolve();
    await graph.agrees('{ book { title stock } }');
  });
});
