/**
 * Subscriptions over graphql-transport-ws, at the address of the HTTP endpoint.
 *
 * The token comes in `connection_init` as `{ "authorization": "Bearer …" }`; without one the viewer is anonymous.
 * When it expires the socket closes with `4403 Token expired`, and the client reconnects and resumes by cursor.
 * To stay connected it sends a `ping` with the payload `{ "authorization": "Bearer <fresh token>" }` in time:
 * new subscriptions then use the fresh token, running ones go on; a token of somebody else closes the socket.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { closeSockets, openGraphqlSocket } from '#shared/runtime/server/graphql-socket.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { prepareOperation } from '../pipeline/operation.ts';
import { type PlannedSubscription, subscribePlanned } from '../subscriptions/planned-subscription.ts';
import type { Supergraph } from '../supergraph.ts';
import { type AccessTokens, type Identity, samePerson } from '../viewer.ts';
import { originAllowed } from './origins.ts';

export interface SocketTransportOptions {
  readonly config: GatewayConfig;
  readonly supergraph: Supergraph;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SocketTransport {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Tells all clients to reconnect elsewhere. */
  close(): void;
}

/** What belongs to one socket. */
interface Connection {
  readonly socket: WebSocket;
  identity: Identity;
  expiry: NodeJS.Timeout | undefined;
}

type InitPayload = { authorization?: unknown };

const MESSAGE_LIMIT = 64 * 1024;
const LONGEST_TIMER = 2 ** 31 - 1;

export function createSocketTransport(options: SocketTransportOptions): SocketTransport {
  const { config, supergraph, tokens, clock, logger } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_LIMIT,
    perMessageDeflate: false,
    handleProtocols,
  });

  async function authenticate(connection: Connection, payload: InitPayload | undefined): Promise<Identity> {
    const { authorization } = payload ?? {};
    const identity = await tokens.identify(authorization === undefined ? undefined : String(authorization));
    connection.identity = identity;
    watchExpiry(connection);
    return identity;
  }

  function watchExpiry(connection: Connection): void {
    clearTimeout(connection.expiry);
    const { expiresAt } = connection.identity;
    if (!expiresAt || connection.socket.readyState !== connection.socket.OPEN) return;
    const left = expiresAt.getTime() - clock.now().getTime();
    if (left <= 0) connection.socket.close(CloseCode.Forbidden, 'Token expired');
    else connection.expiry = setTimeout(() => watchExpiry(connection), Math.min(left, LONGEST_TIMER));
  }

  async function refresh(connection: Connection, payload: InitPayload): Promise<void> {
    const before = connection.identity.viewer;
    try {
      const fresh = await tokens.identify(String(payload.authorization));
      if (!samePerson(before, fresh.viewer)) throw new Error('The token is of somebody else');
      connection.identity = fresh;
      watchExpiry(connection);
    } catch {
      connection.socket.close(CloseCode.Forbidden, 'Forbidden');
    }
  }

  function open(
    connection: Connection,
    payload: SubscribePayload,
    running: number,
  ): PlannedSubscription | readonly GraphQLError[] {
    if (running > config.SUBSCRIPTIONS_PER_SOCKET)
      return [coded('TOO_MANY_SUBSCRIPTIONS', 'Too many subscriptions on this connection')];
    const requestId = newId();
    const { viewer } = connection.identity;
    const { graph } = supergraph;
    try {
      const prepared = prepareOperation(graph, payload, config.PRODUCTION);
      if (!('operation' in prepared)) return prepared;
      if (prepared.operation.operation !== 'subscription')
        return [coded('SUBSCRIPTIONS_ONLY', 'Send queries and mutations over HTTP')];
      logger.info({ requestId, operation: prepared.operation.name?.value }, 'subscribe');
      const facts = { viewer, requestId };
      return subscribePlanned({ graph, operation: prepared, source: payload.query, facts, logger });
    } catch (error) {
      if (error instanceof GraphQLError && error.extensions.code) return [error];
      logger.error({ err: error, requestId }, 'a subscription could not be planned');
      return [coded(INTERNAL_SERVER_ERROR, 'Internal error')];
    }
  }

  const format = (error: GraphQLError) => formatClientError(error.toJSON(), config.PRODUCTION);
  const protocol = makeServer<InitPayload, Connection>({
    connectionInitWaitTimeout: config.SOCKET_INIT_TIMEOUT,
    onConnect: ({ extra, connectionParams }) =>
      authenticate(extra, connectionParams).then(
        () => true,
        () => false,
      ),
    onPing: async ({ extra, acknowledged }, payload) => {
      if (acknowledged && payload && 'authorization' in payload) await refresh(extra, payload);
    },
    onSubscribe: ({ extra, subscriptions }, _id, payload) => {
      const opened = open(extra, payload, Object.keys(subscriptions).length);
      if (Array.isArray(opened)) return opened;
      const { document, schema } = (opened as PlannedSubscription).source;
      return { schema, document, operationName: payload.operationName, contextValue: opened };
    },
    subscribe: ({ contextValue }) => contextValue as PlannedSubscription,
    onNext: (_context, _id, _payload, _args, { data, errors }) =>
      errors ? { data: data ?? null, errors: errors.map(format) } : { data: data ?? null },
    onError: (_context, _id, _payload, errors) => errors.map(format),
    onClose: ({ extra }) => clearTimeout(extra.expiry),
  });

  sockets.on('connection', (socket: WebSocket) => {
    const connection: Connection = {
      socket,
      identity: { viewer: { kind: 'anonymous' }, expiresAt: null },
      expiry: undefined,
    };
    const limits = { stallAfter: config.SOCKET_STALL, pingInterval: config.SOCKET_PING };
    openGraphqlSocket(protocol, socket, connection, limits, logger);
  });

  return {
    upgrade(request, socket, head) {
      const [path] = (request.url ?? '').split('?', 1);
      if (path !== '/graphql') return refuse(socket, '404 Not Found');
      const { origin, host } = request.headers;
      if (!originAllowed(origin, host, config.ORIGINS)) return refuse(socket, '403 Forbidden');
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
    },
    close: () => closeSockets(sockets),
  };
}

const coded = (code: string, message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code } });

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
