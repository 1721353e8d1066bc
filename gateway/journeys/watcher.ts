/** Somebody who follows a parcel live, is cut off now and then, and resumes where they were. */
import { print } from 'graphql';
import type { Client as SocketClient } from 'graphql-ws';
import {
  TrackingEventsDocument,
  type TrackingEventsSubscription,
} from '../../schema/operations/operations.generated.ts';
import type { Client } from './client.ts';

export type SeenEvent = TrackingEventsSubscription['trackingEvents'];

export class Watcher implements AsyncDisposable {
  readonly seen: SeenEvent[] = [];
  readonly faults: unknown[] = [];
  readonly #client: Client;
  readonly #shipmentId: string;
  readonly #onEvent: (event: SeenEvent) => void;
  #socket: SocketClient | undefined;
  #ring = (): void => {};
  #patience = 50;

  constructor(client: Client, shipmentId: string, onEvent: (event: SeenEvent) => void = () => {}) {
    this.#client = client;
    this.#shipmentId = shipmentId;
    this.#onEvent = onEvent;
  }

  /** Begins to watch from the beginning of the log, or resumes after the last event seen. */
  watch(): void {
    const socket = this.#client.socket();
    this.#socket = socket;
    const variables = { shipmentId: this.#shipmentId, after: this.seen.at(-1)?.cursor ?? '' };
    socket.subscribe<TrackingEventsSubscription>(
      { query: print(TrackingEventsDocument), variables },
      {
        next: ({ data, errors }) => {
          if (socket !== this.#socket) return;
          if (errors) this.faults.push(...errors);
          if (!data) return;
          this.seen.push(data.trackingEvents);
          this.#onEvent(data.trackingEvents);
          this.#ring();
        },
        error: (error) => {
          if (socket !== this.#socket) return;
          if (this.#isTooEarly(error)) {
            setTimeout(() => this.#again(socket), 200);
            return;
          }
          this.faults.push(error);
          this.#ring();
        },
        complete: () => {},
      },
    );
  }

  /** Custody hears of a shipment a moment after it was submitted; who watches at once asks again for a while. */
  #isTooEarly(error: unknown): boolean {
    this.#patience -= 1;
    return (
      this.seen.length === 0 && this.#patience > 0 && JSON.stringify(error).includes('SHIPMENT_NOT_FOUND')
    );
  }

  #again(socket: SocketClient): void {
    if (socket !== this.#socket) return;
    void socket.dispose();
    this.watch();
  }

  /** Goes away without a word. */
  async cut(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.terminate();
    await socket?.dispose();
  }

  /** Waits for an event of a type; throws after ten seconds or on a fault. */
  async until(type: SeenEvent['type']): Promise<void> {
    const deadline = AbortSignal.timeout(10_000);
    while (!this.seen.some((event) => event.type === type)) {
      if (this.faults.length > 0) throw new Error(`watching failed: ${JSON.stringify(this.faults)}`);
      if (deadline.aborted)
        throw new Error(`no ${type} among ${this.seen.map((event) => event.type).join(', ')}`);
      await new Promise<void>((resolve) => {
        this.#ring = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }
}
