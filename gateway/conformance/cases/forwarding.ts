/** Who asks is told to the subgraphs, and never to be mistaken for somebody else. */
import assert from 'node:assert/strict';
import { type CaseOfGroup, type Context, group, onStore } from '../case.ts';
import { nextValue, valuesOf } from './reading.ts';

const forwarding = (each: CaseOfGroup): CaseOfGroup => ({
  ...each,
  needs: ['forwarding', ...(each.needs ?? [])],
});

const caller = onStore('caller', '');
const tokenOf = (context: Context, name: string) => `Bearer ${context.id(name)}`;

export const forwardingCases = group(
  'forwarding',
  [
    {
      name: 'connection-init',
      title: 'the `authorization` of connection_init reaches the subgraph of the events',
      run: async (context: Context) => {
        const authorization = tokenOf(context, 'alice');
        const socket = await context.connect({ authorization });
        const operation = await context.live(socket, { query: caller });
        context.store.prices.emit({ price: 1 });
        assert.match(String(await nextValue(operation)), new RegExp(authorization));
      },
    },
    {
      name: 'apart',
      title: 'clients with different credentials are told apart, however equal their subscriptions are',
      run: async (context: Context) => {
        const names = ['alice', 'bob'];
        const operations = [];
        for (const [index, name] of names.entries()) {
          const socket = await context.connect({ authorization: tokenOf(context, name) });
          operations.push(await context.live(socket, { query: caller }, index + 1));
        }
        context.store.prices.emit({ price: 1 });
        for (const [index, operation] of operations.entries()) {
          const told = String(await nextValue(operation));
          for (const [other, name] of names.entries())
            assert.equal(
              told.includes(context.id(name)),
              other === index,
              `${name} in what ${names[index]} gets`,
            );
        }
      },
    },
    {
      name: 'header',
      title: 'the Authorization header of an event stream reaches the subgraph of the events',
      needs: ['sse'] as const,
      run: async (context: Context) => {
        const authorization = tokenOf(context, 'alice');
        const stream = await context.stream({ query: caller }, { headers: { authorization } });
        await context.untilWatching(1);
        context.store.prices.emit({ price: 1 });
        assert.match(String(valuesOf(await stream.take(1))[0]), new RegExp(authorization));
      },
    },
  ].map(forwarding),
);
