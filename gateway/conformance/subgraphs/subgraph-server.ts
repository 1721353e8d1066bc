/**
 * One subgraph on loopback: GraphQL over HTTP and subscriptions over graphql-transport-ws, at any path of the
 * same port. It can be made to fail as subgraphs do, and be stopped and started again at its address.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, graphql, parse } from 'graphql';
import { useServer as serveSubscriptions } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

/** What came to the subgraph beside the operation. */
export interface Caller {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly connectionParams: unknown;
  readonly extensions: unknown;
}

/** How every HTTP request is answered instead of properly. */
export type Fault = 'status 500' | 'rubbish' | 'silence';

export interface SubgraphOptions {
  readonly typeDefs: string;
  readonly resolvers: object;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

const subscriptionsOnly = 'Only subscriptions are served over WebSocket';

export class SubgraphServer {
  readonly #options: SubgraphOptions;
  readonly #schema: GraphQLSchema;
  #port: number;
  #server: Server | undefined;
  #sockets: WebSocketServer | undefined;
  /** Requests that were taken over HTTP. */
  requests = 0;
  fault: Fault | undefined;

  constructor(options: SubgraphOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#schema = buildSubgraphSchema([
      { typeDefs: parse(options.typeDefs), resolvers: options.resolvers as never },
    ]);
  }

  get url(): string {
    const { host } = this.#options;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${this.#port}/graphql`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.requests += 1;
      if (this.fault === 'silence') return void request.resume();
      this.#answer(request).then(
        ([status, body]) => response.writeHead(status, { 'content-type': 'application/json' }).end(body),
        () => response.writeHead(400).end(),
      );
    });
    const sockets = new WebSocketServer({ server, maxPayload: 16 * 1024 * 1024 });
    serveSubscriptions(
      {
        schema: this.#schema,
        execute: () => {
          throw new Error(subscriptionsOnly);
        },
        context: ({ connectionParams, extra }, _id, { extensions }): Caller => ({
          headers: extra.request.headers,
          connectionParams,
          extensions,
        }),
      },
      sockets,
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, this.#options.host, () => resolve());
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Cuts every connection and listens no more. */
  async stop(): Promise<void> {
    this.dropSockets();
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    this.#sockets?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Cuts the connections of all subscriptions; the subgraph takes new ones at once. */
  dropSockets(): void {
    for (const socket of this.#sockets?.clients ?? []) socket.terminate();
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  async #answer(request: IncomingMessage): Promise<[status: number, body: string]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.fault === 'status 500') return [500, '{"message":"out of order"}'];
    if (this.fault === 'rubbish') return [200, '<!doctype html><title>Welcome</title>'];
    const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const result = await graphql({
      schema: this.#schema,
      source: query,
      variableValues: variables,
      operationName,
      contextValue: { headers: request.headers, connectionParams: null, extensions: null } satisfies Caller,
    });
    return [200, JSON.stringify(result)];
  }
}
