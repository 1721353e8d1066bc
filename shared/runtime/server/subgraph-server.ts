/**
 * One subgraph behind HTTP and graphql-ws: the split form of what the gateway otherwise runs in memory.
 *
 * It answers the gateway and the other subgraphs only: whatever lacks a fresh signed viewer for exactly this
 * subgraph and body gets an opaque 401 (on a socket `4403`). The gateway keeps one socket per subgraph for all
 * its subscriptions, so the viewer comes signed with each `subscribe`, in `extensions.viewer`; the
 * `connection_init` carries a token of the peer itself.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ExecutionResult,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  parse,
} from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { Refusal } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type Clock, SECOND } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import {
  createInternalVerifier,
  InternalAuthRefused,
  type InternalSecrets,
  requestLine,
  subscriptionBody,
  VIEWER_HEADER,
} from '#shared/runtime/internal-auth.ts';
import { closeSockets, openGraphqlSocket } from '#shared/runtime/server/graphql-socket.ts';
import { closed, closeServer, listen } from '#shared/runtime/server/http-server.ts';
import type { LocalSubgraph } from '#shared/runtime/server/local-subgraph.ts';
import { isMutation, type SubgraphCall, SubgraphExecutor } from '#shared/runtime/server/subgraph-executor.ts';
import { passedHeaders, readBody, sendWebResponse, toWebRequest } from '#shared/runtime/server/web-bridge.ts';
import { isTransient } from '#shared/runtime/transient.ts';

/** Answers a contract's method; the answer is sent as JSON, a refusal as `{ refusal }` with its status. */
export type ContractHandler = (method: string, body: unknown, viewer: Viewer) => Promise<unknown>;

export interface ServedSubgraph extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

export interface SubgraphServerOptions {
  readonly local: LocalSubgraph;
  readonly port: number;
  readonly host: string;
  readonly secrets: InternalSecrets;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly contractHandler?: ContractHandler;
}

/** What a peer signs to open a socket. */
export const SOCKET_BODY = 'connection_init';

const operation = z.object({
  query: z.string(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).optional(),
});

const BODY_LIMIT = 8 * 1024 * 1024;
const SOCKET_LIMITS = { stallAfter: 30 * SECOND, pingInterval: 12 * SECOND };
const DRAIN = 5 * SECOND;
const statuses = { INVALID: 400, FORBIDDEN: 403, NOT_FOUND: 404, CONFLICT: 409, UNAVAILABLE: 503 } as const;

export async function serveSubgraph(options: SubgraphServerOptions): Promise<ServedSubgraph> {
  const { local } = options;
  const logger = options.logger.child({ subgraph: local.name });
  const { verifyInternal } = createInternalVerifier({ ...options, audience: local.name });
  const executor = new SubgraphExecutor(local, logger);

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const requestId = String(request.headers['x-request-id'] ?? newId());
    if (path === '/health/live') return json(response, 200, { status: 'live' });
    if (path === '/health/ready') return ready(response);
    const token = request.headers[VIEWER_HEADER] as string | undefined;
    const signal = closed(response);
    if (path.startsWith('/routes/')) {
      const target = path.slice('/routes'.length);
      const viewer = await verifyInternal(token, requestLine(request.method ?? '', target));
      return passRoute(request, response, target, { viewer, requestId, signal });
    }
    const body = await readBody(request, BODY_LIMIT);
    if (!body) return json(response, 413, { error: 'PAYLOAD_TOO_LARGE' });
    const viewer = await verifyInternal(token, body);
    if (request.method !== 'POST') return json(response, 405, { error: 'METHOD_NOT_ALLOWED' });
    const message: unknown = JSON.parse(body.toString('utf8'));
    if (path === '/graphql') {
      const parsed = operation.safeParse(message);
      if (!parsed.success) return json(response, 400, { error: 'BAD_REQUEST' });
      // A mutation runs to its end, whoever still listens.
      const lasting = isMutation(parsed.data.query) ? new AbortController().signal : signal;
      const call = { ...parsed.data, viewer, requestId, signal: lasting };
      return json(response, 200, await executor.execute(call));
    }
    const [, method] = /^\/contracts\/([\w.-]+)$/.exec(path) ?? [];
    if (!method || !options.contractHandler) return json(response, 404, { error: 'NOT_FOUND' });
    return json(response, 200, (await options.contractHandler(method, message, viewer)) ?? null);
  }

  async function ready(response: ServerResponse): Promise<void> {
    try {
      await local.ready?.();
      json(response, 200, { status: 'ready' });
    } catch (err) {
      logger.warn({ err }, 'not ready');
      json(response, 503, { status: 'not ready' });
    }
  }

  async function passRoute(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
    facts: { viewer: Viewer; requestId: string; signal: AbortSignal },
  ): Promise<void> {
    if (!local.fetchRoute) return json(response, 404, { code: 'NOT_FOUND', message: 'No such route' });
    const headers = passedHeaders(request.headers);
    const hasBody = headers.has('content-length') || request.headers['transfer-encoding'] !== undefined;
    const answer = await local.fetchRoute(
      toWebRequest({
        method: request.method ?? 'GET',
        url: `http://${local.name}${target}`,
        headers,
        body: hasBody ? request : null,
        signal: facts.signal,
      }),
      facts,
    );
    await sendWebResponse(answer, response);
  }

  const http = createServer(
    { requestTimeout: 60 * SECOND, headersTimeout: 10 * SECOND },
    (request, response) => {
      route(request, response).catch((error: unknown) => {
        // Without its query: that of a signed link is a key.
        const [path] = (request.url ?? '').split('?', 1);
        if (response.headersSent) return response.destroy();
        if (error instanceof InternalAuthRefused) {
          logger.warn({ reason: error.message, path }, 'unsigned request refused');
          return json(response, 401, { error: 'UNAUTHORIZED' });
        }
        if (error instanceof SyntaxError) return json(response, 400, { error: 'BAD_REQUEST' });
        if (error instanceof Refusal)
          return json(response, statuses[error.kind], { refusal: error.toRecord() });
        logger.error({ err: error, path }, 'request failed');
        // The status tells a peer whether the same request may succeed later.
        if (isTransient(error)) return json(response, 503, { error: 'UNAVAILABLE' });
        json(response, 500, { error: 'INTERNAL_SERVER_ERROR' });
      });
    },
  );

  const sockets = serveSockets({ schema: local.schema, executor, verifyInternal, logger });
  http.on('upgrade', sockets.upgrade);
  const port = await listen(http, options.port, options.host);
  logger.info({ port }, 'subgraph serves');
  return {
    port,
    url: `http://${options.host === '0.0.0.0' ? '127.0.0.1' : options.host}:${port}/graphql`,
    async [Symbol.asyncDispose]() {
      sockets.close();
      await closeServer(http, DRAIN);
    },
  };
}

interface SocketServing {
  readonly schema: GraphQLSchema;
  readonly executor: SubgraphExecutor;
  readonly verifyInternal: ReturnType<typeof createInternalVerifier>['verifyInternal'];
  readonly logger: Logger;
}

function serveSockets({ schema, executor, verifyInternal, logger }: SocketServing) {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: BODY_LIMIT,
    perMessageDeflate: false,
    handleProtocols,
  });
  const protocol = makeServer<{ token?: unknown }, Record<string, never>>({
    onConnect: async ({ connectionParams }) => {
      try {
        await verifyInternal(String(connectionParams?.token ?? ''), SOCKET_BODY);
        return true;
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'unsigned socket refused');
        return false;
      }
    },
    onSubscribe: async (_context, _id, payload) => {
      try {
        const viewer = await verifyInternal(
          String(payload.extensions?.viewer ?? ''),
          subscriptionBody(payload),
        );
        const { query, operationName, variables } = payload;
        const requestId = String(payload.extensions?.requestId ?? newId());
        const signal = new AbortController().signal;
        return {
          schema,
          document: parse(query),
          contextValue: {
            query,
            operationName,
            variables: variables ?? undefined,
            viewer,
            requestId,
            signal,
          },
        };
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'unsigned subscription refused');
        return [new GraphQLError('Unauthorized', { extensions: { code: 'UNAUTHORIZED' } })];
      }
    },
    subscribe: ({ contextValue }) =>
      executor.subscribe(contextValue as SubgraphCall) as AsyncGenerator<ExecutionResult>,
    // Errors left the executor formatted already.
    onNext: (_context, _id, _payload, _args, result) => result as FormattedExecutionResult,
    execute: () => ({ errors: [new GraphQLError('Only subscriptions are served on a socket')] }),
  });
  sockets.on('connection', (socket) => openGraphqlSocket(protocol, socket, {}, SOCKET_LIMITS, logger));
  return {
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      if (request.url !== '/graphql') {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
    },
    close(): void {
      closeSockets(sockets);
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
