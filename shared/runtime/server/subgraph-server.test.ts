import { buildSchema } from 'graphql';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { Conflict } from '#shared/kernel/errors.ts';
import { systemClock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { parseInternalSecrets, signInternal, VIEWER_HEADER } from '#shared/runtime/internal-auth.ts';
import { SOCKET_BODY, serveSubgraph } from '#shared/runtime/server/subgraph-server.ts';

const secrets = parseInternalSecrets(`k:${'s'.repeat(32)}`);
const viewer: Viewer = { kind: 'service', name: 'bookings' };
const clock = systemClock;

async function serve() {
  const logged: string[] = [];
  const served = await serveSubgraph({
    local: {
      name: 'books',
      schema: buildSchema('type Query { a: Int }'),
      createContext: (facts) => facts,
      ready: () => Promise.reject(new Error('no database')),
    },
    host: '127.0.0.1',
    port: 0,
    secrets,
    clock,
    logger: pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) }),
    contractHandler: async (method, body, asking) => {
      if (method === 'refuse') throw new Conflict('TAKEN', 'Somebody has it', { by: 'x' });
      return { method, body, asking };
    },
  });
  const send = async (path: string, body: string, audience = 'books') => {
    const token = signInternal({ secrets, audience, viewer, body, clock });
    const headers = { [VIEWER_HEADER]: token };
    const response = await fetch(new URL(path, served.url), { method: 'POST', body, headers });
    return [response.status, await response.json()];
  };
  return { send, url: served.url, logged, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

test('a contract is answered with what its handler says, for the signed viewer', async () => {
  await using server = await serve();
  expect(await server.send('/contracts/hold', '{"x":1}')).toEqual([
    200,
    { method: 'hold', body: { x: 1 }, asking: viewer },
  ]);
});

test('a refusal of a contract crosses with its kind, code and details', async () => {
  await using server = await serve();
  expect(await server.send('/contracts/refuse', '{}')).toEqual([
    409,
    { refusal: { kind: 'CONFLICT', code: 'TAKEN', message: 'Somebody has it', details: { by: 'x' } } },
  ]);
});

test('a request signed for another subgraph is refused', async () => {
  await using server = await serve();
  expect(await server.send('/contracts/hold', '{}', 'authors')).toEqual([401, { error: 'UNAUTHORIZED' }]);
});

test('bad JSON and unknown paths are mistakes of the caller', async () => {
  await using server = await serve();
  expect(await server.send('/graphql', '{')).toEqual([400, { error: 'BAD_REQUEST' }]);
  expect(await server.send('/graphql', '{"query":1}')).toEqual([400, { error: 'BAD_REQUEST' }]);
  expect(await server.send('/nothing', '{}')).toEqual([404, { error: 'NOT_FOUND' }]);
});

test('a refused request is logged without its query, which may hold a key', async () => {
  await using server = await serve();
  await fetch(new URL('/routes/track?token=secret', server.url));
  expect(server.logged.map((line) => JSON.parse(line).path)).toEqual(['/routes/track']);
  expect(server.logged.join()).not.toContain('secret');
});

test('a subgraph that cannot serve is live and not ready', async () => {
  await using server = await serve();
  expect((await fetch(new URL('/health/live', server.url))).status).toBe(200);
  expect((await fetch(new URL('/health/ready', server.url))).status).toBe(503);
});

describe('a socket', () => {
  const open = async (url: string, token: string) => {
    const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
    const { promise, resolve } = Promise.withResolvers<{ code?: number; message?: unknown }>();
    socket.on('close', (code) => resolve({ code }));
    socket.on('message', (text) => resolve({ message: JSON.parse(String(text)) }));
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { token } })));
    const first = await promise;
    return { socket, first };
  };

  test('of a stranger is closed', async () => {
    await using server = await serve();
    expect((await open(server.url, 'x.y.z')).first).toEqual({ code: 4403 });
  });

  test('of the gateway is welcome, a subscription without a signed viewer is not', async () => {
    await using server = await serve();
    const token = signInternal({ secrets, audience: 'books', viewer, body: SOCKET_BODY, clock });
    const { socket, first } = await open(server.url, token);
    expect(first).toEqual({ message: { type: 'connection_ack' } });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.on('message', (text) => resolve(JSON.parse(String(text))));
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { a }' } }));
    expect(await promise).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'UNAUTHORIZED' } }],
    });
    socket.close();
  });
});
