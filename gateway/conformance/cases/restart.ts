/** A gateway that goes down says so, and who comes back with a cursor misses nothing. */
import assert from 'node:assert/strict';
import { type Context, group } from '../case.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import { countTo, numbersOf, repeat } from './reading.ts';

const place = (context: Context, count: number): void => context.store.place(...repeat(count, () => ({})));

/** What a client that returned with a cursor sees after the gateway was ended by this signal and started again. */
async function missesNothing(context: Context, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const socket = await context.connect();
  const query = `subscription ($store: ID!, $after: String) {
    orderPlaced(store: $store, after: $after) { number product { name } } }`;
  const before = await context.live(socket, { query });
  place(context, 3);
  const seen = numbersOf(await before.take(3));
  const closed = socket.closing(20_000);
  await context.target.restart?.(signal);
  await closed;
  await context.untilWatching(0);
  place(context, 3);
  const again = await context.connect();
  const after = again.subscribe({ query, variables: { store: context.storeName, after: cursorOf(3) } });
  seen.push(...numbersOf(await after.take(3)));
  place(context, 1);
  seen.push(...numbersOf(await after.take(1)));
  assert.deepEqual(seen, countTo(7));
}

export const restart = group('restart', [
  {
    name: 'goes-down',
    title:
      'a gateway that is told to end closes its sockets with a code, ends its streams, and leaves nothing upstream',
    needs: ['restart'],
    run: async (context) => {
      const socket = await context.connect();
      await context.watch(socket, '{ number }');
      const closed = socket.closing(20_000);
      await context.target.restart?.('SIGTERM');
      const { code } = await closed;
      assert.ok(code !== 1006, 'closed with a code, not cut');
      await context.untilWatching(0);
    },
  },
  {
    name: 'resume-after-end',
    title: 'who returns with a cursor after the gateway was ended and started again misses nothing',
    needs: ['restart', 'resume'],
    run: (context) => missesNothing(context, 'SIGTERM'),
  },
  {
    name: 'resume-after-kill',
    title: 'the same where the gateway was killed',
    needs: ['restart', 'resume'],
    run: (context) => missesNothing(context, 'SIGKILL'),
  },
  {
    name: 'streams-end',
    title: 'event streams end when the gateway ends',
    needs: ['restart', 'sse', 'event-cursor'],
    run: async (context) => {
      const stream = await context.streamOf('{ number }');
      place(context, 1);
      const { id } = await stream.next();
      await context.target.restart?.('SIGTERM');
      await context.untilWatching(0);
      await stream.completed().catch((error: Error) => assert.match(error.message, /ended|broke|"next"/));
      place(context, 1);
      const query = 'subscription ($store: ID!) { orderPlaced(store: $store) { number } }';
      const again = await context.stream({ query }, { headers: { 'last-event-id': id } });
      assert.deepEqual(numbersOf(await again.take(1)), [2]);
    },
  },
]);
