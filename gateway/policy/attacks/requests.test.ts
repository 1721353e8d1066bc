/** Requests that are not what they say, too large, too slow, or from elsewhere. */
import { gzipSync } from 'node:zlib';
import { Platform, until } from '../../testing/platform.ts';
import { Attacker, memory, open, secrets, stopwatch } from './attacker.ts';

let platform: Platform;
let attacker: Attacker;
let grown: () => number;

beforeAll(async () => {
  platform = await Platform.start('in memory', {
    PRODUCTION: 'true',
    ORIGINS: 'https://app.example',
    REQUEST_TIMEOUT: '1s',
  });
  attacker = new Attacker(platform);
  grown = memory('requests');
});
afterAll(async () => {
  expect(grown()).toBeLessThan(300);
  expect(await attacker.serves()).toBe(true);
  await platform[Symbol.asyncDispose]();
});

const adding = 'mutation { addBook(title: "forged") { id } }';
const added = () => platform.world.books.some(({ title }) => title === 'forged');

test('a batch of a hundred is refused [10]', async () => {
  const { status, codes, text } = await attacker.post(Array(100).fill({ query: '{ __typename }' }));
  expect([status, codes]).toEqual([400, [expect.any(String)]]);
  expect(text).not.toMatch(secrets);
});

describe('bodies [12]', () => {
  const answered = async (
    headers: Record<string, string>,
    body: Buffer,
  ): Promise<{ status: number; milliseconds: number }> => {
    const taken = stopwatch();
    const { request, answer } = open(platform, {
      headers: { 'content-type': 'application/json', 'content-length': String(body.length), ...headers },
    });
    request.end(body);
    const { status } = await answer.catch(() => ({ status: 0 }));
    return { status, milliseconds: taken() };
  };

  test.each<[string, () => Buffer, number[]]>([
    ['of 5 MB', () => Buffer.from(`{"query":"${'x'.repeat(5_000_000)}"}`), [413]],
    [
      'with a variable of 2 MB',
      () => Buffer.from(JSON.stringify({ query: '{ __typename }', variables: { x: 'x'.repeat(2_000_000) } })),
      [413],
    ],
    [
      'with a variable 20,000 deep',
      () =>
        Buffer.from(
          `{"query":"query ($of: Digits) { digits(of: $of) }","variables":{"of":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
        ),
      [400],
    ],
    [
      'with an input object 10,000 deep',
      () =>
        Buffer.from(
          `{"query":"query ($of: Digits) { digits(of: $of) }","variables":{"of":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}}`,
        ),
      [400],
    ],
    ['that are no JSON', () => Buffer.from('{"query":'), [400]],
    ['that are no UTF-8', () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), [400]],
    ['with names of objects', () => Buffer.from('{"__proto__":{"query":"{ __typename }"}}'), [400]],
  ])('%s are refused at once', async (_, body, statuses) => {
    const bytes = body();
    let cheapest = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { status, milliseconds } = await answered({}, bytes);
      expect(statuses).toContain(status);
      cheapest = Math.min(cheapest, milliseconds);
    }
    expect(cheapest).toBeLessThan(100);
    expect(({} as { query?: unknown }).query).toBeUndefined();
  });

  test('that unfold from 1 MB to 1 GB are refused packed', async () => {
    const bomb = gzipSync(Buffer.alloc(2 ** 30));
    const more = memory('a gzip bomb');
    const { status, milliseconds } = await answered({ 'content-encoding': 'gzip' }, bomb);
    expect([413, 415]).toContain(status);
    expect(milliseconds).toBeLessThan(1_000);
    expect(more()).toBeLessThan(50);
  });
});

test.each<[string, RequestInit & { path?: string }]>([
  ['POST of text', { method: 'POST', headers: { 'content-type': 'text/plain' } }],
  ['POST of a form', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ['POST of parts', { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } }],
  ['POST of a message', { method: 'POST', headers: { 'content-type': 'message/rfc822' } }],
  ['POST of nothing said', { method: 'POST' }],
  [
    'POST of text that wants a stream',
    { method: 'POST', headers: { 'content-type': 'text/plain', accept: 'text/event-stream' } },
  ],
  [
    'POST of text that wants parts',
    { method: 'POST', headers: { 'content-type': 'text/plain', accept: 'multipart/mixed' } },
  ],
  ['GET', {}],
  ['GET that wants a stream', { headers: { accept: 'text/event-stream' } }],
  ['GET that wants parts', { headers: { accept: 'multipart/mixed' } }],
  ['GET that asked first', { headers: { 'apollo-require-preflight': '1' } }],
  ['PUT', { method: 'PUT', headers: { 'content-type': 'application/json' } }],
])('a mutation by %s, with the cookies of a page elsewhere, changes nothing [16]', async (_, init) => {
  const url = `${platform.gateway.url}?query=${encodeURIComponent(adding)}`;
  const response = await fetch(url, {
    ...init,
    headers: { cookie: 'session=1', origin: 'https://evil.example', ...init.headers },
    ...(init.method ? { body: JSON.stringify({ query: adding }) } : {}),
  });
  expect([400, 405, 415]).toContain(response.status);
  expect(response.headers.get('access-control-allow-origin')).toBeNull();
  await response.body?.cancel();
  expect(added()).toBe(false);
});

describe('the slow [17]', () => {
  test('sockets that say nothing, headers and bodies that never end are closed, and others are served', async () => {
    const idle = Array.from({ length: 200 }, () => attacker.raw());
    const dripping = Array.from({ length: 50 }, () => {
      const socket = attacker.raw();
      socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\n');
      const drip = setInterval(() => socket.write('x-a: 1\r\n'), 100);
      socket.once('close', () => clearInterval(drip));
      return socket;
    });
    const bodies = Array.from({ length: 50 }, () => {
      const socket = attacker.raw();
      socket.write(
        'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{',
      );
      const drip = setInterval(() => socket.write(' '), 100);
      socket.once('close', () => clearInterval(drip));
      return socket;
    });
    const all = [...idle, ...dripping, ...bodies];
    for (const socket of all) socket.resume();
    expect(await attacker.serves()).toBe(true);
    const { milliseconds } = await attacker.cheapest('HTTP', { query: '{ __typename }' });
    expect(milliseconds).toBeLessThan(100);
    await until(() => all.every(({ closed, destroyed }) => closed || destroyed));
  });
});

describe('headers that speak for others [19]', () => {
  const forged = {
    'x-baton-viewer': JSON.stringify({ kind: 'user', userId: 'admin', sessionId: 's', roles: ['admin'] }),
    'x-user-id': 'admin',
    'x-gw-sig': 'x',
    'x-forwarded-user': 'admin',
  };

  test('are not believed', async () => {
    const { text } = await attacker.post({ query: '{ whoAmI }' }, undefined, forged);
    expect(JSON.parse(JSON.parse(text).data.whoAmI)).toEqual({ kind: 'anonymous' });
  });

  test('do not reach the routes of subgraphs', async () => {
    const before = platform.world.seenByRoutes.length;
    await fetch(`${platform.origin}/services/books/hook`, { method: 'POST', headers: forged });
    const [seen] = platform.world.seenByRoutes.slice(before);
    expect(seen?.viewer).toEqual({ kind: 'anonymous' });
    expect(seen?.headers.get('x-baton-viewer')).toBeNull();
  });

  test('do not buy another budget: the peer itself pays', async () => {
    await using limited = await Platform.start('in memory', {
      PRODUCTION: 'true',
      ANONYMOUS_REQUESTS_PER_MINUTE: '20',
    });
    const from = new Attacker(limited);
    const statuses: number[] = [];
    for (let count = 0; count < 40; count += 1) {
      const address = `203.0.113.${count}`;
      const headers = { 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address };
      const { status } = await from.post({ query: '{ __typename }' }, undefined, headers);
      statuses.push(status);
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(21);
    expect(statuses.at(-1)).toBe(429);
    const answer = await limited.query('{ __typename }');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answer.body).toEqual({
      errors: [
        {
          message: 'Too much at once: try again later',
          extensions: { code: 'RATE_LIMITED', details: { retryAfterSeconds: expect.any(Number) } },
        },
      ],
    });
  });
});

test.each(['https://evil.example', 'null', 'https://app.example.evil.example', 'file://'])(
  'a page of %s is not allowed to ask or to read [22]',
  async (origin) => {
    const preflight = await fetch(platform.gateway.url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    const post = await fetch(platform.gateway.url, {
      method: 'POST',
      headers: { origin, 'content-type': 'application/json' },
      body: '{"query":"{ __typename }"}',
    });
    for (const { headers } of [preflight, post])
      expect(headers.get('access-control-allow-origin')).toBeNull();
    await Promise.all([preflight.text(), post.text()]);
  },
);
