/** Documents that ask too much, or ask what nobody is told. Numbers in brackets are those of the attack list. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getIntrospectionQuery } from 'graphql';
import { Platform } from '../../testing/platform.ts';
import { hashOf } from '../trusted-documents.ts';
import { type Attack, Attacker, memory, secrets, transports } from './attacker.ts';

const invalid = 'The operation is not valid';
const times = (count: number, make: (index: number) => string, joint = ' ') =>
  Array.from({ length: count }, (_, index) => make(index)).join(joint);

const bomb = (root: string) =>
  `query { ...F0 } ${times(25, (index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`)} fragment F25 on Query { ${root} }`;
const deep = (depth: number) => `${times(depth, () => 'book { reviews {')} text ${'} }'.repeat(depth)}`;
const hidden = `{ books { ...A } } fragment A on Book { reviews { ...B } } fragment B on Review { book { ...C } }
  fragment C on Book { reviews { ...D } } fragment D on Review { book { ...E } }
  fragment E on Book { reviews { ${deep(5)} } }`;

describe.each(transports)('over %s', (transport) => {
  let platform: Platform;
  let attacker: Attacker;
  let grown: () => number;
  /** How often the list of books was read. */
  let reads = 0;

  beforeAll(async () => {
    platform = await Platform.start('in memory', { PRODUCTION: 'true', MAX_COST: '10000' });
    attacker = new Attacker(platform);
    const { books } = platform.world;
    const slice = books.slice.bind(books);
    books.slice = (...range) => {
      reads += 1;
      return slice(...range);
    };
    platform.world.add('one', 'two');
    grown = memory(`documents over ${transport}`);
  });
  afterAll(async () => {
    expect(grown()).toBeLessThan(300);
    expect(await attacker.serves()).toBe(true);
    await platform[Symbol.asyncDispose]();
  });

  test.each<[string, string]>([
    ['the whole schema [1]', getIntrospectionQuery()],
    ['a type by name [1]', '{ __type(name: "Book") { fields { name } } }'],
    ['the schema in a fragment [1]', '{ ...F } fragment F on Query { __schema { types { name } } }'],
    ['a misspelt field [2]', '{ boks { id } }'],
    ['a field without its selection [2]', '{ books }'],
    ['10,000 aliases [6]', `{ ${times(10_000, (index) => `a${index}: __typename`)} }`],
    [
      '200 mutations in one [6]',
      `mutation { ${times(200, (index) => `a${index}: addBook(title: "${index}") { id }`)} }`,
    ],
    [
      'eleven mutations in one [6]',
      `mutation { ${times(11, (index) => `a${index}: addBook(title: "${index}") { id }`)} }`,
    ],
    ['101 aliases of nothing [6]', `{ ${times(101, (index) => `a${index}: __typename`)} }`],
    ['depth 200 [7]', `{ books { reviews { ${deep(100)} } } }`],
    ['depth in five fragments [7]', hidden],
    ['a recursive fragment [7]', '{ books { ...F } } fragment F on Book { reviews { book { ...F } } }'],
    ['fragments in a circle [7]', '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'],
    ['2^25 fields in fragments [7]', bomb('__typename')],
    ['2^25 lists in fragments [7]', bomb('books { id }')],
    [
      'lists in lists [9]',
      `{ books(first: 100) { reviews { ${times(4, () => 'book { reviews {')} text ${'} }'.repeat(4)} } } }`,
    ],
    ['a page of two thousand million [9]', '{ books(first: 2147483647) { id } }'],
    ['a page of less than nothing [9]', '{ books(first: -1) { id } }'],
    ['a page beyond 32 bits [9]', '{ books(first: 2147483648) { id } }'],
    ['30 unknown directives', `{ books { id ${'@x '.repeat(30)} } }`],
    ['a long string', `{ book(id: "${'x'.repeat(60_000)}") { id nope } }`],
    ['an unknown type in a variable', 'query ($x: Secret) { __typename }'],
  ])('%s is refused at once, in words that tell nothing', async (_, query) => {
    const outcome = await attacker.cheapest(transport, { query });
    expect([0, 400, 413]).toContain(outcome.status);
    expect(outcome.codes.length).toBeGreaterThan(0);
    expect(outcome.codes.filter((code) => code === undefined || code === 'INTERNAL_SERVER_ERROR')).toEqual(
      [],
    );
    expect(outcome.text).not.toMatch(secrets);
    expect(outcome.milliseconds).toBeLessThan(50);
    expect([reads, platform.world.books.length]).toEqual([0, 3]);
  });

  test.each([
    ['too much', { n: 2147483647 }],
    ['less than nothing', { n: -1 }],
    ['beyond 32 bits', { n: 2147483648 }],
    ['text', { n: '1' }],
    ['not whole', { n: 1.5 }],
    ['a list', { n: [1] }],
  ])('a page size in a variable that is %s is refused [9]', async (_, variables) => {
    const query = 'query ($n: Int) { books(first: $n) { id } }';
    const { status, codes, text } = await attacker.send(transport, { query, variables });
    expect([0, 400]).toContain(status);
    expect(codes).toEqual([expect.stringMatching(/^(BAD_USER_INPUT|SUBSCRIPTIONS_ONLY)$/)]);
    expect(text).not.toMatch(secrets);
    expect(reads).toBe(0);
  });

  test('one request too many in a minute is told when to come back', async () => {
    await using limited = await Platform.start('in memory', {
      PRODUCTION: 'true',
      ANONYMOUS_REQUESTS_PER_MINUTE: '5',
    });
    const from = new Attacker(limited);
    const texts: string[] = [];
    for (let count = 0; count < 8; count += 1)
      texts.push((await from.send(transport, { query: '{ nope }' })).text);
    expect(texts[0]).toContain('GRAPHQL_VALIDATION_FAILED');
    expect(texts[7]).toContain('"code":"RATE_LIMITED","details":{"retryAfterSeconds":');
  });

  test('who tries 10,000 words as fields learns none [2]', async () => {
    const real = ['books', 'reviews', 'author', 'digits', 'whoAmI'];
    const answers = new Set<string>();
    for (let round = 0; round < 50; round += 1) {
      const words = Array.from({ length: 200 }, (_, index) => real[index] ?? `word${round}x${index}`);
      const { text } = await attacker.send(transport, { query: `{ ${words.join(' ')} }` });
      answers.add(text);
    }
    for (const word of ['bookz', 'book', 'books', 'author', 'digits(of: 1)', 'addBook'])
      answers.add((await attacker.send(transport, { query: `{ ${word} { zz } }` })).text);
    // One text, however many of the words were fields.
    expect(answers.size).toBe(1);
    for (const answer of answers) {
      expect(answer).toContain(invalid);
      expect(answer).not.toMatch(secrets);
    }
  });
});

describe.each(transports)('over %s, where only trusted documents are taken', (transport) => {
  const trusted = 'subscription { reviewAdded { cursor } }';
  let platform: Platform;
  let attacker: Attacker;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attack-'));
    const path = join(folder, 'trusted.json');
    await writeFile(path, JSON.stringify({ [hashOf(trusted)]: trusted }));
    platform = await Platform.start('in memory', { PRODUCTION: 'true', TRUSTED_DOCUMENTS_PATH: path });
    attacker = new Attacker(platform);
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const valid = '{ whoAmI }';
  const persisted = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: hashOf(text) } });

  test.each<[string, Attack, string]>([
    ['a free document', { query: valid }, 'DOCUMENT_NOT_TRUSTED'],
    [
      'registering with the right hash',
      { query: valid, extensions: persisted(valid) },
      'DOCUMENT_NOT_TRUSTED',
    ],
    ['asking for what was registered', { extensions: persisted(valid) }, 'DOCUMENT_UNKNOWN'],
    [
      'registering with a wrong hash',
      { query: valid, extensions: persisted('{ __typename }') },
      'DOCUMENT_MISMATCH',
    ],
    [
      'a trusted hash with another body',
      { query: valid, extensions: persisted(trusted) },
      'DOCUMENT_MISMATCH',
    ],
    ['a trusted id with another body', { query: valid, documentId: hashOf(trusted) }, 'DOCUMENT_MISMATCH'],
    ['an unknown id', { documentId: 'f'.repeat(64) }, 'DOCUMENT_UNKNOWN'],
    ['an id that is no hash', { documentId: '../../etc/passwd' }, 'DOCUMENT_UNKNOWN'],
  ])('%s is refused, and nothing is kept of it [11]', async (_, attack, code) => {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const outcome = await attacker.send(transport, attack);
      expect([0, 400]).toContain(outcome.status);
      expect(outcome.codes).toEqual([code]);
      expect(outcome.text).not.toContain('whoAmI');
    }
  });

  test('words that are fields and words that are none get the same answer [2]', async () => {
    const words = [
      'whoAmI',
      'nothing',
      '__typename',
      'books { id }',
      'boks { id }',
      '__schema { types { name } }',
    ];
    const answers = await Promise.all(
      words.map(async (word) => (await attacker.send(transport, { query: `{ ${word} }` })).text),
    );
    expect(new Set(answers).size).toBe(1);
  });

  test('a developer may send any document', async () => {
    const token = await platform.token({ roles: ['developer'] });
    const { codes, text } = await attacker.send(transport, { query: valid }, token);
    if (transport === 'WebSocket') expect(codes).toEqual(['SUBSCRIPTIONS_ONLY']);
    else expect(text).toContain('developer');
  });
});
