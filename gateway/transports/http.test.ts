import { connect } from 'node:net';
import { type Answer, forms, Platform, until } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';

const json = { 'content-type': 'application/json' };
const codeOf = ({ body }: Answer) => body.errors?.[0]?.extensions.code;
const nested = (levels: number) =>
  `{ ...F0 } fragment F${levels} on Query { __typename } ${Array.from(
    { length: levels },
    (_, level) => `fragment F${level} on Query { ...F${level + 1} ...F${level + 1} }`,
  ).join(' ')}`;

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start(form, { ORIGINS: 'https://app.example' });
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  test.each<[string, RequestInit, number, string]>([
    ['no JSON', { method: 'POST', headers: json, body: '{' }, 400, 'BAD_REQUEST'],
    ['JSON that is no object', { method: 'POST', headers: json, body: '"x"' }, 400, 'BAD_REQUEST'],
    ['nothing', { method: 'POST', headers: json }, 400, 'BAD_REQUEST'],
    ['a number as query', { method: 'POST', headers: json, body: '{"query":1}' }, 400, 'BAD_REQUEST'],
    ['a batch', { method: 'POST', headers: json, body: '[{"query":"{ __typename }"}]' }, 400, 'BAD_REQUEST'],
    [
      'a body over 64 kB',
      { method: 'POST', headers: json, body: JSON.stringify({ query: '#'.repeat(70_000) }) },
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    [
      'an unknown charset',
      { method: 'POST', headers: { 'content-type': 'application/json; charset=ebcdic' }, body: '{}' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'a form, as another site could send it',
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"query":"{ __typename }"}' },
      400,
      'BAD_REQUEST',
    ],
    [
      'another method',
      { method: 'PUT', headers: json, body: '{"query":"{ __typename }"}' },
      405,
      'BAD_REQUEST',
    ],
  ])('%s is refused', async (_, init, status, code) => {
    const answer = await platform.send(init);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  test.each<[string, object, string]>([
    ['a syntax error', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', { query: '{ nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['too many tokens', { query: `{ ${'__typename '.repeat(1_100)} }` }, 'GRAPHQL_PARSE_FAILED'],
    ['nested fragments that mean millions of fields', { query: nested(25) }, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'an unknown operation name',
      { query: 'query A { __typename }', operationName: 'B' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    [
      'two operations and no name',
      { query: 'query A { __typename } query B { __typename }' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    ['a wrong variable', { query: 'query ($id: ID!) { book(id: $id) { id } }' }, 'BAD_USER_INPUT'],
    ['a subscription', { query: 'subscription { reviewAdded { cursor } }' }, 'SUBSCRIPTION_NEEDS_STREAM'],
    [
      'a conditional subscription',
      { query: 'subscription ($on: Boolean = true) { reviewAdded @include(if: $on) { cursor } }' },
      'SUBSCRIPTION_ROOT_CONDITION',
    ],
  ])('%s is a client mistake, never ours', async (_, body, code) => {
    const answer = await platform.post(body);
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  test('a query may come by GET, a mutation may not', async () => {
    const get = (query: string) =>
      platform.send(
        { headers: { 'apollo-require-preflight': '1' } },
        `/graphql?query=${encodeURIComponent(query)}`,
      );
    expect(await get('{ book(id: "a") { title } }')).toMatchObject({
      status: 200,
      body: { data: { book: { title: 'Solaris' } } },
    });
    expect((await get('mutation { addBook(title: "y") { id } }')).status).toBe(405);
    expect((await platform.send({}, '/graphql?query={__typename}')).status).toBe(400);
    expect((await platform.query('{ book(id: "y") { id } }')).body.data).toEqual({ book: null });
  });

  test('an unknown address is a 404 in JSON', async () => {
    const answer = await platform.send({}, '/nowhere');
    expect([answer.status, codeOf(answer)]).toEqual([404, 'NOT_FOUND']);
  });

  test('the request id comes back: the given one where it is sound, a new one otherwise', async () => {
    const id = async (given: string) =>
      (await platform.post({ query: '{ __typename }' }, { 'x-request-id': given })).headers.get(
        'x-request-id',
      );
    expect(await id('abcdef-123456')).toBe('abcdef-123456');
    expect(await id('x y')).toMatch(/^[\da-f-]{36}$/);
  });

  test('only listed pages of other origins may read the answer', async () => {
    const allowed = async (origin: string) =>
      (await platform.post({ query: '{ __typename }' }, { origin })).headers.get(
        'access-control-allow-origin',
      );
    expect(await allowed('https://app.example')).toBe('https://app.example');
    expect(await allowed('https://evil.example')).toBeNull();
    const preflight = await fetch(platform.gateway.url, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization,content-type,x-request-id,x-api-key,x-cost,apollo-require-preflight,last-event-id,x-device-id,traceparent',
    ]);
  });

  test('outside production the schema can be introspected and errors speak', async () => {
    const { body } = await platform.query('{ __schema { queryType { name } } }');
    expect(body.data).toEqual({ __schema: { queryType: { name: 'Query' } } });
    const wrong = await platform.query('{ boks { id } }');
    expect(wrong.body.errors?.[0]?.message).toContain('Did you mean "books"');
  });
});

describe.each(forms)('in production, %s', (form) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start(form, { PRODUCTION: 'true' });
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  test.each([
    ['{ __schema { queryType { name } } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ boks { id } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ books { ', 'GRAPHQL_PARSE_FAILED'],
    [`{ ${'__typename '.repeat(1_100)} }`, 'GRAPHQL_PARSE_FAILED'],
    ['query A { __typename } query B { __typename }', 'OPERATION_RESOLUTION_FAILURE'],
  ])('the refusal of %s says nothing of the schema or the limits', async (query, code) => {
    const { status, body } = await platform.query(query);
    expect([status, body]).toEqual([
      400,
      { errors: [{ message: 'The operation is not valid', extensions: { code } }] },
    ]);
  });

  test('the same over the socket', async () => {
    const socket = await Socket.open(platform);
    socket.subscribe('1', 'subscription { reviewAded { cursor } }');
    expect((await socket.next('error', '1')).payload).toEqual([
      { message: 'The operation is not valid', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
    ]);
    await socket.close();
  });

  test('an internal error is masked, its path stays', async () => {
    platform.world.add('one');
    const { body } = await platform.query('{ reviews { text broken } }');
    expect(body).toEqual({
      data: { reviews: [{ text: 'one', broken: null }] },
      errors: [
        {
          message: 'Internal error',
          path: ['reviews', 0, 'broken'],
          extensions: { code: 'INTERNAL_SERVER_ERROR' },
        },
      ],
    });
  });

  test('a refusal keeps message, code, kind and details', async () => {
    const { body } = await platform.query('mutation { addBook(title: "Solaris") { id } }');
    expect(body.errors).toEqual([
      {
        message: 'There is such a book',
        path: ['addBook'],
        extensions: { code: 'BOOK_EXISTS', kind: 'CONFLICT', details: { title: 'Solaris' } },
      },
    ]);
  });
});

describe.each(forms)('going down, %s', (form) => {
  test('what runs is answered, sockets are told to reconnect, nothing new is taken', async () => {
    const platform = await Platform.start(form);
    const gate = Promise.withResolvers<void>();
    let waiting = false;
    platform.world.beforeName = () => {
      waiting = true;
      return gate.promise;
    };
    expect((await platform.send({}, '/health/live')).body).toEqual({ status: 'live' });
    expect((await platform.send({}, '/health/ready')).body).toEqual({ status: 'ready' });
    const socket = await Socket.open(platform);
    const answer = platform.query('{ books(first: 1) { author { name } } }');
    await until(() => waiting);
    const down = platform.gateway[Symbol.asyncDispose]();
    expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
    await expect(reach(platform.gateway.port)).rejects.toThrow();
    gate.resolve();
    expect((await answer).body).toEqual({ data: { books: [{ author: { name: 'Lem' } }] } });
    await down;
    await platform[Symbol.asyncDispose]();
  });
});

function reach(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1', () => {
    socket.destroy();
    resolve();
  });
  socket.on('error', () => reject(new Error('refused')));
  return promise;
}
