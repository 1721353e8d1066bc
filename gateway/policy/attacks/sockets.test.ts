/** Sockets that keep to no protocol, stay after their right has ended, or take nothing of what they asked for. */
import { WebSocket } from 'ws';
import { Platform, until } from '../../testing/platform.ts';
import { Socket } from '../../testing/socket.ts';
import { Attacker, memory } from './attacker.ts';

const watching = 'subscription { reviewAdded { cursor text } }';
let platform: Platform;
let attacker: Attacker;
let grown: () => number;

beforeAll(async () => {
  platform = await Platform.start('in memory', {
    PRODUCTION: 'true',
    SOCKET_INIT_TIMEOUT: '300ms',
    SOCKET_STALL: '500ms',
    MESSAGES_PER_SECOND: '100',
    CONNECTIONS_PER_SECOND: '50',
    REVOCATIONS_FROM: 'authors:/ended',
  });
  attacker = new Attacker(platform);
  grown = memory('sockets');
});
afterAll(async () => {
  expect(grown()).toBeLessThan(300);
  expect(await attacker.serves()).toBe(true);
  await platform[Symbol.asyncDispose]();
});
afterEach(async () => {
  await until(() => platform.world.sources === 0);
  expect(await attacker.serves()).toBe(true);
});

const url = () => platform.gateway.url.replace('http', 'ws');
const opened = async () => {
  const socket = new Socket(platform);
  await socket.opened();
  return socket;
};

describe('who keeps to no protocol is closed with its code [47]', () => {
  test.each<[string, (socket: Socket) => void, number]>([
    ['says nothing', () => undefined, 4408],
    ['only pings', (socket) => socket.send({ type: 'ping' }), 4408],
    [
      'introduces itself twice',
      (socket) => {
        socket.send({ type: 'connection_init' });
        socket.send({ type: 'connection_init' });
      },
      4429,
    ],
    ['subscribes first', (socket) => socket.subscribe('1', watching), 4401],
    [
      'uses an id twice',
      (socket) => {
        socket.send({ type: 'connection_init' });
        setTimeout(() => {
          socket.subscribe('1', watching);
          socket.subscribe('1', watching);
        }, 50);
      },
      4409,
    ],
    ['sends 65 kB', (socket) => socket.send(`"${'x'.repeat(65 * 1024)}"`), 1009],
    ['sends no JSON', (socket) => socket.send('{{{'), 4400],
    ['sends a list 10,000 deep', (socket) => socket.send('['.repeat(10_000) + ']'.repeat(10_000)), 4400],
    [
      'floods with pings',
      (socket) => {
        for (let count = 0; count < 1_000; count += 1) socket.send({ type: 'ping' });
      },
      1008,
    ],
  ])('one that %s', async (_, attack, code) => {
    const socket = await opened();
    attack(socket);
    expect((await socket.closed).code).toBe(code);
  });

  test('one that sends bytes', async () => {
    const socket = new WebSocket(url(), 'graphql-transport-ws');
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send(Buffer.from([0, 255, 1]));
    expect(await closed).toBe(4400);
  });

  test('an eleventh subscription is refused, ten go on', async () => {
    const socket = await Socket.open(platform);
    for (let id = 1; id <= 11; id += 1) socket.subscribe(String(id), watching);
    expect(await socket.next('error', '11')).toMatchObject({
      payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
    });
    await until(() => platform.world.sources > 0);
    platform.world.add('ten');
    for (let count = 0; count < 10; count += 1) await socket.next('next');
    await socket.close();
  });

  test('a page elsewhere, and another protocol, get no socket', async () => {
    await expect(new Socket(platform, { origin: 'https://evil.example' }).opened()).rejects.toThrow('403');
    await expect(new Socket(platform, { origin: 'null' }).opened()).rejects.toThrow('403');
    await expect(new Socket(platform, { protocol: 'graphql-ws' }).opened()).rejects.toThrow();
  });
});

describe('whose right ends mid-stream [48]', () => {
  test('an ended session: its socket closes within five seconds, and its token is refused', async () => {
    const token = await platform.token({ sid: 'ending' });
    const other = await Socket.open(platform, { authorization: `Bearer ${await platform.token()}` });
    const socket = await Socket.open(platform, { authorization: `Bearer ${token}` });
    for (const each of [socket, other]) each.subscribe('1', watching);
    await until(() => platform.world.sources > 0);
    const since = performance.now();
    platform.world.endedSessions.push('ending');
    expect((await socket.closed).code).toBe(4403);
    expect(performance.now() - since).toBeLessThan(5_000);
    expect((await attacker.post({ query: '{ whoAmI }' }, token)).status).toBe(401);
    platform.world.add('still there');
    await other.next('next', '1');
    await other.close();
  });

  test('an expired token: its socket closes', async () => {
    const authorization = `Bearer ${await platform.token({}, 1)}`;
    const socket = await Socket.open(platform, { authorization });
    socket.subscribe('1', watching);
    expect((await socket.closed).code).toBe(4403);
  });
});

describe('who takes nothing, or comes with everybody [49]', () => {
  test('a reader that stops reading is closed, and memory stays flat', async () => {
    const more = memory('a slow reader of 500 events of 4 kB a second');
    const slow = await Socket.open(platform);
    slow.subscribe('1', watching);
    await until(() => platform.world.sources > 0);
    slow.pause();
    const text = 'x'.repeat(4_096);
    let events = 0;
    const told = setInterval(() => {
      for (let count = 0; count < 10; count += 1) platform.world.add(text);
      events += 10;
    }, 20);
    await until(() => platform.world.sources === 0).finally(() => clearInterval(told));
    expect(events).toBeGreaterThan(0);
    expect(more()).toBeLessThan(100);
    slow.resume();
    await slow.closed;
  });

  test('of a storm of connections some are told to come back later, and everybody is served in the end', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = new Socket(platform);
        const open = await socket.opened().then(
          () => true,
          () => false,
        );
        if (open) socket.send({ type: 'connection_init' });
        let how = 0;
        void socket.closed.then(({ code }) => {
          how = code;
        });
        await until(() => how !== 0 || socket.unread > 0);
        if (how === 0) await socket.close();
        return how;
      }),
    );
    const counted = (code: number) => outcomes.filter((how) => how === code).length;
    expect(counted(0) + counted(1000)).toBeGreaterThan(0);
    expect(counted(1013)).toBeGreaterThan(0);
    // On a busy machine some of these clients are too slow to introduce themselves.
    expect(counted(0) + counted(1000) + counted(1013) + counted(4408)).toBe(outcomes.length);
    await until(async () => {
      const socket = new Socket(platform);
      await socket.opened();
      socket.send({ type: 'connection_init' });
      const acknowledged = await Promise.race([
        socket.closed.then(() => false),
        until(() => socket.unread > 0).then(
          () => true,
          () => false,
        ),
      ]);
      if (acknowledged) await socket.close();
      return acknowledged;
    });
  });
});
