/** What a case of the suite is, and what it is given to work with. */
import { EventStream } from './client/event-stream.ts';
import { until } from './client/mailbox.ts';
import type { Request } from './client/result.ts';
import { type Operation, Socket, type SocketOptions } from './client/socket.ts';
import type { Shop, Store } from './subgraphs/shop.ts';
import { type SupergraphFile, untilServed, type VersionName } from './supergraph.ts';

/** What a gateway need not offer. A case that needs one that is not offered is not applicable, never passed. */
export const capabilities = {
  sse: 'server-sent events in distinct connections mode, by POST and GET',
  resume: 'an argument `after` of a subscription field begins behind that cursor, over every transport',
  'event-cursor':
    'each event whose type has a field `cursor` carries it as `extensions.cursor` (and as the id of a server-sent event); a client resumes by it alone',
  'gap-notice':
    'the first event of a subscription that was resumed and cannot be replayed has `extensions.mayHaveMissed`',
  reload: 'a changed supergraph file is taken up without a restart',
  restart:
    'the suite may end the gateway and start it again (it does so with a gateway that it started itself)',
  sharing: 'equal subscriptions of equal clients share one upstream and one completion of each event',
  forwarding:
    'the `Authorization` of the client (header, or `authorization` of `connection_init`) reaches subgraphs',
} as const;
export type Capability = keyof typeof capabilities;

/** How long the suite waits, in milliseconds. */
export interface Limits {
  /** For what should happen at once. */
  readonly patience: number;
  /** For the gateway to close a socket that was not initialised. */
  readonly init: number;
  /** For the gateway to give up on a silent subgraph. */
  readonly join: number;
  /** For a sign of life on an idle event stream. */
  readonly keepAlive: number;
  /** For the gateway to look at a changed supergraph file. */
  readonly reload: number;
}

export const defaultLimits: Limits = {
  patience: 5_000,
  init: 15_000,
  join: 20_000,
  keepAlive: 20_000,
  reload: 15_000,
};

export interface Case {
  /** `group/name`. */
  readonly id: string;
  readonly title: string;
  readonly group: string;
  readonly needs?: readonly Capability[];
  /** Which limit, beside patience, it may use up. */
  readonly waitsFor?: keyof Limits;
  readonly run: (context: Context) => Promise<void>;
}

/** A case before it knows its group. */
export type CaseOfGroup = Omit<Case, 'group' | 'id'> & { readonly name: string };

export const group = (name: string, cases: readonly CaseOfGroup[]): readonly Case[] =>
  cases.map(({ name: of, ...rest }) => ({ ...rest, group: name, id: `${name}/${of}` }));

export interface Target {
  /** Ends the gateway with this signal and starts it again at its address; resolves when it serves. */
  readonly restart?: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  /** Of the gateway's GraphQL endpoint, for HTTP and server-sent events. */
  readonly url: string;
  /** The same for WebSocket. */
  readonly socketUrl: string;
}

export class Context {
  readonly shop: Shop;
  readonly limits: Limits;
  /** A store of this case alone. */
  readonly storeName: string;
  readonly store: Store;
  readonly target: Target;
  readonly #supergraph: SupergraphFile;
  readonly #prefix: string;
  readonly #sockets: Socket[] = [];
  readonly #streams: EventStream[] = [];
  readonly #cleanUp: (() => unknown)[] = [];

  constructor(parts: {
    shop: Shop;
    limits: Limits;
    target: Target;
    supergraph: SupergraphFile;
    prefix: string;
  }) {
    this.shop = parts.shop;
    this.limits = parts.limits;
    this.target = parts.target;
    this.#supergraph = parts.supergraph;
    this.#prefix = parts.prefix;
    this.storeName = this.id('store');
    this.store = this.shop.store(this.storeName);
  }

  /** An id that no other case uses. */
  id(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  /** A socket after its handshake, not yet initialised. */
  async dial(options: Partial<SocketOptions> = {}): Promise<Socket> {
    const socket = this.attempt(options);
    await socket.opened();
    return socket;
  }

  /** A socket whose handshake has only begun. */
  attempt(options: Partial<SocketOptions> = {}): Socket {
    const socket = new Socket({ url: this.target.socketUrl, patience: this.limits.patience, ...options });
    this.#sockets.push(socket);
    return socket;
  }

  /** A socket that is ready for operations. */
  async connect(payload?: Record<string, unknown>, options: Partial<SocketOptions> = {}): Promise<Socket> {
    const socket = await this.dial(options);
    await socket.init(payload);
    return socket;
  }

  /** Subscribes to a field of this case's store, and waits until the subgraph has the subscription. */
  watch(socket: Socket, selection: string, field = 'orderPlaced'): Promise<Operation> {
    return this.live(socket, { query: onStore(field, selection) });
  }

  /** Subscribes, and waits until the subgraph has so many subscriptions on this case's store, or an answer came. */
  async live(socket: Socket, request: Request, watching = 1): Promise<Operation> {
    const operation = socket.subscribe({
      ...request,
      variables: { store: this.storeName, ...request.variables },
    });
    await this.until(
      `the subscription reaches its subgraph: ${request.query}`,
      () => this.store.watching >= watching || operation.answered || !socket.open,
    );
    if (this.store.watching < watching)
      throw new Error(`Expected a subscription, got ${JSON.stringify(await operation.any()).slice(0, 500)}`);
    return operation;
  }

  async stream(
    request: Request,
    options: { method?: 'POST' | 'GET'; headers?: Record<string, string>; patience?: number } = {},
  ): Promise<EventStream> {
    const variables = { store: this.storeName, ...request.variables };
    const stream = await EventStream.open({
      url: this.target.url,
      patience: this.limits.patience,
      ...options,
      request: { ...request, variables },
    });
    this.#streams.push(stream);
    return stream;
  }

  /** An event stream of a field of this case's store, known to its subgraph. */
  async streamOf(selection: string, field = 'orderPlaced'): Promise<EventStream> {
    const stream = await this.stream({ query: onStore(field, selection) });
    await this.until(
      'the subscription reaches its subgraph',
      () => this.store.watching > 0 || stream.unread.length > 0,
    );
    return stream;
  }

  until(expected: string, condition: () => boolean | Promise<boolean>, patience = this.limits.patience) {
    return until(expected, condition, patience);
  }

  /** The subgraphs hold exactly so many subscriptions on this case's store. */
  untilWatching(count: number): Promise<void> {
    return this.until(`${count} upstream subscriptions`, () => this.store.watching === count);
  }

  /** Puts another version of the supergraph into service. */
  async publish(version: VersionName): Promise<void> {
    await this.#supergraph.write(version);
    this.#restoreSupergraph();
    await untilServed(this.target.url, version, this.limits.reload);
  }

  /** Puts a text into the supergraph's file, whatever it is. */
  async publishText(text: string): Promise<void> {
    await this.#supergraph.writeText(text);
    this.#restoreSupergraph();
  }

  /** Runs after the case, whatever became of it. */
  defer(work: () => unknown): void {
    this.#cleanUp.push(work);
  }

  /** What servers sent and must not have sent. */
  get violations(): readonly string[] {
    return [...this.#sockets, ...this.#streams].flatMap(({ violations }) => violations);
  }

  async dispose(): Promise<void> {
    for (const work of this.#cleanUp.reverse()) await work();
    for (const stream of this.#streams) stream.close();
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    await this.shop.reset();
  }

  #restoreSupergraph(): void {
    this.defer(async () => {
      await this.#supergraph.write('first');
      await untilServed(this.target.url, 'first', this.limits.reload);
    });
  }
}

/** The subscription of one field of a store, in words. */
export const onStore = (field: string, selection: string): string =>
  `subscription ($store: ID!) { ${field}(store: $store) ${selection} }`;
