/** A client's side of graphql-transport-ws, message by message. */
import { WebSocket } from 'ws';
import type { Platform } from './platform.ts';

export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** All that a client knows of a platform. */
export type Reachable = Pick<Platform, 'gateway'>;

export class Socket {
  readonly #socket: WebSocket;
  readonly #received: Message[] = [];
  #waiting: (() => void) | undefined;
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(platform: Reachable, options: { origin?: string; protocol?: string } = {}) {
    this.#socket = new WebSocket(
      platform.gateway.url.replace('http', 'ws'),
      options.protocol ?? 'graphql-transport-ws',
      options.origin ? { origin: options.origin } : {},
    );
    this.closed = new Promise((resolve) =>
      this.#socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
    );
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (text) => {
      this.#received.push(JSON.parse(String(text)) as Message);
      this.#waiting?.();
    });
  }

  /** Connected and acknowledged. */
  static async open(platform: Reachable, payload?: Record<string, unknown>): Promise<Socket> {
    const socket = new Socket(platform);
    await socket.opened();
    socket.send({ type: 'connection_init', payload });
    await socket.next('connection_ack');
    return socket;
  }

  opened(): Promise<unknown> {
    return new Promise((resolve, reject) => this.#socket.once('open', resolve).once('error', reject));
  }

  send(message: object | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  /** The next message, whatever it is. */
  async any(): Promise<Message> {
    while (this.#received.length === 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const late = setTimeout(() => reject(new Error('No message came')), 8_000);
      this.#waiting = resolve;
      await promise;
      clearTimeout(late);
    }
    return this.#received.shift() as Message;
  }

  /** The next message, which must be of this type (and id). */
  async next(type: string, id?: string): Promise<Message> {
    const message = await this.any();
    if (message.type !== type || (id !== undefined && message.id !== id))
      throw new Error(`Expected ${type} ${id ?? ''}, got ${JSON.stringify(message)}`);
    return message;
  }

  async events(id: string, count: number): Promise<unknown[]> {
    const events: unknown[] = [];
    while (events.length < count) events.push((await this.next('next', id)).payload);
    return events;
  }

  get unread(): number {
    return this.#received.length;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): Promise<unknown> {
    this.#socket.close(1000);
    return this.closed;
  }
}
