/** Everything that can be cut is cut at random, and then each client must have seen each event once. */
import assert from 'node:assert/strict';
import { type Context, group } from '../case.ts';
import type { EventStream } from '../client/event-stream.ts';
import type { Result } from '../client/result.ts';
import type { Socket } from '../client/socket.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import type { VersionName } from '../supergraph.ts';
import { keepPlacing, subscribe } from './following.ts';
import { countTo, numbersOf } from './reading.ts';

const joined = `subscription ($store: ID!, $after: String) {
  orderPlaced(store: $store, after: $after) { number product { name } } }`;

/** A client that comes back, whatever happens, with what it saw last. */
abstract class Traveller {
  protected readonly context: Context;
  readonly seen: number[] = [];
  /** What no client must live with. */
  readonly complaints: string[] = [];

  constructor(context: Context) {
    this.context = context;
  }

  /** Travels until it has seen the order of the number that `last` resolves to. */
  async travel(last: Promise<number>): Promise<void> {
    let end = Number.POSITIVE_INFINITY;
    void last.then((number) => {
      end = number;
      // Who waits for more than there is must look up.
      if (this.seen.length >= end) this.cut();
    });
    while (this.seen.length < end && this.complaints.length === 0) {
      await this.journey(() => this.seen.length < end).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.cut();
  }

  /** Connects, and takes what comes, until something is cut. */
  protected abstract journey(going: () => boolean): Promise<void>;

  /** Loses its connection. */
  abstract cut(): void;
}

class SocketTraveller extends Traveller {
  #socket: Socket | undefined;

  protected async journey(going: () => boolean): Promise<void> {
    const socket = await this.context.connect();
    this.#socket = socket;
    while (socket.open && going()) {
      const { seen } = this;
      const after = seen.length === 0 ? '' : cursorOf(seen.length);
      const operation = subscribe(this.context, socket, after, joined);
      for (let over = false; !over && going(); ) {
        const message = await operation.any().catch((error: Error) => {
          if (socket.open && going()) this.complaints.push(`silence after ${seen.length}: ${error.message}`);
          throw error;
        });
        const result = message.payload as Result;
        over = message.type !== 'next' || (result.errors !== undefined && !result.data?.orderPlaced);
        if (!over)
          seen.push((result.data?.orderPlaced as { number?: number } | undefined)?.number ?? Number.NaN);
      }
      operation.stop();
    }
  }

  cut(): void {
    this.#socket?.terminate();
  }
}

class StreamTraveller extends Traveller {
  #stream: EventStream | undefined;
  #lastId = '';

  protected async journey(going: () => boolean): Promise<void> {
    const stream = await this.context.stream(
      { query: 'subscription ($store: ID!) { orderPlaced(store: $store, after: "") { number } }' },
      { method: 'GET', headers: this.#lastId ? { 'last-event-id': this.#lastId } : {} },
    );
    this.#stream = stream;
    while (going()) {
      const { id, result } = await stream.next();
      if (result.errors) return;
      this.seen.push(...(numbersOf([result]) as number[]));
      this.#lastId = id;
    }
  }

  cut(): void {
    this.#stream?.close();
  }
}

/** The same every time for one seed; from 0 to below 1. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Cuts at random while orders are placed; then every traveller must have seen each of them once. */
async function survive(
  context: Context,
  parts: {
    seed: number;
    steps: number;
    travellers: readonly Traveller[];
    accidents: readonly (() => unknown)[];
  },
): Promise<void> {
  const random = randomOf(parts.seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const stop = keepPlacing(context);
  const ended = Promise.withResolvers<number>();
  const journeys = parts.travellers.map((traveller) => traveller.travel(ended.promise));
  const accidents = [
    ...parts.accidents,
    () => pick(parts.travellers).cut(),
    () => pick(parts.travellers).cut(),
  ];
  for (let step = 0; step < parts.steps; step += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20 + random() * 80));
    await pick(accidents)();
  }
  const last = await stop();
  ended.resolve(last);
  await Promise.all(journeys);
  for (const { seen, complaints } of parts.travellers) {
    assert.deepEqual(complaints, []);
    assert.deepEqual(seen, countTo(last), 'each event once');
  }
}

const travellers = (count: number, traveller: () => Traveller): Traveller[] => countTo(count).map(traveller);

const sourceAccidents = ({ shop: { subgraphs } }: Context) => [
  () => subgraphs.orders.dropSockets(),
  () => subgraphs.orders.restart(),
  () => subgraphs.products.restart(),
];

export const chaos = group('chaos', [
  {
    name: 'clients-and-subgraphs',
    title: 'clients and subgraphs are cut at random, and every client sees each event once',
    needs: ['resume'],
    run: (context) =>
      survive(context, {
        seed: 1,
        steps: 30,
        travellers: travellers(8, () => new SocketTraveller(context)),
        accidents: sourceAccidents(context),
      }),
  },
  {
    name: 'event-streams',
    title: 'the same with event streams that come back by Last-Event-ID',
    needs: ['sse', 'event-cursor'],
    run: (context) =>
      survive(context, {
        seed: 2,
        steps: 30,
        travellers: travellers(8, () => new StreamTraveller(context)),
        accidents: sourceAccidents(context),
      }),
  },
  {
    name: 'new-supergraphs',
    title: 'the same under new supergraphs',
    needs: ['resume', 'reload'],
    waitsFor: 'reload',
    run: (context) => {
      const next: VersionName[] = ['weightAdded', 'ratingMoved', 'labelMoved', 'first'];
      return survive(context, {
        seed: 3,
        steps: 16,
        travellers: travellers(4, () => new SocketTraveller(context)),
        accidents: [
          ...sourceAccidents(context),
          async () => {
            const version = next.shift() ?? 'first';
            next.push(version);
            await context.publish(version);
          },
        ],
      });
    },
  },
  {
    name: 'gateway',
    title: 'the same where the gateway is killed as well',
    needs: ['resume', 'restart'],
    run: (context) => {
      const kills = ['SIGKILL' as const, 'SIGKILL' as const];
      return survive(context, {
        seed: 4,
        steps: 16,
        travellers: travellers(4, () => new SocketTraveller(context)),
        accidents: [
          ...sourceAccidents(context),
          async () => {
            const signal = kills.pop();
            if (signal) await context.target.restart?.(signal);
          },
        ],
      });
    },
  },
]);
