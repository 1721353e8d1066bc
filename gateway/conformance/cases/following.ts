/** Clients that follow a store's orders by cursor, and the orders that they follow. */
import type { Context } from '../case.ts';
import type { Result } from '../client/result.ts';
import type { Operation, Socket } from '../client/socket.ts';
import { cursorOf } from '../subgraphs/shop.ts';
import { numbersOf, repeat } from './reading.ts';

/** Everything behind `$after`. */
export const query = `subscription ($store: ID!, $after: String) {
  orderPlaced(store: $store, after: $after) { number cursor } }`;
export const place = (context: Context, count: number): void =>
  context.store.place(...repeat(count, () => ({})));

export const subscribe = (context: Context, socket: Socket, after: string | null, text = query): Operation =>
  socket.subscribe({ query: text, variables: { store: context.storeName, after } });

/** Places orders, a few at a time, until it is told to stop; resolves to how many there are. */
export function keepPlacing(context: Context): () => Promise<number> {
  let going = true;
  const placing = (async () => {
    while (going) {
      place(context, 3);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return context.store.orders.log.length;
  })();
  context.defer(() => {
    going = false;
  });
  return () => {
    going = false;
    return placing;
  };
}

/** A client that does what it is told: whenever its subscription ends, it subscribes again with its last cursor. */
export class Follower {
  readonly #context: Context;
  readonly #socket: Socket;
  #operation: Operation;
  readonly from: number;
  readonly seen: number[] = [];

  /** Behind the order of this number. */
  constructor(context: Context, socket: Socket, from: number) {
    this.#context = context;
    this.#socket = socket;
    this.from = from;
    this.#operation = this.#subscribe();
  }

  /** Takes what comes until it has seen the order of this number, or one beyond it. */
  async upTo(number: number): Promise<void> {
    while ((this.seen.at(-1) ?? this.from) < number) {
      const { type, payload } = await this.#operation.any();
      const result = payload as Result;
      if (type === 'next' && !result.errors) this.seen.push(numbersOf([result])[0] as number);
      else this.#operation = this.#subscribe();
    }
  }

  #subscribe(): Operation {
    const last = this.seen.at(-1) ?? this.from;
    return subscribe(this.#context, this.#socket, last === 0 ? '' : cursorOf(last));
  }
}
