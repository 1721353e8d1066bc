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
      ORIGINS: 'https://app.example',
    });
  });
  afterAll(() => platform[Symbol.asyncDispose]());
  afterEach(() => until(() => platform.world.sources === 0));

  test('4400: a message that is none', async () => {
    for (const message of ['{', '"x"', '{"type":"unknown"}', '{"type":"subscribe","id":"1","payload":{}}']) {
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

  test('4406: another subprotocol', async () => {
    const socket = new Socket(platform, { protocol: 'graphql-ws' });
    await expect(socket.opened()).rejects.toThrow();
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
    await until(() => platform.world.sources === 2);
    await socket.close();
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

  test('a client that takes nothing is closed with a code that tells it to resume', async () => {
    const socket = await Socket.open(platform);
    const wide = Array.from({ length: 100 }, (_, index) => `t${index}: text`).join(' ');
    socket.subscribe('1', `subscription { reviewAdded(after: "0") { cursor ${wide} } }`);
    await until(() => platform.world.sources === 1);
    socket.pause();
    platform.world.add(...Array.from({ length: 250 }, () => 'x'.repeat(2_000)));
    await until(() => platform.world.sources === 0);
    socket.resume();
    expect((await socket.closed).code).toBe(4508);
    platform.world.reviews.length = 0;
  });
});
