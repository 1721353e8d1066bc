/**
 * The schema explorer at `/explorer`: a page for whoever holds a key or a token of this API. It promises that
 * nothing of the schema is told before they are signed in, that nothing outside their contract ever is, and that
 * the page asks no other host for anything. What it shows it asks of `/graphql` as any client would.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Request, type Response, Router } from 'express';
import { GraphQLError, type OperationDefinitionNode, parse } from 'graphql';
import type { Logger } from 'pino';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError, refusal, UNAUTHENTICATED } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import type { Caller, Policy } from '../policy/policy.ts';
import { type Supergraphs, supergraphOf } from '../transports/graphql-http.ts';
import { openBundle } from './bundle.ts';
import { changeLogOf } from './change-logs.ts';
import { explorerDocument, safely } from './document.ts';
import { ReadyOperations } from './ready-operations.ts';
import type { ExplorerSession } from './session.ts';

export interface ExplorerOptions {
  readonly config: GatewayConfig;
  readonly supergraphs: Supergraphs;
  readonly policy: Policy;
  readonly logger: Logger;
}

/** To be mounted at `/explorer`. */
export function createExplorer(options: ExplorerOptions): Router {
  const { config, logger } = options;
  const bundle = once(() => openBundle(logger));
  const operations = once(() => ReadyOperations.read(config.EXPLORER_OPERATIONS));
  const router = Router({ strict: true });

  router.get('/', async (request, response) => {
    // Addresses in the document are relative to the one without a slash.
    if (request.originalUrl.split('?', 1)[0]!.endsWith('/'))
      return void response.redirect(308, '../explorer');
    const { script, style } = await bundle();
    const html = explorerDocument({
      title: config.EXPLORER_TITLE,
      script,
      style,
      credentials: [
        ...(config.API_KEYS_FROM ? (['key'] as const) : []),
        ...(config.ACCESS_TOKEN_PUBLIC_KEYS.keys.length > 0 ? (['token'] as const) : []),
      ],
      open: !config.PRODUCTION,
    });
    response.set({ ...safely, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(html);
  });

  router.get('/session', async (request, response) => {
    response.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    try {
      const caller = await identify(options, request);
      response.json(await sessionOf(options, caller, await operations()));
    } catch (error) {
      refuse(response, error, options);
    }
  });

  router.get('/:name', async (request, response, next) => {
    const { files } = await bundle();
    const { name } = request.params;
    const file = files.get(name);
    if (!file) return next();
    send(request, response, name, file);
  });
  return router;
}

const LOOK = '{ __schema { __typename } }';
const look = parse(LOOK);
const lookOperation = look.definitions[0] as OperationDefinitionNode;

/** Refuses whoever may not read the schema, as the endpoint would; counts as a request of theirs. */
async function identify(
  { config, policy, supergraphs }: ExplorerOptions,
  { headers, socket }: IncomingMessage,
): Promise<Caller> {
  const apiKey = headers['x-api-key'];
  const caller = await policy.identify({
    authorization: headers.authorization,
    apiKey: typeof apiKey === 'string' ? apiKey : undefined,
    address: socket.remoteAddress ?? '',
  });
  if (config.PRODUCTION && caller.viewer.kind === 'anonymous')
    throw refusal(UNAUTHENTICATED, 'Sign in with an API key or an access token', 401);
  policy.documentOf({ query: LOOK }, caller);
  const { graph } = supergraphOf(supergraphs, caller);
  await policy.admit({ graph, document: look, operation: lookOperation, variables: {} }, caller);
  return caller;
}

async function sessionOf(
  { config, supergraphs }: ExplorerOptions,
  caller: Caller,
  operations: ReadyOperations,
): Promise<ExplorerSession> {
  const { viewer, contract, scopes, expiresAt, budget } = caller;
  return {
    viewer: viewer.kind,
    contract,
    scopes,
    expiresAt: expiresAt?.toISOString() ?? null,
    budget: budget ?? null,
    operations: operations.for(supergraphOf(supergraphs, caller).graph.schema),
    releases: await changeLogOf(contract, config.EXPLORER_CHANGES),
  };
}

function refuse(response: Response, error: unknown, { config, logger }: ExplorerOptions): void {
  const coded = error instanceof GraphQLError ? error : null;
  if (!coded) logger.error({ err: error }, 'explorer failed');
  const told = coded ?? refusal(INTERNAL_SERVER_ERROR, 'Internal error', 500);
  const { status = 400, headers = new Map() } = (told.extensions.http ?? {}) as {
    status?: number;
    headers?: ReadonlyMap<string, string>;
  };
  for (const [name, value] of headers) response.setHeader(name, value);
  response.status(status).json({ errors: [formatClientError(told.toJSON(), config.PRODUCTION)] });
}

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

function send(
  request: Request,
  response: ServerResponse,
  name: string,
  { plain, zipped }: { plain: Uint8Array; zipped: Uint8Array },
): void {
  const zip = request.acceptsEncodings('gzip') === 'gzip';
  response.writeHead(200, {
    ...safely,
    'content-type': types[name.split('.').at(-1)!] ?? 'application/octet-stream',
    'cache-control': 'public, max-age=31536000, immutable',
    vary: 'accept-encoding',
    ...(zip ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(zip ? zipped : plain);
}

/** The same promise for everybody; another try after a failure. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
