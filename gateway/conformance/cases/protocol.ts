/** graphql-transport-ws to the letter. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import { isObject } from '../client/result.ts';
import { PROTOCOL, type Socket } from '../client/socket.ts';
import { dataOf, nextValue, refusalOf } from './reading.ts';

const order = '{ number }';
const countdown = 'subscription ($store: ID!) { countdown(store: $store, from: 2) }';

/** The server closes the socket with one of these codes. */
async function closes(socket: Socket, ...codes: number[]): Promise<void> {
  const { code, reason } = await socket.closing();
  assert.ok(codes.includes(code), `closed with ${codes.join(' or ')}, but it was ${code} ${reason}`);
}

const invalid = (
  name: string,
  title: string,
  send: (socket: Socket, context: Context) => void,
): CaseOfGroup => ({
  name,
  title: `${title} closes the socket with 4400`,
  run: async (context) => {
    const socket = await context.connect();
    send(socket, context);
    await closes(socket, 4400);
  },
});

/** Servers may refuse a subprotocol in the handshake already. */
const notOpened = (name: string, who: string, protocols: readonly string[]): CaseOfGroup => ({
  name,
  title: `${who} is closed with 4406, or not opened at all`,
  run: async (context) => {
    await context.connect();
    const socket = context.attempt({ protocols });
    const opened = await socket.opened().then(
      () => true,
      () => false,
    );
    if (opened) await closes(socket, 4406);
    await context.connect();
  },
});

const subscribeTo = (context: Context) => ({
  query: onStore('orderPlaced', order),
  variables: { store: context.storeName },
});

export const protocol = group('protocol', [
  {
    name: 'subprotocol-chosen',
    title: 'of several subprotocols the server chooses graphql-transport-ws',
    run: async (context) => {
      const socket = await context.dial({ protocols: ['graphql-ws', PROTOCOL] });
      assert.equal(socket.protocol, PROTOCOL);
      await socket.init();
    },
  },
  notOpened('subprotocol-missing', 'a socket without subprotocol', []),
  notOpened('subprotocol-unknown', 'a socket of another subprotocol', ['mqtt']),
  {
    name: 'ack',
    title: 'connection_init is acknowledged, with, without and with a null payload',
    run: async (context) => {
      await context.connect();
      await context.connect({ locale: 'de' });
      const socket = await context.dial();
      socket.send({ type: 'connection_init', payload: null });
      await socket.expect('connection_ack');
    },
  },
  {
    name: 'duplicate-init',
    title: 'a second connection_init closes the socket with 4429',
    run: async (context) => {
      const socket = await context.connect();
      socket.send({ type: 'connection_init' });
      await closes(socket, 4429);
    },
  },
  {
    name: 'duplicate-init-at-once',
    title: 'a second connection_init before the acknowledgement closes the socket with 4429',
    run: async (context) => {
      const socket = await context.dial();
      socket.send({ type: 'connection_init' });
      socket.send({ type: 'connection_init' });
      await closes(socket, 4429);
    },
  },
  {
    name: 'init-timeout',
    title: 'a socket that is not initialised in time is closed with 4408',
    waitsFor: 'init',
    run: async (context) => {
      const socket = await context.dial();
      const { code } = await socket.closing(context.limits.init);
      assert.equal(code, 4408);
    },
  },
  {
    name: 'subscribe-before-init',
    title: 'subscribing before connection_init closes the socket with 4401, and nothing runs',
    run: async (context) => {
      const socket = await context.dial();
      socket.subscribe(subscribeTo(context));
      await closes(socket, 4401);
      assert.equal(context.store.opened, 0, 'nothing was asked of the subgraph');
    },
  },
  {
    name: 'duplicate-id',
    title: 'an id that is in use closes the socket with 4409, and its subscriptions end upstream',
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, order);
      socket.send({ id: 'op-1', type: 'subscribe', payload: subscribeTo(context) });
      await closes(socket, 4409);
      await context.untilWatching(0);
    },
  },
  {
    name: 'duplicate-id-at-once',
    title: 'two subscriptions of one id, sent at once, close the socket with 4409',
    run: async (context) => {
      const socket = await context.connect();
      for (let times = 0; times < 2; times += 1)
        socket.send({ id: 'same', type: 'subscribe', payload: subscribeTo(context) });
      await closes(socket, 4409);
      await context.untilWatching(0);
    },
  },
  {
    name: 'same-id-on-two-sockets',
    title: 'ids belong to their socket: two sockets can use the same',
    run: async (context) => {
      const [one, other] = [await context.connect(), await context.connect()];
      const first = one.subscribe({ query: countdown, variables: { store: context.storeName } }, 'same');
      const second = other.subscribe({ query: countdown, variables: { store: context.storeName } }, 'same');
      for (const operation of [first, second]) {
        await operation.take(2);
        await operation.completed();
      }
    },
  },
  invalid('not-json', 'a text that is not JSON', (socket) => socket.send('{"type":')),
  invalid('not-an-object', 'a JSON value that is no object', (socket) => socket.send('[1,2]')),
  invalid('no-type', 'a message without type', (socket) => socket.send({ id: '1' })),
  invalid('unknown-type', 'a message of an unknown type', (socket) =>
    socket.send({ type: 'start', id: '1' }),
  ),
  invalid('no-id', 'subscribing without an id', (socket, context) =>
    socket.send({ type: 'subscribe', payload: subscribeTo(context) }),
  ),
  invalid('id-not-text', 'an id that is no text', (socket, context) =>
    socket.send({ type: 'subscribe', id: 1, payload: subscribeTo(context) }),
  ),
  invalid('no-payload', 'subscribing without a payload', (socket) =>
    socket.send({ type: 'subscribe', id: '1' }),
  ),
  invalid('query-not-text', 'a query that is no text', (socket) =>
    socket.send({ type: 'subscribe', id: '1', payload: { query: { kind: 'Document' } } }),
  ),
  invalid('variables-not-object', 'variables that are no object', (socket, context) =>
    socket.send({ type: 'subscribe', id: '1', payload: { ...subscribeTo(context), variables: '{}' } }),
  ),
  invalid('complete-without-id', 'completing without an id', (socket) => socket.send({ type: 'complete' })),
  {
    name: 'binary-frame',
    title: 'a binary frame that is no message closes the socket with 4400 or 1003',
    run: async (context) => {
      const socket = await context.connect();
      socket.sendBinary(new Uint8Array([0xff, 0x00, 0xfe, 0x7b]));
      await closes(socket, 4400, 1003);
    },
  },
  {
    name: 'invalid-before-init',
    title: 'an invalid message before connection_init closes the socket with 4400',
    run: async (context) => {
      const socket = await context.dial();
      socket.send('hello');
      await closes(socket, 4400);
    },
  },
  {
    name: 'invalid-message-ends-upstream',
    title: 'when the server closes a socket, the subscriptions of that socket end upstream',
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, order);
      socket.send('goodbye');
      await closes(socket, 4400);
      await context.untilWatching(0);
    },
  },
  {
    name: 'ping',
    title: 'a ping is answered by a pong, with or without a payload',
    run: async (context) => {
      const socket = await context.connect();
      socket.send({ type: 'ping' });
      await socket.expect('pong');
      socket.send({ type: 'ping', payload: { at: 7 } });
      const { payload } = await socket.expect('pong');
      assert.ok(
        payload === undefined || payload === null || isObject(payload),
        'the payload of a pong is an object',
      );
    },
  },
  {
    name: 'ping-before-init',
    title: 'a ping is answered before connection_init too',
    run: async (context) => {
      const socket = await context.dial();
      await socket.roundTrip();
      await socket.init();
    },
  },
  {
    name: 'pong-unasked',
    title: 'a pong that nobody asked for is taken as a sign of life',
    run: async (context) => {
      const socket = await context.connect();
      socket.send({ type: 'pong' });
      socket.send({ type: 'pong', payload: { load: 0.5 } });
      await socket.roundTrip();
    },
  },
  {
    name: 'ping-during-subscription',
    title: 'pings are answered while a join is waiting',
    run: async (context) => {
      const product = context.id('slow');
      const release = context.shop.hold(product);
      const socket = await context.connect();
      const operation = await context.watch(socket, '{ number product { name } }');
      context.store.place({ product });
      await context.until('the join has begun', () => context.shop.fetches(product) > 0);
      await socket.roundTrip();
      assert.equal(operation.answered, false, 'the event waits for its join');
      release();
      await operation.next();
    },
  },
  {
    name: 'complete-unknown-id',
    title: 'completing what is not there, or is over, is ignored',
    run: async (context) => {
      const socket = await context.connect();
      socket.send({ type: 'complete', id: 'never' });
      const operation = socket.subscribe(
        { query: countdown, variables: { store: context.storeName } },
        'over',
      );
      await operation.take(2);
      await operation.completed();
      socket.send({ type: 'complete', id: 'over' });
      await socket.roundTrip();
    },
  },
  ...(['client', 'server', 'error'] as const).map(
    (by): CaseOfGroup => ({
      name: `id-again-after-${by === 'error' ? 'error' : `${by}-complete`}`,
      title: `an id can be used again once its operation ended (${by === 'error' ? 'with an error' : `completed by the ${by}`})`,
      run: async (context) => {
        const socket = await context.connect();
        const query =
          by === 'error'
            ? 'subscription { nothing }'
            : by === 'server'
              ? countdown
              : onStore('orderPlaced', order);
        const before = socket.subscribe({ query, variables: { store: context.storeName } }, 'again');
        if (by === 'client') {
          await context.untilWatching(1);
          before.stop();
        } else if (by === 'server') {
          await before.take(2);
          await before.completed();
        } else await refusalOf(before);
        const after = socket.subscribe(
          { query: countdown, variables: { store: context.storeName } },
          'again',
        );
        assert.deepEqual((await after.take(2)).map(dataOf), [{ countdown: 2 }, { countdown: 1 }]);
        await after.completed();
      },
    }),
  ),
  {
    name: 'id-again-at-once',
    title: 'an id used again right after its complete belongs to the new operation alone',
    run: async (context) => {
      const socket = await context.connect();
      for (let times = 0; times < 5; times += 1) {
        socket.subscribe(subscribeTo(context), 'again');
        socket.complete('again');
      }
      const operation = socket.subscribe(
        { query: onStore('orderPlaced', '{ number note }'), variables: { store: context.storeName } },
        'again',
      );
      await context.untilWatching(1);
      context.store.place({ note: 'for the last' });
      assert.deepEqual(await nextValue(operation), { number: 1, note: 'for the last' });
      operation.stop();
      await context.untilWatching(0);
    },
  },
  {
    name: 'odd-ids',
    title: 'any text is an id: with spaces, accents, or of a name that languages reserve',
    run: async (context) => {
      const socket = await context.connect();
      for (const id of ['__proto__', 'constructor', 'hasOwnProperty', 'ünï ¢ode ✓', ' ', 'x'.repeat(200)]) {
        const operation = socket.subscribe({ query: countdown, variables: { store: context.storeName } }, id);
        await operation.take(2);
        await operation.completed();
      }
    },
  },
  {
    name: 'error-and-nothing-after',
    title:
      'an operation that is not valid is answered by `error`, and nothing comes after that, no complete either',
    run: async (context) => {
      const socket = await context.connect();
      const operation = socket.subscribe({ query: 'subscription { nothing }' });
      await operation.failure();
      await socket.roundTrip();
      assert.equal(operation.inbox.size, 0, 'nothing more came');
    },
  },
]);
