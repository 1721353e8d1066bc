import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema } from 'graphql';
import { ReadyOperations } from './ready-operations.ts';

const schema = buildSchema(`
  type Query { book(filter: Filter!, first: Int): Book }
  type Book { title: String }
  input Filter { by: By!, text: String!, years: [Int!]!, nested: Filter }
  enum By { AUTHOR TITLE }
`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ready-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function offered(text: string) {
  await writeFile(join(folder, 'books.graphql'), text);
  return (await ReadyOperations.read(folder)).for(schema);
}

test('an operation comes with its fragments, its note, and variables to begin with', async () => {
  const [operation] = await offered(`# Books and more

# One book.
query Book($filter: Filter!, $first: Int) { book(filter: $filter, first: $first) { ...Title } }
fragment Title on Book { title }
fragment Unused on Book { title }
`);
  expect(operation).toMatchObject({
    name: 'Book',
    kind: 'query',
    group: 'Books and more',
    note: 'One book.',
  });
  expect(operation!.document).toContain('fragment Title on Book');
  expect(operation!.document).not.toContain('Unused');
  expect(JSON.parse(operation!.variables)).toEqual({ filter: { by: 'AUTHOR', text: '', years: [] } });
});

test('variables that its file tells are taken', async () => {
  const [operation] =
    await offered(`query Other { book(filter: { by: TITLE, text: "", years: [] }) { title } }
# Example: { "filter": { "by": "TITLE", "text": "Solaris", "years": [] } }
query Book($filter: Filter!) { book(filter: $filter) { title } }`).then((all) => all.slice(1));
  expect(JSON.parse(operation!.variables).filter.text).toBe('Solaris');
  expect(operation).toMatchObject({ group: 'books', note: null });
});

test.each([
  ['names a field that is hidden', 'query Hidden { wallet { id } }'],
  ['needs a root that is hidden', 'mutation Hidden { signOut }'],
  ['follows what cannot be followed', 'subscription Hidden { bookAdded { title } }'],
  ['needs a fragment that is nowhere', 'query Hidden { book(filter: {}) { ...Nowhere } }'],
  ['has no name', '{ __typename }'],
])('an operation that %s is not offered', async (_why, text) => {
  expect(await offered(`${text}\nquery Known { __typename }`)).toEqual([
    expect.objectContaining({ name: 'Known' }),
  ]);
});

test('without a folder there are none', async () => {
  expect((await ReadyOperations.read('')).for(schema)).toEqual([]);
});
