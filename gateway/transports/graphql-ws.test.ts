import { WebSocket } from 'ws';
import { forms, Platform, until } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';

const plain = 'subscription ($after: String) { reviewAdded(after: $after) { cursor } }';

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start(form, {
      SOCKET_INIT_TIMEOUT: '200ms',
      SOCKET_STALL: '300ms',
      SUBSCRIPTIONS_PER_SOCKET: '2',
      MESSAGES_PER_SECOND: '40',
      REVOCATIONS_FROM: 'books:/ended',
      REVOCATIONS_POLL: '50ms',
      SUBSCRIBES_PER_SECOND: '10',
      ORIGINS: 'https://app.example',
    });
  });
  afterAll(() => platform[Symbol.asyncDispose]());
  afterEach(() => until(() => platform.world.sources === 0));

  test('4400: a message that is none', async () => {
    const messages = [
      '{',
      '"x"',
      'null',
      '{"type":"unknown"}',
      '{"type":"next","id":"1","payload":{}}',
      '{"type":"subscribe","id":"1","payload":{}}',
      '{"type":"subscribe","id":"","payload":{"query":"{a}"}}',
      `{"type":"subscribe","id":"${'x'.repeat(300)}","payload":{"query":"{a}"}}`,
    ];
    for (const message of messages) {
      const socket = await Socket.open(platform);
      socket.send(message);
      expect((await socket.closed).code).toBe(4400);
    }
  });

  test('4401: subscribing before the acknowledgement', async () => {
    const socket = new Socket(platform);
    await socket.opened();
    socket.subscribe('1', plain);
    expect((await socket.closed).code).toBe(4401);
  });

  test('4403: a token that is not valid', async () => {
    const socket = new Socket(platform);
    await socket.opened();
    socket.send({ type: 'connection_init', payload: { authorization: 'Bearer a.b.c' } });
    expect(await socket.closed).toEqual({ code: 4403, reason: 'Forbidden' });
  });

  test('4406: another subprotocol, or none', async () => {
    const socket = new Socket(platform, { protocol: 'graphql-ws' });
    await expect(socket.opened()).rejects.toThrow();
    const raw = new WebSocket(platform.gateway.url.replace('http', 'ws'));
    expect(await new Promise((resolve) => raw.once('close', resolve))).toBe(4406);
  });

  test('4408: no connection_init in time', async () => {
    expect((await new Socket(platform).closed).code).toBe(4408);
  });

  test('4409: an id that is in use', async () => {
    const socket = await Socket.open(platform);
    socket.subscribe('1', plain);
    socket.subscribe('1', plain);
    expect((await socket.closed).code).toBe(4409);
  });

  test('4429: a second connection_init', async () => {
    const socket = await Socket.open(platform);
    socket.send({ type: 'connection_init' });
    expect((await socket.closed).code).toBe(4429);
  });

  test('1009: a message over 64 kB', async () => {
    const socket = await Socket.open(platform);
    socket.subscribe('1', plain, { after: 'x'.repeat(70_000) });
    expect((await socket.closed).code).toBe(1009);
  });

  test('a ping is answered with its payload', async () => {
    const socket = await Socket.open(platform);
    socket.send({ type: 'ping', payload: { beat: 1 } });
    expect(await socket.next('pong')).toEqual({ type: 'pong', payload: { beat: 1 } });
    await socket.close();
  });

  test('one subscription too many is refused, the others go on', async () => {
    const socket = await Socket.open(platform);
    for (const id of ['1', '2', '3']) socket.subscribe(id, plain);
    expect(await socket.next('error', '3')).toMatchObject({
      payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
    });
    await until(() => platform.world.sources === 1);
    socket.send({ id: '1', type: 'complete' });
    socket.subscribe('3', plain, { after: String(platform.world.reviews.length) });
    socket.send({ type: 'ping' });
    await socket.next('pong');
    platform.world.add('one');
    const ids = [(await socket.next('next')).id, (await socket.next('next')).id];
    expect(ids.sort()).toEqual(['2', '3']);
    await socket.close();
  });

  test('several subscriptions share a socket; when one fails nothing follows for it, and the others go on', async () => {
    const socket = await Socket.open(platform);
    socket.subscribe('good', plain);
    socket.subscribe('bad', plain, { after: 'forged' });
    await socket.next('error', 'bad');
    await until(() => platform.world.sources === 1);
    platform.world.add('one');
    await socket.next('next', 'good');
    socket.send({ type: 'ping' });
    await socket.next('pong');
    expect(socket.unread).toBe(0);
    await socket.close();
  });

  test('the id of a subscription that failed can be used again at once', async () => {
    const socket = await Socket.open(platform);
    socket.subscribe('1', plain, { after: 'forged' });
    await socket.next('error', '1');
    socket.subscribe('1', plain, { after: String(platform.world.reviews.length) });
    platform.world.add('one');
    await socket.next('next', '1');
    await socket.close();
  });

  test('a subscription that is completed before it was admitted never begins', async () => {
    const socket = await Socket.open(platform);
    const opened = platform.world.opened;
    for (let count = 0; count < 10; count += 1) {
      socket.subscribe('1', plain);
      socket.send({ id: '1', type: 'complete' });
    }
    socket.send({ type: 'ping' });
    await socket.next('pong');
    expect(socket.unread).toBe(0);
    expect(platform.world.opened).toBe(opened);
    await socket.close();
  });

  test('1008: a flood of messages, pings included, protocol pings too', async () => {
    const flood = await Socket.open(platform);
    for (let count = 0; count < 100; count += 1) flood.send({ type: 'ping' });
    expect((await flood.closed).code).toBe(1008);
    const raw = new WebSocket(platform.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
    await new Promise((resolve) => raw.once('open', resolve));
    for (let count = 0; count < 100; count += 1) raw.ping();
    expect(await new Promise((resolve) => raw.once('close', resolve))).toBe(1008);
  });

  test('too many subscribes within a second are refused, and the socket stays', async () => {
    const socket = await Socket.open(platform);
    // A second may end in between: then it is two times ten that are let through.
    for (let id = 1; id <= 21; id += 1) socket.subscribe(String(id), 'subscription { unknown }');
    const codes: string[] = [];
    while (codes.length < 21) {
      const [{ extensions }] = (await socket.next('error')).payload as [{ extensions: { code: string } }];
      codes.push(extensions.code);
    }
    expect(codes.filter((code) => code !== 'RATE_LIMITED').length).toBeGreaterThanOrEqual(10);
    expect(codes.filter((code) => code === 'RATE_LIMITED').length).toBeGreaterThanOrEqual(1);
    socket.send({ type: 'ping' });
    await socket.next('pong');
    await socket.close();
  });

  test('a message in binary is none', async () => {
    const raw = new WebSocket(platform.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
    await new Promise((resolve) => raw.once('open', resolve));
    raw.send(Buffer.from('{"type":"connection_init"}'));
    expect(await new Promise((resolve) => raw.once('close', resolve))).toBe(4400);
  });

  test.each([
    ['a listed page', 'https://app.example', true],
    ["the gateway's own page", () => platform.origin, true],
    ['a foreign page', 'https://evil.example', false],
  ])('the upgrade of %s is decided by its origin', async (_, origin, welcome) => {
    const socket = new Socket(platform, { origin: typeof origin === 'string' ? origin : origin() });
    const opened = await socket.opened().then(
      () => true,
      () => false,
    );
    expect(opened).toBe(welcome);
    if (opened) await socket.close();
  });

  test('the socket closes when its token expires', async () => {
    const token = await platform.token({}, 2);
    const socket = await Socket.open(platform, { authorization: `Bearer ${token}` });
    socket.subscribe('1', plain);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'Token expired' });
  });

  test('the socket closes soon after its session ended, and no other', async () => {
    const ended = await platform.token({ sid: 'ended over socket' });
    const socket = await Socket.open(platform, { authorization: `Bearer ${ended}` });
    const other = await Socket.open(platform, { authorization: `Bearer ${await platform.token()}` });
    socket.subscribe('1', plain);
    await until(() => platform.world.sources === 1);
    platform.world.endedSessions.push('ended over socket');
    expect(await socket.closed).toEqual({ code: 4403, reason: 'Session ended' });
    other.send({ type: 'ping' });
    await other.next('pong');
    await other.close();
  });

  test('a fresh token in a ping keeps the socket open beyond the first', async () => {
    const first = await platform.token({}, 3);
    const fresh = await platform.token({}, 60);
    const socket = await Socket.open(platform, { authorization: `Bearer ${first}` });
    let closed = false;
    void socket.closed.then(() => {
      closed = true;
    });
    socket.send({ type: 'ping', payload: { authorization: `Bearer ${fresh}` } });
    await socket.next('pong');
    const end = Date.now() + 3_200;
    await until(() => Date.now() > end || closed);
    expect(closed).toBe(false);
    await socket.close();
  });

  test("somebody else's token in a ping closes the socket", async () => {
    const socket = await Socket.open(platform, { authorization: `Bearer ${await platform.token()}` });
    const other = await platform.token({ sub: 'u2' });
    socket.send({ type: 'ping', payload: { authorization: `Bearer ${other}` } });
    expect((await socket.closed).code).toBe(4403);
  });

  test('a fresh token that says something else of the same person closes the socket', async () => {
    const socket = await Socket.open(platform, { authorization: `Bearer ${await platform.token()}` });
    const promoted = await platform.token({ roles: ['reader', 'editor'] });
    socket.send({ type: 'ping', payload: { authorization: `Bearer ${promoted}` } });
    expect((await socket.closed).code).toBe(4403);
  });

  test('a client that takes nothing is closed with a code that tells it to resume', async () => {
    const socket = await Socket.open(platform);
    platform.world.reviews.length = 0;
    socket.subscribe('1', 'subscription { reviewAdded(after: "") { cursor text } }');
    await until(() => platform.world.sources === 1);
    socket.pause();
    platform.world.add(...Array.from({ length: 250 }, () => String(Buffer.alloc(200_000, 'x'))));
    await until(() => platform.world.sources === 0);
    socket.resume();
    expect((await socket.closed).code).toBe(4508);
    platform.world.reviews.length = 0;
  });
});

describe('how many may come', () => {
  const statusOf = (platform: Platform): Promise<number> =>
    new Promise((resolve) => {
      const socket = new WebSocket(platform.gateway.url.replace('http', 'ws'), 'graphql-transport-ws');
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0));
      socket.once('open', () => {
        resolve(101);
        socket.close();
      });
      socket.on('error', () => undefined);
    });

  test('so many sockets of one address, and as soon as one is gone, another', async () => {
    await using platform = await Platform.start('in memory', { CONNECTIONS_PER_ADDRESS: '2' });
    const [one, other] = [await Socket.open(platform), await Socket.open(platform)];
    expect(await statusOf(platform)).toBe(429);
    await one.close();
    await until(async () => (await statusOf(platform)) === 101);
    await other.close();
  });

  test.each([
    ['user', { CONNECTIONS_PER_USER: '1' }, {}],
    ['device', { CONNECTIONS_PER_DEVICE: '1' }, { deviceId: 'd1' }],
  ])('so many sockets of one %s: one more is told to come later', async (_, limit, payload) => {
    await using platform = await Platform.start('in memory', limit);
    const authorization = `Bearer ${await platform.token()}`;
    const first = await Socket.open(platform, { authorization, ...payload });
    const second = new Socket(platform);
    await second.opened();
    second.send({ type: 'connection_init', payload: { authorization, ...payload } });
    const { code, reason } = await second.closed;
    expect(code).toBe(1013);
    expect(JSON.parse(reason)).toEqual({ code: 'TOO_MANY_CONNECTIONS', retryAfter: expect.any(Number) });
    const stranger = await platform.token({ sub: 'u2' });
    const third = await Socket.open(platform, { authorization: `Bearer ${stranger}`, deviceId: 'd2' });
    await Promise.all([first.close(), third.close()]);
  });

  test('when too many come back at once, most are told to come a little later, not all at the same time', async () => {
    await using platform = await Platform.start('in memory', { CONNECTIONS_PER_SECOND: '5' });
    const sockets = Array.from({ length: 40 }, () => new Socket(platform));
    const told: unknown[] = [];
    for (const { closed } of sockets) void closed.then(({ code, reason }) => told.push([code, reason]));
    await until(() => told.length >= 15);
    expect(told.length).toBeLessThanOrEqual(35);
    for (const each of told) expect(each).toEqual([1013, expect.stringContaining('retryAfter')]);
    expect(new Set(told.map(String)).size).toBeGreaterThan(1);
    await Promise.all(sockets.map((socket) => socket.close()));
  });
});
