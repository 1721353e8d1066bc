import { readFile, writeFile } from 'node:fs/promises';
import { compose, forms, Platform, until } from './testing/platform.ts';
import { sdl } from './testing/toys.ts';

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  beforeEach(async () => {
    platform = await Platform.start(form, { SUBGRAPH_TIMEOUT: '400ms' });
  });
  afterEach(() => platform[Symbol.asyncDispose]());

  test('a query joins what three subgraphs know', async () => {
    platform.world.add('fine', 'long');
    const { status, body } = await platform.query(
      '{ books(first: 2) { title author { name } reviews { text author { name } } } }',
    );
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        data: {
          books: [
            {
              title: 'Solaris',
              author: { name: 'Lem' },
              reviews: [{ text: 'fine', author: { name: 'Lem' } }],
            },
            {
              title: 'The Dispossessed',
              author: { name: 'Le Guin' },
              reviews: [{ text: 'long', author: { name: 'Le Guin' } }],
            },
          ],
        },
      },
    });
  });

  test('a refusal comes with its code, kind and details', async () => {
    const { status, body } = await platform.query('mutation { addBook(title: "Solaris") { id } }');
    expect(status).toBe(200);
    expect(body.data).toBeNull();
    expect(body.errors).toEqual([
      expect.objectContaining({
        message: 'There is such a book',
        path: ['addBook'],
        extensions: expect.objectContaining({
          code: 'BOOK_EXISTS',
          kind: 'CONFLICT',
          details: { title: 'Solaris' },
        }),
      }),
    ]);
  });

  test('an error in a join nulls its field and nothing else', async () => {
    platform.world.beforeName = async (id) => {
      if (id === '2') throw new Error('boom');
    };
    const { body } = await platform.query('{ books(first: 2) { title author { name } } }');
    expect(body.data).toEqual({
      books: [
        { title: 'Solaris', author: { name: 'Lem' } },
        { title: 'The Dispossessed', author: { name: null } },
      ],
    });
    expect(body.errors).toEqual([
      expect.objectContaining({
        path: ['books', 1, 'author', 'name'],
        extensions: expect.objectContaining({ code: 'INTERNAL_SERVER_ERROR' }),
      }),
    ]);
  });

  test('a forbidden null in a join nulls its parent, and the error is in errors', async () => {
    platform.world.authors.delete('2');
    const { body } = await platform.query('{ books(first: 2) { title author { strictName } } }');
    expect(body.data).toEqual({
      books: [
        { title: 'Solaris', author: { strictName: 'Lem' } },
        { title: 'The Dispossessed', author: null },
      ],
    });
    expect(body.errors?.[0]?.path).toEqual(['books', 1, 'author', 'strictName']);
    expect(body).not.toHaveProperty('extensions');
  });

  test('a silent subgraph costs its own fields, within the timeout', async () => {
    platform.world.silence();
    const started = performance.now();
    const { status, body } = await platform.query('{ books(first: 2) { title author { name } } }');
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(status).toBe(200);
    expect(body.data).toEqual({
      books: [
        { title: 'Solaris', author: { name: null } },
        { title: 'The Dispossessed', author: { name: null } },
      ],
    });
    expect(body.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['books', 0, 'author', 'name'], 'SUBGRAPH_TIMEOUT'],
      [['books', 1, 'author', 'name'], 'SUBGRAPH_TIMEOUT'],
    ]);
  });

  test('an access token becomes the viewer that subgraphs see', async () => {
    const { body } = await platform.query('{ whoAmI }', {}, await platform.token());
    expect(JSON.parse(String(body.data?.whoAmI))).toEqual({
      kind: 'user',
      userId: 'u1',
      sessionId: 's1',
      roles: ['reader'],
    });
  });

  test('a link token becomes a link viewer', async () => {
    const token = await platform.token({ typ: 'link', shp: 'x', rcp: 'y' });
    const { body } = await platform.query('{ whoAmI }', {}, token);
    expect(JSON.parse(String(body.data?.whoAmI))).toEqual({
      kind: 'link',
      shipmentId: 'x',
      recipientId: 'y',
    });
  });

  test('without a token, and with a forged viewer header, the viewer is anonymous', async () => {
    const { body } = await platform.post(
      { query: '{ whoAmI }' },
      { 'x-baton-viewer': JSON.stringify({ kind: 'service', name: 'me' }) },
    );
    expect(JSON.parse(String(body.data?.whoAmI))).toEqual({ kind: 'anonymous' });
  });

  test.each([
    ['expired', (p: Platform) => p.token({}, -5)],
    ['of no known type', (p: Platform) => p.token({ typ: 'refresh' })],
    ['that is rubbish', async () => 'a.b.c'],
    ['of another key', async (p: Platform) => `${(await p.token()).slice(0, -6)}AAAAAA`],
  ])('a token %s is refused with 401', async (_, make) => {
    const { status, body } = await platform.query('{ whoAmI }', {}, await make(platform));
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(body.data).toBeUndefined();
  });

  test('when the client leaves, its query is given up', async () => {
    let seen: AbortSignal | undefined;
    platform.world.beforeName = (_id, signal) => {
      seen = signal;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const leaving = new AbortController();
    const body = JSON.stringify({ query: '{ author(id: "1") { name } }' });
    const headers = { 'content-type': 'application/json' };
    const answer = platform.send({ method: 'POST', headers, body, signal: leaving.signal });
    await until(() => seen !== undefined);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await until(() => seen?.aborted === true);
  });

  test('when the client leaves, its mutation runs to its end', async () => {
    const gate = Promise.withResolvers<void>();
    let seen: AbortSignal | undefined;
    platform.world.beforeAdd = (signal) => {
      seen = signal;
      return gate.promise;
    };
    const leaving = new AbortController();
    const body = JSON.stringify({ query: 'mutation { addBook(title: "Eden") { id } }' });
    const headers = { 'content-type': 'application/json' };
    const answer = platform.send({ method: 'POST', headers, body, signal: leaving.signal });
    await until(() => seen !== undefined);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    gate.resolve();
    await until(() => platform.world.books.some(({ title }) => title === 'Eden'));
    expect(seen?.aborted).toBe(false);
  });

  test('a value that only the subgraph can judge is a coded client mistake', async () => {
    const literal = await platform.query('{ digits(of: "x") }');
    const variable = await platform.query('query ($of: Digits) { digits(of: $of) }', { of: 'x' });
    for (const { status, body } of [literal, variable]) {
      expect(status).toBeLessThan(500);
      expect(body.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
    }
  });

  test('the supergraph is replaced while it serves, and a broken one is not taken', async () => {
    const query = '{ books(first: 1) { title pages } }';
    expect((await platform.query(query)).status).toBe(400);
    const next = sdl.books.replace('title: String!  author', 'title: String! pages: Int author');
    await writeFile(platform.supergraphPath, compose({ ...sdl, books: next }));
    await until(async () => (await platform.query(query)).status === 200);
    const good = await readFile(platform.supergraphPath, 'utf8');
    await writeFile(platform.supergraphPath, 'type Query { nothing: String }');
    await expect(platform.gateway.reload()).rejects.toThrow();
    expect((await platform.query('{ books(first: 1) { title } }')).body.data).toEqual({
      books: [{ title: 'Solaris' }],
    });
    await writeFile(platform.supergraphPath, good);
    await platform.gateway.reload();
  });

  if (form === 'split') {
    test('a subgraph that is down costs its own fields', async () => {
      await platform.served.get('authors')?.[Symbol.asyncDispose]();
      const { status, body } = await platform.query('{ books(first: 1) { title author { name } } whoAmI }');
      expect([status, body.data]).toEqual([200, null]);
      const rest = await platform.query('{ books(first: 1) { title author { name } } author(id: 1) { id } }');
      expect(rest.body.data).toEqual({
        books: [{ title: 'Solaris', author: { name: null } }],
        author: null,
      });
      expect(rest.body.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual(
        expect.arrayContaining([
          [['author'], 'SUBGRAPH_UNAVAILABLE'],
          [['books', 0, 'author', 'name'], 'SUBGRAPH_UNAVAILABLE'],
        ]),
      );
    });

    test.each(['/graphql', '/contracts/anything', '/routes/echo'])(
      'a subgraph answers nothing unsigned at %s',
      async (path) => {
        const url = new URL(path, platform.served.get('books')?.url);
        for (const headers of [{}, { 'x-baton-viewer': 'x.y.z' }] as Record<string, string>[]) {
          const response = await fetch(url, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
          expect([response.status, await response.json()]).toEqual([401, { error: 'UNAUTHORIZED' }]);
        }
      },
    );

    test('a subgraph tells whether it lives and is ready', async () => {
      for (const path of ['/health/live', '/health/ready'])
        expect((await fetch(new URL(path, platform.served.get('books')?.url))).status).toBe(200);
    });
  }
});
