/**
 * Subscriptions over graphql-transport-ws, at the address of the HTTP endpoint.
 *
 * `connection_init` may carry `authorization` ("Bearer …"), `apiKey` and `deviceId`; without proof the viewer is
 * anonymous. When the token expires the socket closes with `4403 Token expired`, and the client reconnects and
 * resumes by cursor. To stay connected it sends a `ping` with the payload `{ "authorization": "Bearer <fresh>" }` in
 * time. A subscription resumes by its `after` argument, or by `extensions.lastEventId` of its payload.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, handleProtocols } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import { type ConnectionLimits, retryAfter } from '../subscriptions/connection-limits.ts';
import { Rounds, roundsFor } from '../subscriptions/rounds.ts';
import { Connection, type ConnectionOptions, tryLater } from './graphql-ws-connection.ts';
import { originAllowed } from './origins.ts';

export interface SocketTransportOptions extends ConnectionOptions {
  readonly limits: ConnectionLimits;
}

export interface SocketTransport {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** How many are open. */
  readonly open: number;
  /** Tells all clients to reconnect elsewhere; those that do not go are cut a second later. */
  close(): void;
}

const MESSAGE_LIMIT = 64 * 1024;
const LAST_CALL = 1_000;
const OTHER_PROTOCOL = { code: CloseCode.SubprotocolNotAcceptable, reason: 'Subprotocol not acceptable' };

export function createSocketTransport(options: SocketTransportOptions): SocketTransport {
  const { config, limits } = options;
  const { SOCKET_STALL, SOCKET_PING, SOCKET_INIT_TIMEOUT } = config;
  const connections = new Rounds<Connection>(roundsFor(SOCKET_STALL, SOCKET_PING, SOCKET_INIT_TIMEOUT));
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_LIMIT,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols,
  });
  let closing = false;

  return {
    upgrade(request, wire, head) {
      const [path] = (request.url ?? '').split('?', 1);
      if (path !== '/graphql') return refuse(wire, '404 Not Found');
      const { origin, host } = request.headers;
      if (!originAllowed(origin, host, config.ORIGINS)) return refuse(wire, '403 Forbidden');
      if (closing) return refuse(wire, '503 Service Unavailable', retryAfter());
      const address = request.socket.remoteAddress ?? '';
      const places = limits.places();
      if (!places.take('address', address)) return refuse(wire, '429 Too Many Requests', retryAfter());
      wire.once('close', () => places.leave());
      sockets.handleUpgrade(request, wire, head, (socket) => {
        const peer = { socket, wire: wire as Socket, address, places };
        const connection = new Connection(options, peer, () => connections.delete(connection));
        connections.add(connection);
        if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL) connection.close(OTHER_PROTOCOL);
        else if (!limits.admits()) connection.close(tryLater('TOO_MANY_CONNECTIONS'));
      });
    },
    get open() {
      return connections.members.size;
    },
    close() {
      closing = true;
      for (const connection of connections.members) connection.goAway();
      const cut = setTimeout(() => {
        for (const connection of connections.members) connection.cut();
      }, LAST_CALL);
      cut.unref();
    },
  };
}

/** `later`: milliseconds after which to try again. */
function refuse(wire: Duplex, status: string, later?: number): void {
  wire.on('error', () => undefined);
  const header = later === undefined ? '' : `Retry-After: ${Math.ceil(later / 1_000)}\r\n`;
  wire.end(`HTTP/1.1 ${status}\r\n${header}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}
