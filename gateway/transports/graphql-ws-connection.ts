/** The server's end of graphql-transport-ws for one socket. */
import type { Socket } from 'node:net';
import canonicalize from 'canonicalize';
import type { GraphQLFormattedError } from 'graphql';
import { CloseCode, type Message, MessageType, type SubscribePayload, validateMessage } from 'graphql-ws';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import { newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { GOING_AWAY, STALLED } from '#shared/runtime/server/graphql-socket.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import type { Caller, Policy } from '../policy/policy.ts';
import { type Places, personOf, retryAfter } from '../subscriptions/connection-limits.ts';
import type { SubscriptionDesk } from '../subscriptions/desk.ts';
import type { ReadyEvent } from '../subscriptions/event-log.ts';
import type { Follower, Outlet } from '../subscriptions/follower.ts';
import { StallWatch } from '../subscriptions/rounds.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface ConnectionOptions {
  readonly config: GatewayConfig;
  readonly policy: Policy;
  readonly desk: SubscriptionDesk;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Peer {
  readonly socket: WebSocket;
  /** Under the WebSocket: tells what the peer has taken. */
  readonly wire: Socket;
  readonly address: string;
  readonly places: Places;
}

type Payload = Readonly<Record<string, unknown>>;

/** A peer that has not gone so long after it was closed is cut. */
const CLOSE_GRACE = 5_000;
/** Every event repeats the id of its subscription. */
const LONGEST_ID = 256;
/** How many times the backlog for events may wait in all, before a peer that goes on asking is closed. */
const ANSWERS = 8;
/** Our own close codes, beside those of graphql-ws; `1008` tells a client not to come back by itself. */
const FLOODING = { code: 1008, reason: 'Too many messages' };
const INVALID = { code: CloseCode.BadRequest, reason: 'Invalid message received' };
const FORBIDDEN = { code: CloseCode.Forbidden, reason: 'Forbidden' };

/** `1013`: come back, but not now. */
export const tryLater = (code: string) => ({
  code: 1013,
  reason: JSON.stringify({ code, retryAfter: retryAfter() }),
});

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #peer: Peer;
  readonly #gone: () => void;
  readonly #subscriptions = new Map<string, SocketSubscription>();
  readonly #stall = new StallWatch();
  readonly #openedAt = performance.now();
  #initialised = false;
  /** Once acknowledged. */
  #caller: Caller | undefined;
  #stopWatching: (() => void) | undefined;
  #answered = true;
  #pingedAt = this.#openedAt;
  #closedAt: number | undefined;
  #second = 0;
  #messages = 0;
  #subscribes = 0;

  /** `gone` is called once, when nothing is left to be looked after. */
  constructor(options: ConnectionOptions, peer: Peer, gone: () => void) {
    this.#options = options;
    this.#peer = peer;
    this.#gone = gone;
    const { socket } = peer;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#count());
    socket.on('pong', () => {
      this.#answered = true;
    });
    socket.on('error', (err) => options.logger.debug({ err }, 'socket error'));
    socket.once('close', () => {
      this.#end();
      this.#gone();
    });
  }

  get unsent(): number {
    return this.#peer.socket.bufferedAmount;
  }

  send(text: string): void {
    const { socket } = this.#peer;
    // What is sent at one instant waits for nothing: neither callback nor promise.
    if (socket.readyState === socket.OPEN) socket.send(text);
  }

  close({ code, reason }: { readonly code: number; readonly reason: string }): void {
    if (this.#closedAt !== undefined) return;
    this.#closedAt = performance.now();
    this.#end();
    this.#peer.socket.close(code, reason);
  }

  /** Tells the client to reconnect elsewhere. */
  goAway(): void {
    this.close(GOING_AWAY);
  }

  /** Without waiting for the peer. */
  cut(): void {
    this.#peer.socket.terminate();
  }

  /** Ends what runs, at once: not only when the peer has answered the close. */
  #end(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#peer.places.leave();
    for (const subscription of this.#subscriptions.values()) subscription.follower?.leave();
    this.#subscriptions.clear();
  }

  /** Everything that is a matter of time. */
  visit(now: number): void {
    const { socket, wire } = this.#peer;
    const { SOCKET_STALL, SOCKET_PING, SOCKET_INIT_TIMEOUT } = this.#options.config;
    if (this.#closedAt !== undefined) {
      if (now - this.#closedAt > CLOSE_GRACE) socket.terminate();
    } else if (!this.#initialised && now - this.#openedAt > SOCKET_INIT_TIMEOUT) {
      const { ConnectionInitialisationTimeout: code } = CloseCode;
      this.close({ code, reason: 'Connection initialisation timeout' });
    } else if (this.#stall.stalled(wire, now, SOCKET_STALL)) this.close(STALLED);
    else if (this.#hasExpired()) this.close({ ...FORBIDDEN, reason: 'Token expired' });
    else if (now - this.#pingedAt > SOCKET_PING) this.#ping(now);
  }

  #hasExpired(): boolean {
    const expiry = this.#caller?.expiresAt;
    return expiry ? expiry.getTime() <= this.#options.clock.now().getTime() : false;
  }

  #ping(now: number): void {
    const { socket } = this.#peer;
    if (!this.#answered) {
      socket.terminate();
      return;
    }
    this.#answered = false;
    this.#pingedAt = now;
    if (socket.readyState === socket.OPEN) socket.ping();
  }

  /** False, and closed, where the peer sends too much. */
  #count(): boolean {
    this.#answered = true;
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#messages = 0;
      this.#subscribes = 0;
    }
    this.#messages += 1;
    if (this.#messages <= this.#options.config.MESSAGES_PER_SECOND) return true;
    this.close(FLOODING);
    return false;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#closedAt !== undefined || !this.#count()) return;
    // Answers to what it sends must not heap up either.
    if (this.unsent > ANSWERS * this.#options.config.CLIENT_BACKLOG) {
      this.close(STALLED);
      return;
    }
    const message = isBinary ? undefined : read(String(data));
    if (!message) {
      this.close(INVALID);
      return;
    }
    this.#handle(message).catch((err: unknown) => {
      this.#options.logger.error({ err }, 'a socket message failed');
      this.close({ code: CloseCode.InternalServerError, reason: 'Internal server error' });
    });
  }

  async #handle(message: Message): Promise<void> {
    switch (message.type) {
      case MessageType.ConnectionInit:
        return this.#initialise(message.payload ?? {});
      case MessageType.Ping:
        return this.#pong(message.payload);
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        return this.#subscribe(message.id, message.payload);
      case MessageType.Complete:
        this.#subscriptions.get(message.id)?.follower?.leave();
        this.#subscriptions.delete(message.id);
        return;
      default:
        this.close(INVALID);
    }
  }

  async #initialise(payload: Payload): Promise<void> {
    if (this.#initialised) {
      const { TooManyInitialisationRequests: code } = CloseCode;
      this.close({ code, reason: 'Too many initialisation requests' });
      return;
    }
    this.#initialised = true;
    const caller = await this.#identify(payload);
    if (!caller) this.close(FORBIDDEN);
    else if (!this.#takePlaces(caller, payload.deviceId)) this.close(tryLater('TOO_MANY_CONNECTIONS'));
    else if (this.#closedAt === undefined) {
      this.#become(caller);
      this.send(`{"type":"${MessageType.ConnectionAck}"}`);
    }
  }

  async #identify({ authorization, apiKey }: Payload): Promise<Caller | undefined> {
    const { policy, logger } = this.#options;
    const text = (value: unknown) => (value === undefined || value === null ? undefined : String(value));
    try {
      return await policy.identify({
        authorization: text(authorization),
        apiKey: text(apiKey),
        address: this.#peer.address,
      });
    } catch (err) {
      logger.debug({ err }, 'a socket was refused');
      return undefined;
    }
  }

  #takePlaces({ viewer }: Caller, deviceId: unknown): boolean {
    const { places } = this.#peer;
    const person = personOf(viewer);
    if (person !== undefined && !places.take('user', person)) return false;
    return typeof deviceId !== 'string' || places.take('device', deviceId.slice(0, LONGEST_ID));
  }

  #become(caller: Caller): void {
    this.#stopWatching?.();
    this.#caller = caller;
    this.#stopWatching = this.#options.policy.onRevoked(caller, () =>
      this.close({ ...FORBIDDEN, reason: 'Session ended' }),
    );
  }

  async #pong(payload: Payload | undefined): Promise<void> {
    if (this.#caller && payload && 'authorization' in payload) await this.#refresh(this.#caller, payload);
    this.send(JSON.stringify({ type: MessageType.Pong, ...(payload ? { payload } : {}) }));
  }

  /**
   * A fresh token in time keeps the socket open. It must say the same of the same viewer: what runs here was
   * admitted for that one, and whoever may do more or less now has to reconnect and resume.
   */
  async #refresh(before: Caller, payload: Payload): Promise<void> {
    const fresh = await this.#identify(payload);
    if (this.#closedAt !== undefined) return;
    if (fresh && sameRights(before, fresh)) this.#become(fresh);
    else this.close(FORBIDDEN);
  }

  async #subscribe(id: string, payload: SubscribePayload): Promise<void> {
    const caller = this.#caller;
    if (!caller) {
      this.close({ code: CloseCode.Unauthorized, reason: 'Unauthorized' });
      return;
    }
    if (this.#subscriptions.has(id)) {
      const { SubscriberAlreadyExists: code } = CloseCode;
      this.close({ code, reason: `Subscriber for ${id.slice(0, 60)} already exists` });
      return;
    }
    const subscription = new SocketSubscription(this, id);
    const { config, desk, telemetry } = this.#options;
    this.#subscribes += 1;
    if (this.#subscribes > config.SUBSCRIBES_PER_SECOND)
      return subscription.refuse('RATE_LIMITED', 'Too much at once: try again later');
    if (this.#subscriptions.size >= config.SUBSCRIPTIONS_PER_SOCKET)
      return subscription.refuse('TOO_MANY_SUBSCRIPTIONS', 'Too many subscriptions on this connection');
    this.#subscriptions.set(id, subscription);
    const requestId = newId();
    const traceparent = payload.extensions?.traceparent;
    const observer = telemetry.request({ transport: 'websocket', requestId, traceparent });
    const admitted = await desk.admit({ ...requestOf(payload), requestId, observer }, caller);
    if ('length' in admitted) observer?.failed(admitted);
    observer?.end();
    // The client may have completed it meanwhile, and even used its id again, or be gone.
    if (this.#subscriptions.get(id) !== subscription) return;
    if ('length' in admitted) subscription.fail(admitted);
    else subscription.follower = desk.follow(admitted, subscription);
  }

  /** A subscription has ended by itself: its id is free again. */
  forget(id: string): void {
    this.#subscriptions.delete(id);
  }
}

/** One subscription of a socket. The frame of an event is its ready payload between a head and a brace. */
class SocketSubscription implements Outlet {
  /** Many clients give their subscription the same id: for them an event is one frame, put together once. */
  static #latest: { readonly event: ReadyEvent; readonly head: string; readonly frame: string } | undefined;

  readonly #connection: Connection;
  readonly #id: string;
  readonly #head: string;
  follower: Follower | undefined;

  constructor(connection: Connection, id: string) {
    this.#connection = connection;
    this.#id = id;
    this.#head = `{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`;
  }

  get unsent(): number {
    return this.#connection.unsent;
  }

  next(event: ReadyEvent): void {
    const head = this.#head;
    let latest = SocketSubscription.#latest;
    if (latest?.event !== event || latest.head !== head) {
      latest = { event, head, frame: `${head}${event.payload}}` };
      SocketSubscription.#latest = latest;
    }
    this.#connection.send(latest.frame);
  }

  fail(errors: readonly GraphQLFormattedError[]): void {
    this.#tell({ id: this.#id, type: MessageType.Error, payload: errors });
    this.#connection.forget(this.#id);
  }

  complete(): void {
    this.#tell({ id: this.#id, type: MessageType.Complete });
    this.#connection.forget(this.#id);
  }

  /** Before it has taken its id. */
  refuse(code: string, message: string): void {
    this.#tell({ id: this.#id, type: MessageType.Error, payload: [{ message, extensions: { code } }] });
  }

  #tell(message: object): void {
    this.#connection.send(JSON.stringify(message));
  }
}

/** A message of the protocol, `undefined` for anything else. A document's id may stand in for its text. */
function read(text: string): Message | undefined {
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown; payload?: Payload | null } | null;
    if (typeof message?.id === 'string' && message.id.length > LONGEST_ID) return undefined;
    const { payload } = message ?? {};
    const byId =
      message?.type === MessageType.Subscribe && payload?.query === undefined && documentIdOf(payload);
    return validateMessage(byId ? { ...message, payload: { ...payload, query: '' } } : message);
  } catch {
    return undefined;
  }
}

function documentIdOf(payload: Payload | null | undefined): string | undefined {
  const extensions = payload?.extensions as { persistedQuery?: { sha256Hash?: unknown } } | null | undefined;
  const id = payload?.documentId ?? extensions?.persistedQuery?.sha256Hash;
  return typeof id === 'string' ? id : undefined;
}

function requestOf(payload: SubscribePayload) {
  const { query, operationName, variables, extensions } = payload;
  const { lastEventId } = (extensions ?? {}) as { lastEventId?: unknown };
  return {
    query: query === '' ? undefined : query,
    documentId: documentIdOf({ ...payload }),
    operationName,
    variables,
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
  };
}

const sameRights = (one: Caller, other: Caller): boolean =>
  canonicalize([one.viewer, one.scopes, one.contract]) ===
  canonicalize([other.viewer, other.scopes, other.contract]);
