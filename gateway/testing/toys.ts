/** Three toy subgraphs, books, authors and reviews, and the world whose state the tests steer. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { Conflict } from '#shared/kernel/errors.ts';
import type { LocalSubgraph, RequestFacts } from '#shared/runtime/server/local-subgraph.ts';

export interface Review {
  readonly cursor: string;
  readonly text: string;
  readonly bookId: string;
  readonly authorId: string;
}

const hung = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

export class World {
  readonly authors = new Map([
    ['1', 'Lem'],
    ['2', 'Le Guin'],
  ]);
  readonly books = [
    { id: 'a', title: 'Solaris', authorId: '1' },
    { id: 'b', title: 'The Dispossessed', authorId: '2' },
    { id: 'c', title: 'Fiasco', authorId: '1' },
  ];
  readonly reviews: Review[] = [];
  readonly seenByRoutes: { url: string; viewer: unknown; bytes: Buffer; headers: Headers }[] = [];
  /** Told at `/ended`, as policy asks for it. */
  readonly endedSessions: string[] = [];
  /** Before an author's name is told; tests delay, hang or break it here. */
  beforeName: (id: string, signal: AbortSignal) => Promise<void> = async () => undefined;
  /** Before a book is added. */
  beforeAdd: (signal: AbortSignal) => Promise<void> = async () => undefined;
  /** Event sources that are open in the reviews subgraph. */
  sources = 0;
  /** And those that ever were. */
  opened = 0;
  sourceFault: Error | undefined;
  #news = Promise.withResolvers<void>();

  add(...texts: string[]): void {
    for (const text of texts) {
      const number = this.reviews.length;
      this.reviews.push({
        cursor: String(number + 1),
        text,
        bookId: this.books[number % 3]!.id,
        authorId: String(1 + (number % 2)),
      });
    }
    this.wake();
  }

  wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** Makes the names of authors never come. */
  silence(): void {
    this.beforeName = (_id, signal) => hung(signal);
  }

  async *watch(after: string | null, signal: AbortSignal): AsyncGenerator<{ reviewAdded: Review }> {
    this.sources += 1;
    this.opened += 1;
    try {
      let position = after === null ? this.reviews.length : Number(after);
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      while (!signal.aborted) {
        if (this.sourceFault) throw this.sourceFault;
        const review = this.reviews[position];
        if (review) {
          position += 1;
          yield { reviewAdded: review };
        } else await Promise.race([this.#news.promise, stopped]);
      }
    } finally {
      this.sources -= 1;
    }
  }
}

export const sdl = {
  authors: `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    type Query { author(id: ID!): Author  whoAmI: String! }
    type Author @key(fields: "id") { id: ID!  name: String  strictName: String! }
  `,
  books: `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    scalar Digits
    type Query { books(first: Int): [Book!]!  book(id: ID!): Book  digits(of: Digits): String }
    type Mutation { addBook(title: String!): Book! }
    type Book @key(fields: "id") { id: ID!  title: String!  author: Author }
    type Author @key(fields: "id", resolvable: false) { id: ID! }
  `,
  reviews: `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag"])
    type Query { reviews: [Review!]! }
    type Subscription {
      reviewAdded(after: String): Review
      mustReview: Review!
      "Without a cursor to resume from."
      reviewNow(shelf: String): Review
      latestReview: Review @tag(name: "last-value-wins")
    }
    type Review { cursor: String!  text: String!  broken: String  book: Book!  author: Author! }
    type Book @key(fields: "id") { id: ID!  reviews: [Review!]! }
    type Author @key(fields: "id", resolvable: false) { id: ID! }
  `,
};

type Name = keyof typeof sdl;

export function toySubgraphs(world: World): Map<string, LocalSubgraph> {
  const book = (id: string) => world.books.find((each) => each.id === id) ?? null;
  const author = ({ id }: { id: string }) => (world.authors.has(id) ? { id } : null);
  const review = {
    book: ({ bookId }: Review) => ({ id: bookId }),
    author: ({ authorId }: Review) => ({ id: authorId }),
    broken: () => {
      throw new Error('select * from secret');
    },
  };
  const name = async ({ id }: { id: string }, _args: object, { signal }: RequestFacts) => {
    await world.beforeName(id, signal);
    return world.authors.get(id) ?? null;
  };
  const resolvers = {
    authors: {
      Query: {
        author: (_: unknown, key: { id: string }) => author(key),
        whoAmI: (_: unknown, _args: object, { viewer }: RequestFacts) => JSON.stringify(viewer),
      },
      Author: { __resolveReference: author, name, strictName: name },
    },
    books: {
      Query: {
        books: (_: unknown, { first }: { first?: number }) => world.books.slice(0, first ?? 100),
        book: (_: unknown, { id }: { id: string }) => book(id),
        digits: (_: unknown, { of }: { of: string }) => of,
      },
      Mutation: {
        addBook: async (_: unknown, { title }: { title: string }, { signal }: RequestFacts) => {
          await world.beforeAdd(signal);
          if (world.books.some((each) => each.title === title))
            throw new Conflict('BOOK_EXISTS', 'There is such a book', { title });
          world.books.push({ id: title, title, authorId: '1' });
          return book(title);
        },
      },
      Book: {
        __resolveReference: ({ id }: { id: string }) => book(id),
        author: ({ authorId }: { authorId: string }) => ({ id: authorId }),
      },
    },
    reviews: {
      Query: { reviews: () => world.reviews },
      Subscription: {
        reviewAdded: {
          subscribe: (_: unknown, { after }: { after?: string | null }, { signal }: RequestFacts) => {
            if (after === 'forged') throw new Conflict('CURSOR_INVALID', 'The cursor was not made here');
            return world.watch(after ?? null, signal);
          },
        },
        mustReview: {
          subscribe: (_: unknown, _args: object, { signal }: RequestFacts) => world.watch('0', signal),
          resolve: () => null,
        },
        reviewNow: {
          subscribe: (_: unknown, _args: object, { signal }: RequestFacts) => world.watch(null, signal),
          resolve: ({ reviewAdded }: { reviewAdded: Review }) => reviewAdded,
        },
        latestReview: {
          subscribe: (_: unknown, _args: object, { signal }: RequestFacts) => world.watch(null, signal),
          resolve: ({ reviewAdded }: { reviewAdded: Review }) => reviewAdded,
        },
      },
      Review: review,
      Book: {
        __resolveReference: ({ id }: { id: string }) => ({ id }),
        reviews: ({ id }: { id: string }) => world.reviews.filter(({ bookId }) => bookId === id),
      },
    },
  };
  const names: Name[] = ['authors', 'books', 'reviews'];
  return new Map(
    names.map((each) => {
      const schema = buildSubgraphSchema([
        { typeDefs: parse(sdl[each]), resolvers: resolvers[each] as never },
      ]);
      const digits = schema.getType('Digits');
      if (digits && 'parseValue' in digits) Object.assign(digits, digitsScalar);
      return [each, { name: each, schema, createContext: (facts) => facts, fetchRoute: route(world) }];
    }),
  );
}

function digitsOf(value: unknown): string {
  if (typeof value === 'string' && /^\d+$/.test(value)) return value;
  throw new TypeError('Digits are digits');
}

const digitsScalar = {
  parseValue: digitsOf,
  parseLiteral: (node: { value?: unknown }) => digitsOf(node.value),
};

/**
 * `/echo` answers the body as it came, `/ended` the sessions that ended, `/slow` never answers, everything else is
 * told to the world.
 */
function route(world: World): NonNullable<LocalSubgraph['fetchRoute']> {
  return async (request, { viewer, signal }) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/slow') return hung(signal);
    if (pathname === '/ended') {
      const ended = world.endedSessions.map((sessionId) => ({ sessionId }));
      return Response.json({ ended, cursor: String(ended.length) });
    }
    if (pathname === '/echo') {
      const headers = { 'content-type': 'application/octet-stream', 'set-cookie': 'a=1' };
      return new Response(request.body, { status: 201, headers });
    }
    const bytes = Buffer.from(await request.arrayBuffer());
    world.seenByRoutes.push({ url: request.url, viewer, bytes, headers: request.headers });
    return new Response(null, { status: 204 });
  };
}
