/**
 * One WebSocket under graphql-ws's protocol server. Beyond graphql-ws's own adapter it
 * - logs through the given logger and never to the console,
 * - closes a peer that does not take what it is sent (`4508`), so that nothing piles up for it,
 * - finishes a completed operation before its id is used again.
 */
import { CloseCode, type Server } from 'graphql-ws';
import type { Logger } from 'pino';
import type { WebSocket, WebSocketServer } from 'ws';

/** Our own close codes, beside those of graphql-ws. A client answers each by resuming from its last cursor. */
export const STALLED = { code: 4508, reason: 'Stalled: resume from your last cursor' } as const;
export const GOING_AWAY = { code: 1001, reason: 'Going away' } as const;

export interface SocketLimits {
  /** A peer that takes nothing for so long is closed. Milliseconds. */
  readonly stallAfter: number;
  /** Between two pings; a peer that has not answered one by the next is cut. Milliseconds. */
  readonly pingInterval: number;
}

const CLOSE_GRACE = 5_000;

/** Serves the socket until it closes. */
export function openGraphqlSocket<Extra>(
  server: Server<Extra>,
  socket: WebSocket,
  extra: Extra,
  limits: SocketLimits,
  logger: Logger,
): void {
  let answered = true;
  const ping = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, limits.pingInterval);
  socket.on('pong', () => {
    answered = true;
  });
  socket.on('error', (err) => logger.debug({ err }, 'socket error'));

  function close(code?: number, reason?: string): void {
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), CLOSE_GRACE).unref();
  }

  let receive: (text: string) => Promise<void> = async () => undefined;
  const closed = server.opened(
    {
      protocol: socket.protocol,
      send: (text) => {
        if (socket.readyState !== socket.OPEN) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        const stalled = setTimeout(() => {
          close(STALLED.code, STALLED.reason);
          end(STALLED.code, STALLED.reason);
        }, limits.stallAfter);
        // A failed send is followed by `close`, which ends everything that runs on this socket.
        socket.send(text, () => {
          clearTimeout(stalled);
          resolve();
        });
        return promise;
      },
      close,
      onMessage: (handler) => {
        receive = (text) =>
          handler(text).catch((err: unknown) => {
            logger.error({ err }, 'a socket message failed');
            close(CloseCode.InternalServerError, 'Internal server error');
          });
      },
    },
    extra,
  );

  let ended = false;
  /** Ends all operations; a stalled peer's at once, not only when its connection has finally gone. */
  function end(code: number, reason: string): void {
    clearInterval(ping);
    if (ended) return;
    ended = true;
    closed(code, reason).catch((err: unknown) => logger.error({ err }, 'socket clean-up failed'));
  }

  const deliver = inOrderPerId((text) => receive(text));
  socket.on('message', (text) => {
    answered = true;
    deliver(String(text));
  });
  socket.once('close', (code, reason) => {
    clearInterval(ping);
    void closed(code, String(reason)).catch((err: unknown) =>
      logger.error({ err }, 'socket clean-up failed'),
    );
  });
}

/** Tells every peer to reconnect elsewhere; those that do not answer are cut a second later. */
export function closeSockets(sockets: WebSocketServer): void {
  for (const socket of sockets.clients) {
    socket.close(GOING_AWAY.code, GOING_AWAY.reason);
    setTimeout(() => socket.terminate(), 1_000).unref();
  }
}

/**
 * graphql-ws frees an id when the client completes it, before the operation has wound down; the end of the
 * first operation would then end a second one of the same id. So messages of an id wait for its last operation
 * once the client has completed that.
 */
function inOrderPerId(receive: (text: string) => Promise<void>): (text: string) => void {
  const running = new Map<string, Promise<void>>();
  const ending = new Map<string, Promise<void>>();

  function dispatch(text: string, type: unknown, id: string): void {
    const operation = running.get(id);
    const handled = receive(text);
    if (type === 'subscribe' && !operation) {
      running.set(id, handled);
      void handled.then(() => running.get(id) === handled && running.delete(id));
    }
    if (type === 'complete' && operation) hold(id, operation);
  }

  function hold(id: string, until: Promise<void>): void {
    ending.set(id, until);
    void until.then(() => ending.get(id) === until && ending.delete(id));
  }

  return (text) => {
    const { type, id } = peek(text);
    if (id === undefined) return void receive(text);
    const waitFor = ending.get(id);
    if (!waitFor) return dispatch(text, type, id);
    hold(
      id,
      waitFor.then(() => dispatch(text, type, id)),
    );
  };
}

function peek(text: string): { type?: unknown; id?: string } {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== 'object' || message === null) return {};
    const { type, id } = message as { type?: unknown; id?: unknown };
    return typeof id === 'string' ? { type, id } : { type };
  } catch {
    return {};
  }
}
