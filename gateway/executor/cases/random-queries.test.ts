/**
 * Queries that nobody thought of: generated from the schema, with names, fragments, conditions and repetitions,
 * each answered as the monolith does; whole, and put together from deferred parts.
 */
import fc from 'fast-check';
import {
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isUnionType,
  parse,
  validate,
} from 'graphql';
import { federated, places, type Thing } from './federated.ts';
import { askForParts, sorted, together } from './parts.ts';

const article = (id: string, rest: Thing): Record<string, unknown> => ({
  __typename: 'Article',
  id,
  sku: `sku${id}`,
  title: `article ${id}`,
  words: Number(id) * 100,
  likes: Number(id),
  size: { width: Number(id), height: 2, unit: 'cm' },
  summary: `article ${id} of ${Number(id) * 100} words`,
  ...rest,
});
const clip = (id: string, rest: Thing): Record<string, unknown> => ({
  __typename: 'Clip',
  id,
  title: id === 'c2' ? null : `clip ${id}`,
  seconds: 30,
  likes: id === 'c2' ? null : 7,
  size: id === 'c2' ? null : { width: 3, height: null, unit: 'px' },
  ...rest,
});
const user = (id: string, rest: Thing): Record<string, unknown> => ({
  __typename: 'User',
  id,
  email: `e${id}`,
  name: id === 'u2' ? null : `name ${id}`,
  karma: id === 'u2' ? null : 5,
  greet: ({ word = 'hello', times }: Thing) => `${word} ${times ?? 'once'} ${id}`,
  ...rest,
});
const u1 = user('u1', {});
const u2 = user('u2', {});
const a1 = article('1', { author: u1 });
const a2 = article('2', { author: u2 });
const c1 = clip('c1', { author: u1 });
const c2 = clip('c2', { author: null });
const note = { __typename: 'Note', text: 'note', about: a1 };
for (const [index, each] of [a1, a2, c1, c2].entries())
  Object.assign(each, {
    related: [[c1, a2], [], null, [a1, c2, a1]][index],
    mentions: [[note, u2], null, [a1], []][index],
  });
Object.assign(u1, { friend: u2, wrote: [a1, c1, a1], pinned: note });
Object.assign(u2, { friend: u1, wrote: [], pinned: a2 });

const graph = federated(
  {
    core: `
      type Query { items: [Item]  article: Article  me: User  search(text: String): [Found!]  nobody: User  grid: [[Item]]  rate: Int @shareable }
      interface Item { id: ID!  title: String  author: User }
      type Article implements Item @key(fields: "id") { id: ID!  sku: ID! @shareable  title: String  author: User }
      type Clip implements Item @key(fields: "id") { id: ID!  title: String  author: User  seconds: Int }
      type User @key(fields: "id") { id: ID!  email: String! @shareable  friend: User }
      type Note @shareable { text: String  about: Article }
      union Found = Article | User | Note`,
    people: `
      type Query { people: [User]  rate: Int @shareable }
      type User @key(fields: "email") @key(fields: "id") { id: ID!  email: String! @shareable  name: String  greet(word: String = "hello", times: Int): String  wrote: [Item!]  strict: String! }
      interface Item { id: ID! }
      type Article implements Item @key(fields: "id") { id: ID! }
      type Clip implements Item @key(fields: "id") { id: ID! }`,
    social: `
      interface Item { id: ID!  likes: Int  related: [Item] }
      type Article implements Item @key(fields: "id") @key(fields: "sku") { id: ID!  sku: ID! @shareable  likes: Int  related: [Item]  mentions: [Found]  size: Size @shareable }
      type Clip implements Item @key(fields: "id") { id: ID!  likes: Int  related: [Item]  mentions: [Found]  size: Size @shareable }
      type User @key(fields: "id") { id: ID!  karma: Int!  pinned: Found }
      type Note @shareable { text: String  about: Article }
      type Size { width: Int @shareable  height: Int! }
      union Found = Article | User | Note`,
    texts: {
      sdl: `
        type Article @key(fields: "sku") { sku: ID!  words: Int  title: String @external  summary: String @requires(fields: "title")  size: Size @shareable }
        type Clip @key(fields: "id") { id: ID!  size: Size @shareable }
        type Size { width: Int @shareable  unit: String }`,
      resolvers: { Article: { summary: ({ title, words }: Thing) => `${title} of ${words} words` } },
    },
  },
  {
    roots: {
      items: [a1, c1, null, c2, a2, a1],
      article: a1,
      me: u1,
      search: [u2, a2, note, u1],
      nobody: null,
      grid: [[a1, null], [], null, [c2]],
      rate: 1,
      people: [u1, u2],
    },
    entities: [u1, u2, a1, a2, c1, c2],
  },
  { env: { MAX_ALIASES: '10000', MAX_DIRECTIVES: '10000', MAX_TOKENS: '100000', MAX_SELECTIONS: '100000' } },
);

/** Another seed is another set of queries. */
const settings = { numRuns: 100, seed: 7, endOnFailure: true };
const fragmentTypes = ['Item', 'User', 'Found', 'Article'];
/** Fields that may break the rule that they are never null. */
const fragile = new Set(['karma', 'height', 'strict']);

/** Writes selections by throwing dice. */
class Writer {
  readonly #schema: GraphQLSchema;
  readonly #below: (bound: number) => number;
  readonly #deferring: boolean;

  constructor(schema: GraphQLSchema, below: (bound: number) => number, deferring: boolean) {
    this.#schema = schema;
    this.#below = below;
    this.#deferring = deferring;
  }

  operation(): string {
    const root = this.#set(this.#composite('Query'), 4, true);
    const fragments = fragmentTypes
      .filter((type) => root.includes(`...On${type}`))
      .map((type) => `fragment On${type} on ${type} ${this.#set(this.#composite(type), 1, false)}`);
    const head = 'query ($yes: Boolean!, $no: Boolean = false, $word: String, $times: Int = 3)';
    const use = 'used: me { greet(word: $word, times: $times) } __typename @include(if: $yes) @skip(if: $no)';
    return [`${head} { ${use} ... ${root} }`, ...fragments].join('\n');
  }

  #composite(name: string): GraphQLCompositeType {
    return this.#schema.getType(name) as GraphQLCompositeType;
  }

  #pick<Value>(from: readonly Value[]): Value {
    return from[this.#below(from.length)] as Value;
  }

  #chance(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #set(type: GraphQLCompositeType, depth: number, spreads: boolean): string {
    const selections = Array.from({ length: 1 + this.#below(5) }, () =>
      this.#selection(type, depth, spreads),
    );
    return `{ ${selections.join(' ')} }`;
  }

  #selection(type: GraphQLCompositeType, depth: number, spreads: boolean): string {
    if (isUnionType(type) && depth <= 0) return '__typename';
    if (isUnionType(type) || (depth > 0 && this.#chance(isAbstractType(type) ? 50 : 20)))
      return this.#fragment(type, depth, spreads);
    if (this.#chance(10)) return `${this.#alias()}__typename${this.#condition()}`;
    const fields = Object.values(type.getFields()).filter(
      (each) =>
        (depth > 0 || !isCompositeType(getNamedType(each.type))) &&
        !(this.#deferring && fragile.has(each.name)),
    );
    const field = this.#pick(fields);
    if (!field) return '__typename';
    const of = getNamedType(field.type);
    const name = `${this.#alias()}${field.name}${this.#arguments(field.name)}${this.#condition()}`;
    return isCompositeType(of) ? `${name} ${this.#set(of, depth - 1, spreads)}` : name;
  }

  #fragment(type: GraphQLCompositeType, depth: number, spreads: boolean): string {
    const defer = this.#deferring && this.#chance(40) ? ' @defer' : '';
    const possible = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [];
    const around = isObjectType(type) ? type.getInterfaces() : [];
    const named = [type, ...possible, ...around].filter(({ name }) => fragmentTypes.includes(name));
    if (spreads && named.length > 0 && this.#chance(25))
      return `...On${this.#pick(named).name}${this.#condition()}${defer}`;
    const on = this.#pick([type, ...possible, ...possible, ...around]);
    const condition = on === type && this.#chance(50) ? '' : ` on ${on.name}`;
    return `...${condition}${this.#condition()}${defer} ${this.#set(on, depth - 1, spreads)}`;
  }

  #alias(): string {
    if (this.#chance(80)) return '';
    return `${this.#pick(['x', 'y', 'z', 'w', 'id', 'title', 'name', 'size', 'words', 'sku', 'email', 'text'])}: `;
  }

  #condition(): string {
    if (this.#chance(90)) return '';
    return this.#pick([' @include(if: $yes)', ' @skip(if: $no)', ' @include(if: $no)', ' @skip(if: false)']);
  }

  #arguments(field: string): string {
    if (field === 'search') return this.#pick(['', '(text: $word)', '(text: "x")']);
    if (field === 'greet')
      return this.#pick(['', '(word: $word)', '(times: $times)', '(word: "you", times: 2)']);
    return '';
  }
}

/** Throws dice: the same for the same seed. */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    const mixed = Math.imul(state ^ (state >>> 15), state | 1);
    const more = mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61));
    return ((more ^ (more >>> 14)) >>> 0) % bound;
  };
}

/** The first valid operation that the dice give. */
function operationOf(seed: number, deferring: boolean): string {
  const writer = new Writer(graph.schema, dice(seed), deferring);
  for (;;) {
    const text = writer.operation();
    if (validate(graph.schema, parse(undeferred(text))).length === 0) return text;
  }
}

const undeferred = (text: string) => text.replaceAll(' @defer', '');
const variables = [
  { yes: true, word: 'w' },
  { yes: false, no: true, word: null, times: null },
];

/** Hard ones, each for what it is named for. */
const hard: readonly (readonly [string, string])[] = [
  [
    'a second key that comes under a condition alone',
    'query ($no: Boolean = false) { items { likes } ... @skip(if: $no) { items { ... on Article { summary } } } }',
  ],
  ['one object under two names, of which one breaks', '{ a: me { greet } me { strict name } }'],
  [
    'one entity in two places, of which both break',
    '{ items { sku: related { ... on Clip { size { height } } } } }',
  ],
  [
    'one list under two names, of which one breaks',
    '{ grid { related { author { greet } } ... on Article { again: related { author { strict } } } } }',
  ],
];
const hardDeferred: readonly (readonly [string, string])[] = [
  ['an interface within its type', '{ article { ... on Item @defer { likes } } }'],
  ['an interface within a type condition', '{ items { ... on Article { ... on Item @defer { likes } } } }'],
  ['a union within its member', '{ me { ... on Found @defer { ... on User { name } } } }'],
  [
    'a type within an interface within a union',
    '{ search { ... on Item { ... @defer { ... on Article { likes } } } } }',
  ],
  [
    'two types of a union',
    'query ($no: Boolean = false) { search @skip(if: $no) { ... on Article @defer { likes words } ... on User @defer { name } } people { pinned { ... on User { pinned { __typename } } } } }',
  ],
  [
    'the key of an entity, again',
    '{ search { ... on User @defer { greet } ... on User @defer { id @skip(if: false) id } ... on Article { words } } }',
  ],
  [
    'a value type, beside joins',
    'query ($no: Boolean = false) { people { pinned { ... on Note @defer { id: text } } } search { ... on User { y: id @skip(if: $no) } ... on Article { author { name } } } }',
  ],
];

test.each(hard)('%s', async (_, query) => {
  await graph.agrees(query);
  if (query.includes('$no')) await graph.agrees(query, { no: true });
});

test.each(hardDeferred)('deferred: %s', async (_, query) => {
  for (const no of query.includes('$no') ? [true, false] : [undefined]) {
    const truth = await graph.truth(undeferred(query), { no });
    const parts = await askForParts(graph.url, 'multipart', query, { no });
    expect(sorted(together(parts))).toEqual(sorted(truth));
  }
});

test('any query is answered as the monolith does', () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom(...variables), async (seed, given) => {
      const query = operationOf(seed, false);
      const [answer, truth] = await Promise.all([graph.ask(query, given), graph.truth(query, given)]);
      const told = places(answer);
      expect({ query, data: JSON.stringify(answer.data, null, 1), errors: told.length > 0 }).toEqual({
        query,
        data: JSON.stringify(truth.data, null, 1),
        errors: truth.errors !== undefined,
      });
      expect(new Set(told).size).toBe(told.length);
    }),
    settings,
  ));

test('any deferred query is the whole answer in the end', () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom(...variables), async (seed, given) => {
      const query = operationOf(seed, true);
      const truth = await graph.truth(undeferred(query), given);
      const parts = await askForParts(graph.url, 'multipart', query, given);
      expect({ query, data: sorted(together(parts)) }).toEqual({ query, data: sorted(truth) });
    }),
    settings,
  ));
