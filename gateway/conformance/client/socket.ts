/**
 * A client's side of graphql-transport-ws that hides nothing: it sends what it is told to, allowed or not, and
 * notes whatever the server sends that the protocol does not allow.
 */
import { WebSocket } from 'ws';
import { Mailbox, orAfter } from './mailbox.ts';
import {
  faultOfErrors,
  faultOfResult,
  isObject,
  type Request,
  type Result,
  type ResultError,
} from './result.ts';

export const PROTOCOL = 'graphql-transport-ws';

export interface SocketOptions {
  readonly url: string;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** How long to wait for anything that is expected. Milliseconds. */
  readonly patience: number;
}

export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class Socket {
  readonly #socket: WebSocket;
  readonly #patience: number;
  readonly #operations = new Map<string, Operation>();
  /** Ids that the client completed: what is on its way for them, up to the next round trip, is no fault. */
  readonly #left = new Set<string>();
  #lastId = 0;
  /** Messages that belong to no operation. */
  readonly control = new Mailbox<Message>();
  /** What the server must not have sent. */
  readonly violations: string[] = [];
  readonly #closed: Promise<Closed>;
  #closedWith: Closed | undefined;

  constructor(options: SocketOptions) {
    this.#patience = options.patience;
    this.#socket = new WebSocket(options.url, [...(options.protocols ?? [PROTOCOL])], {
      headers: { ...options.headers },
      handshakeTimeout: options.patience,
      maxPayload: 64 * 1024 * 1024,
    });
    this.#socket.on('error', () => undefined);
    this.#closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => {
        this.#closedWith = { code, reason: String(reason) };
        const told = `the socket was closed with ${code} ${reason}`;
        this.control.close(told);
        for (const operation of this.#operations.values()) operation.inbox.close(told);
        resolve(this.#closedWith);
      });
    });
    this.#socket.on('message', (bytes, binary) => this.#receive(binary ? undefined : String(bytes)));
  }

  /** Resolves once the handshake is done; rejects where it was refused. */
  opened(): Promise<void> {
    return new Promise((resolve, reject) => this.#socket.once('open', () => resolve()).once('error', reject));
  }

  /** Sends `connection_init` and waits for the acknowledgement. */
  async init(payload?: Record<string, unknown>): Promise<void> {
    this.send({ type: 'connection_init', ...(payload && { payload }) });
    await this.expect('connection_ack');
  }

  /** The subprotocol that the server chose. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: object | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  sendBinary(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: true });
  }

  /** The next message that belongs to no operation, which must be of this type. */
  async expect(type: string): Promise<Message> {
    const message = await this.control.take(`"${type}"`, this.#patience);
    if (message.type !== type) throw new Error(`Expected "${type}", got ${JSON.stringify(message)}`);
    return message;
  }

  /** What the server had sent before it read this has arrived; what was completed before is over from now on. */
  async roundTrip(): Promise<void> {
    const left = [...this.#left];
    this.send({ type: 'ping' });
    await this.expect('pong');
    for (const id of left) this.#left.delete(id);
  }

  subscribe(request: Request, id = `op-${++this.#lastId}`): Operation {
    const operation = new Operation(id, this, this.#patience);
    this.#operations.set(id, operation);
    this.#left.delete(id);
    this.send({ id, type: 'subscribe', payload: request });
    return operation;
  }

  complete(id: string): void {
    this.#left.add(id);
    this.#operations.get(id)?.inbox.close('the client had completed it');
    this.#operations.delete(id);
    if (this.open) this.send({ id, type: 'complete' });
  }

  /** How the server closed the socket; rejects where it does not. */
  async closing(patience = this.#patience): Promise<Closed> {
    await orAfter(this.#closed, patience);
    if (!this.#closedWith)
      throw new Error(`Expected the socket to be closed, but it was not for ${patience} ms`);
    return this.#closedWith;
  }

  /** Takes nothing from the network until `resume`, as a stalled client does. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Leaves as the protocol says. */
  async close(): Promise<void> {
    if (this.#socket.isPaused) this.#socket.resume();
    this.#socket.close(1000);
    await orAfter(this.#closed, 500);
    this.#socket.terminate();
  }

  /** Leaves without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(text: string | undefined): void {
    let message: unknown;
    try {
      message = JSON.parse(text ?? '');
    } catch {
      this.violations.push(`a message that is no JSON text: ${String(text).slice(0, 80)}`);
      return;
    }
    const fault = isMessage(message) ? this.#deliver(message) : 'no message of the protocol';
    if (fault) this.violations.push(`${fault}: ${text?.slice(0, 200)}`);
  }

  /** What is wrong with the message, if anything. */
  #deliver(message: Message): string | undefined {
    const { type, id, payload } = message;
    switch (type) {
      case 'connection_ack':
      case 'ping':
      case 'pong':
        if (payload !== undefined && payload !== null && !isObject(payload))
          return 'a payload that is no object';
        if (type === 'ping') this.send({ type: 'pong' });
        else this.control.put(message);
        return undefined;
      case 'next':
      case 'error':
      case 'complete': {
        if (typeof id !== 'string') return 'a message without its id';
        const operation = this.#operations.get(id);
        if (!operation) return this.#left.has(id) ? undefined : `a message for no operation`;
        operation.inbox.put(message);
        if (type === 'next') return faultOfResult(payload);
        this.#operations.delete(id);
        operation.inbox.close(`the operation had ended with "${type}"`);
        return type === 'error' ? faultOfErrors(payload) : undefined;
      }
      default:
        return 'a message of an unknown type';
    }
  }
}

/** One operation on a socket, from `subscribe` to its end. */
export class Operation {
  readonly id: string;
  readonly inbox = new Mailbox<Message>();
  readonly #socket: Socket;
  readonly #patience: number;

  constructor(id: string, socket: Socket, patience: number) {
    this.id = id;
    this.#socket = socket;
    this.#patience = patience;
  }

  /** The next result; rejects where something else comes. */
  async next(): Promise<Result> {
    return (await this.#take('next')).payload as Result;
  }

  /** So many results, in the order in which they came. */
  async take(count: number): Promise<Result[]> {
    const results: Result[] = [];
    while (results.length < count) results.push(await this.next());
    return results;
  }

  /** The errors that ended the operation. */
  async failure(): Promise<readonly ResultError[]> {
    return (await this.#take('error')).payload as readonly ResultError[];
  }

  async completed(): Promise<void> {
    await this.#take('complete');
  }

  /** The next message of the operation, whatever it is. */
  any(): Promise<Message> {
    return this.inbox.take(`a message of ${this.id}`, this.#patience);
  }

  /** The operation is over, or something came for it. */
  get answered(): boolean {
    return this.inbox.size > 0;
  }

  /** Stops it, as the protocol says. */
  stop(): void {
    this.#socket.complete(this.id);
  }

  async #take(type: string): Promise<Message> {
    const message = await this.inbox.take(`"${type}" of ${this.id}`, this.#patience);
    if (message.type !== type)
      throw new Error(`Expected "${type}" of ${this.id}, got ${JSON.stringify(message).slice(0, 500)}`);
    return message;
  }
}

const isMessage = (value: unknown): value is Message => isObject(value) && typeof value.type === 'string';
