/**
 * The suite's world: stores, each with its own events, and products and people that the events refer to. Cases
 * use stores and ids of their own, so that one case never sees another's events; what they steer is undone by
 * `reset`.
 */
import { GraphQLError } from 'graphql';
import { Channel } from './channel.ts';
import { type SubgraphName, schemas } from './schemas.ts';
import { type Caller, SubgraphServer } from './subgraph-server.ts';

export interface Order {
  readonly number: number;
  readonly note?: string | null;
  /** Ids; what an order does not name is null. */
  readonly product?: string;
  readonly products?: readonly (string | null)[];
  readonly buyer?: string;
  readonly subject?: Entity;
  readonly subjects?: readonly Entity[];
}

export interface Entity {
  readonly __typename: 'Product' | 'Person';
  readonly id: string;
}

export interface PriceChange {
  readonly price: number;
  readonly product?: string;
}

export interface Activity {
  readonly __typename: 'Sale' | 'Signup';
  readonly number: number;
  readonly by?: string;
  readonly product?: string;
  readonly invitedBy?: string;
}

export interface StatusChange {
  readonly status: string;
  readonly person?: string;
  readonly product?: string;
}

/** The event channels of one store. */
export class Store {
  readonly orders = new Channel<Order | null>();
  readonly prices = new Channel<PriceChange>();
  readonly activities = new Channel<Activity>();
  readonly statuses = new Channel<StatusChange>();
  readonly #all = [this.orders, this.prices, this.activities, this.statuses];

  /** Upstream subscriptions that gateways hold on this store now. */
  get watching(): number {
    return this.#all.reduce((sum, { watching }) => sum + watching, 0);
  }

  /** Upstream subscriptions that were ever opened on this store. */
  get opened(): number {
    return this.#all.reduce((sum, { opened }) => sum + opened, 0);
  }

  /** Places orders with the next numbers; the first order of a store is number 1. */
  place(...orders: Omit<Order, 'number'>[]): void {
    const first = this.orders.log.length + 1;
    this.orders.emit(...orders.map((order, index) => ({ number: first + index, ...order })));
  }
}

/** The cursor of an order, made of its number. */
export const cursorOf = (number: number): string => `order-${number}`;

export class Shop implements AsyncDisposable {
  readonly #stores = new Map<string, Store>();
  readonly #broken = new Set<string>();
  readonly #missing = new Set<string>();
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #fetches = new Map<string, number>();
  readonly subgraphs: Readonly<Record<SubgraphName, SubgraphServer>>;
  #prefixes = 0;

  private constructor(options: { host: string; firstPort: number }) {
    const serve = (name: SubgraphName, resolvers: object, index: number) =>
      new SubgraphServer({
        typeDefs: schemas[name],
        resolvers,
        host: options.host,
        port: options.firstPort === 0 ? 0 : options.firstPort + index,
      });
    this.subgraphs = {
      orders: serve('orders', this.#orders(), 0),
      products: serve('products', this.#products(), 1),
      people: serve('people', this.#people(), 2),
    };
  }

  /** On consecutive ports, or, with 0, on any that are free. */
  static async open(options: { host: string; firstPort: number }): Promise<Shop> {
    const shop = new Shop(options);
    for (const subgraph of Object.values(shop.subgraphs)) await subgraph.start();
    return shop;
  }

  /** For names that nobody else uses. */
  newPrefix(): string {
    this.#prefixes += 1;
    return `c${this.#prefixes}`;
  }

  store(name: string): Store {
    const store = this.#stores.get(name) ?? new Store();
    this.#stores.set(name, store);
    return store;
  }

  /** Every field but the id of this product or person fails. */
  break(id: string): void {
    this.#broken.add(id);
  }

  repair(id: string): void {
    this.#broken.delete(id);
  }

  /** There is no such product or person. */
  remove(id: string): void {
    this.#missing.add(id);
  }

  /** The product or person is not told before the returned function is called. */
  hold(id: string): () => void {
    const gate = Promise.withResolvers<void>();
    this.#gates.set(id, gate);
    return () => {
      this.#gates.delete(id);
      gate.resolve();
    };
  }

  /** How often a gateway asked for this product or person. */
  fetches(id: string): number {
    return this.#fetches.get(id) ?? 0;
  }

  /** Everything works again; what was held goes on. */
  async reset(): Promise<void> {
    this.#broken.clear();
    this.#missing.clear();
    for (const gate of this.#gates.values()) gate.resolve();
    this.#gates.clear();
    for (const subgraph of Object.values(this.subgraphs)) {
      subgraph.fault = undefined;
      if (!subgraph.running) await subgraph.start();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subgraph of Object.values(this.subgraphs)) await subgraph.stop();
  }

  async #entity<Key extends { id: string }>(key: Key): Promise<Key | null> {
    this.#fetches.set(key.id, this.fetches(key.id) + 1);
    await this.#gates.get(key.id)?.promise;
    return this.#missing.has(key.id) ? null : key;
  }

  #told<Value>(id: string, value: Value): Value {
    if (this.#broken.has(id))
      throw new GraphQLError(`${id} is broken`, { extensions: { code: 'OUT_OF_ORDER' } });
    return value;
  }

  #orders(): object {
    const reference = (__typename: string, id: string | null | undefined) => (id ? { __typename, id } : null);
    const watch = (store: string, after: string | null | undefined) => {
      const { orders } = this.store(store);
      if (after === null || after === undefined) return orders.watch();
      if (after === '') return orders.watch(0);
      const [, number] = /^order-(\d+)$/.exec(after) ?? [];
      if (!number || Number(number) > orders.log.length)
        throw new GraphQLError('The cursor is not of this store', { extensions: { code: 'CURSOR_INVALID' } });
      return orders.watch(Number(number));
    };
    const itself = (event: unknown) => event;
    return {
      Query: {
        lastOrder: (_: unknown, { store }: { store: string }) => this.store(store).orders.log.at(-1) ?? null,
      },
      Subscription: {
        orderPlaced: {
          subscribe: (_: unknown, { store, after }: { store: string; after?: string | null }) =>
            watch(store, after),
          resolve: itself,
        },
        requiredOrder: {
          subscribe: (_: unknown, { store }: { store: string }) => watch(store, null),
          resolve: itself,
        },
        priceChanged: {
          subscribe: (_: unknown, args: { store: string; filter?: PriceFilter | null }) =>
            filtered(this.store(args.store).prices.watch(), (change) => passes(change, args.filter)),
          resolve: itself,
        },
        activity: {
          subscribe: (_: unknown, { store }: { store: string }) => this.store(store).activities.watch(),
          resolve: itself,
        },
        countdown: {
          subscribe: (_: unknown, { from }: { store: string; from: number }) => {
            const channel = new Channel<number>();
            const watcher = channel.watch();
            channel.emit(...Array.from({ length: from }, (_, passed) => from - passed));
            channel.end();
            return watcher;
          },
          resolve: itself,
        },
        caller: {
          subscribe: (_: unknown, { store }: { store: string }) => this.store(store).prices.watch(),
          resolve: (_event: unknown, _args: object, caller: Caller) => JSON.stringify(caller),
        },
      },
      Order: {
        cursor: ({ number }: Order) => cursorOf(number),
        legacy: ({ number }: Order) => `legacy ${number}`,
        product: ({ product }: Order) => reference('Product', product),
        products: ({ products }: Order) => products?.map((id) => reference('Product', id)) ?? null,
        requiredProduct: ({ product }: Order) => reference('Product', product),
        buyer: ({ buyer }: Order) => reference('Person', buyer),
        fragile: ({ note }: Order) => {
          if (note === 'broken')
            throw new GraphQLError('The order is broken', { extensions: { code: 'OUT_OF_ORDER' } });
          return 'whole';
        },
      },
      Product: { __resolveReference: (key: { id: string }) => key, label: () => 'by orders' },
      PriceChange: { product: ({ product }: PriceChange) => reference('Product', product) },
      Sale: {
        by: ({ by }: Activity) => reference('Person', by),
        product: ({ product }: Activity) => reference('Product', product),
      },
      Signup: {
        by: ({ by }: Activity) => reference('Person', by),
        invitedBy: ({ invitedBy }: Activity) => reference('Person', invitedBy),
      },
    };
  }

  #products(): object {
    const name = ({ id }: { id: string }) => this.#told(id, `name of ${id}`);
    return {
      Query: { product: (_: unknown, { id }: { id: string }) => ({ id }) },
      Product: {
        __resolveReference: (key: { id: string }) => this.#entity(key),
        name,
        requiredName: name,
        price: ({ id }: { id: string }) => this.#told(id, priceOf(id)),
        maker: ({ id }: { id: string }) => this.#told(id, { id: `maker of ${id}` }),
        weight: ({ id }: { id: string }) => this.#told(id, id.length),
        rating: () => 'by products',
        label: () => 'by products',
      },
    };
  }

  #people(): object {
    return {
      Query: { person: (_: unknown, { id }: { id: string }) => ({ id }) },
      Subscription: {
        statusChanged: {
          subscribe: (_: unknown, { store }: { store: string }) => this.store(store).statuses.watch(),
          resolve: (event: unknown) => event,
        },
      },
      StatusChange: {
        person: ({ person }: StatusChange) => (person ? { id: person } : null),
        product: ({ product }: StatusChange) => (product ? { id: product } : null),
      },
      Person: {
        __resolveReference: (key: { id: string }) => this.#entity(key),
        name: ({ id }: { id: string }) => this.#told(id, `name of ${id}`),
        favourite: ({ id }: { id: string }) => this.#told(id, { id: `favourite of ${id}` }),
        friends: ({ id }: { id: string }) =>
          this.#told(id, [{ id: `first of ${id}` }, { id: `second of ${id}` }]),
      },
      Product: {
        __resolveReference: (key: { id: string }) => key,
        tax: ({ price }: { price?: number | null }) => (price == null ? null : price / 10),
        rating: () => 'by people',
      },
    };
  }
}

export const priceOf = (id: string): number => id.length * 100;

interface PriceFilter {
  readonly atLeast?: number | null;
  readonly oneOf?: readonly number[] | null;
}

const passes = ({ price }: PriceChange, filter: PriceFilter | null | undefined): boolean =>
  price >= (filter?.atLeast ?? price) && (filter?.oneOf?.includes(price) ?? true);

function filtered<Event>(
  source: AsyncIterableIterator<Event>,
  passing: (event: Event) => boolean,
): AsyncIterableIterator<Event> {
  const iterator: AsyncIterableIterator<Event> = {
    next: async () => {
      let step = await source.next();
      while (!step.done && !passing(step.value)) step = await source.next();
      return step;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
