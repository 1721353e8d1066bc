/** Fields of a supergraph that says who may have them: what others ask is null, with an error, and never computed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose, Platform } from '../../testing/platform.ts';
import { Socket } from '../../testing/socket.ts';
import { sdl } from '../../testing/toys.ts';

const guarded = {
  ...sdl,
  authors: sdl.authors
    .replace('"@key"]', '"@key", "@authenticated", "@requiresScopes"]')
    .replace('name: String', 'name: String @authenticated')
    .replace('strictName: String!', 'strictName: String! @requiresScopes(scopes: [["names"]])'),
  reviews: sdl.reviews
    .replace('"@key"', '"@key", "@policy"')
    .replace('text: String!', 'text: String! @policy(policies: [["reader"]])'),
};

let folder: string;
let platform: Platform;
/** How often a name was computed. */
let named = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attack-'));
  const path = join(folder, 'supergraph.graphql');
  await writeFile(path, compose(guarded));
  platform = await Platform.start('in memory', { PRODUCTION: 'true', SUPERGRAPH_PATH: path });
  platform.world.beforeName = async () => {
    named += 1;
  };
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const denied = (...path: (string | number)[]) => ({
  message: expect.any(String),
  path,
  extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' },
});

test('nobody in particular gets the rest of the answer, and what is denied is not asked for', async () => {
  named = 0;
  const { body } = await platform.query('{ books(first: 1) { title author { id name } } }');
  expect(body).toEqual({
    data: { books: [{ title: 'Solaris', author: { id: '1', name: null } }] },
    errors: [denied('books', 0, 'author', 'name')],
  });
  expect(named).toBe(0);
});

test('aliases, fragments and other ways lead nowhere else', async () => {
  named = 0;
  const query = `{
    a: author(id: "1") { x: name ...F ... { ... on Author { y: name } } }
    books(first: 1) { author { ...F } }
  } fragment F on Author { z: name }`;
  const { body } = await platform.query(query);
  expect(JSON.stringify(body)).not.toContain('Lem');
  expect(body.data).toEqual({ a: { x: null, z: null, y: null }, books: [{ author: { z: null } }] });
  expect(body.errors).toHaveLength(4);
  expect(named).toBe(0);
});

test('who may have it gets it, and no more than that', async () => {
  const query = '{ author(id: "1") { name strictName } }';
  const user = await platform.query('{ author(id: "1") { name } }', {}, await platform.token());
  expect(user.body).toEqual({ data: { author: { name: 'Lem' } } });
  const scoped = await platform.query(query, {}, await platform.token({ scope: 'names' }));
  expect(scoped.body).toEqual({ data: { author: { name: 'Lem', strictName: 'Lem' } } });
});

test('a denied field that cannot be null takes its parent with it, as the specification says', async () => {
  const { body } = await platform.query('{ author(id: "1") { id strictName } }', {}, await platform.token());
  expect(body.data).toEqual({ author: null });
  expect(body.errors).toEqual([denied('author', 'strictName')]);
});

test('events are judged by who watches', async () => {
  const token = await platform.token({ roles: ['reader'] });
  const reader = await Socket.open(platform, { authorization: `Bearer ${token}` });
  const nobody = await Socket.open(platform);
  for (const socket of [reader, nobody])
    socket.subscribe('1', 'subscription { reviewAdded(after: "") { cursor text book { author { name } } } }');
  platform.world.add('secret words');
  const { payload: seen } = await reader.next('next', '1');
  expect(seen).toMatchObject({
    data: { reviewAdded: { text: 'secret words', book: { author: { name: 'Lem' } } } },
  });
  const { payload: unseen } = await nobody.next('next', '1');
  expect(unseen).toMatchObject({ data: { reviewAdded: null }, errors: [denied('reviewAdded', 'text')] });
  await Promise.all([reader.close(), nobody.close()]);
});
