/** A client that follows a parcel whatever happens: it reconnects, resumes after its cursor, and keeps what it saw. */
import { createClient, type Client as SocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Client } from './client.ts';

const document = `subscription Follow($shipmentId: ID!, $after: String) {
  trackingEvents(shipmentId: $shipmentId, after: $after) { id cursor shipment { id createdAt } }
}`;

interface Event {
  readonly trackingEvents: { readonly id: string; readonly cursor: string };
}

const PAUSE = 300;

export class Follower {
  /** Ids of the events, as they came. */
  readonly seen: string[] = [];
  connections = 0;
  readonly #client: Client;
  readonly #shipmentId: string;
  #cursor = '';
  #socket: SocketClient | undefined;
  #stopped = false;

  constructor(client: Client, shipmentId: string) {
    this.#client = client;
    this.#shipmentId = shipmentId;
    this.#follow();
  }

  #follow(): void {
    if (this.#stopped) return;
    this.connections += 1;
    const socket = createClient({
      url: this.#client.url.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ authorization: `Bearer ${await this.#client.accessToken()}` }),
      retryAttempts: 0,
      keepAlive: 5_000,
    });
    this.#socket = socket;
    let over = false;
    const again = (): void => {
      if (over) return;
      over = true;
      void socket.dispose();
      setTimeout(() => this.#follow(), PAUSE * (0.5 + Math.random()));
    };
    let unanswered: NodeJS.Timeout | undefined;
    // What is cut without a word, as by a killed peer, is noticed by its silence.
    socket.on('ping', (received) => {
      if (!received) unanswered = setTimeout(() => socket.terminate(), 3_000);
    });
    socket.on('pong', () => clearTimeout(unanswered));
    socket.on('closed', () => clearTimeout(unanswered));
    socket.subscribe(
      { query: document, variables: { shipmentId: this.#shipmentId, after: this.#cursor } },
      {
        next: ({ data }) => {
          if (over) return;
          // What is joined to an event could not be had, and the event with it: it is asked for again.
          if (!data) return again();
          const { id, cursor } = (data as unknown as Event).trackingEvents;
          this.seen.push(id);
          this.#cursor = cursor;
        },
        error: again,
        complete: again,
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    void this.#socket?.dispose();
  }

  /** Whether it has got to the end of its log. */
  reached(log: ReadonlyMap<string, readonly string[]>): boolean {
    return this.seen.at(-1) === log.get(this.#shipmentId)?.at(-1);
  }

  /** Whether what it saw is the log. */
  saw(log: ReadonlyMap<string, readonly string[]>): boolean {
    return JSON.stringify(this.seen) === JSON.stringify(log.get(this.#shipmentId));
  }

  /** Where it first differs from the log, for a person. */
  difference(log: ReadonlyMap<string, readonly string[]>): string {
    const truth = log.get(this.#shipmentId) ?? [];
    const at = truth.findIndex((id, index) => this.seen[index] !== id);
    const repeated = this.seen.length - new Set(this.seen).size;
    const unknown = this.seen.filter((id) => !truth.includes(id)).length;
    const missed = truth.filter((id) => !this.seen.includes(id)).length;
    return `${this.#shipmentId}: saw ${this.seen.length} of ${truth.length}, differs at ${at}: ${repeated} repeated, ${unknown} not in the log, ${missed} missed`;
  }
}
