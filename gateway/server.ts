/**
 * The single endpoint: one supergraph behind HTTP, WebSocket and raw routes.
 *
 * It knows no subgraph by name. Those that are given run in memory; the others are asked over the network.
 */
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import type { Clock } from '#shared/kernel/time.ts';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';
import type { LocalSubgraph } from '#shared/runtime/server/local-subgraph.ts';
import type { GatewayConfig } from './gateway.config.ts';
import { createPolicy } from './policy/create-policy.ts';
import { GuardedClient } from './subgraph-client/guarded-client.ts';
import { LocalClient } from './subgraph-client/local-client.ts';
import { RemoteClient } from './subgraph-client/remote-client.ts';
import { ConnectionLimits } from './subscriptions/connection-limits.ts';
import { SubscriptionDesk } from './subscriptions/desk.ts';
import { type ConnectSubgraph, Supergraph } from './supergraph.ts';
import { openTelemetry } from './telemetry/telemetry.ts';
import { supergraphOf } from './transports/graphql-http.ts';
import { createSocketTransport } from './transports/graphql-ws.ts';
import { createHttpTransport } from './transports/http.ts';
import { createEventStreamTransport } from './transports/server-sent-events.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  /** By the name that the supergraph gives them. */
  readonly localSubgraphs?: ReadonlyMap<string, LocalSubgraph>;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface Gateway extends AsyncDisposable {
  /** Of the GraphQL endpoint. */
  readonly url: string;
  readonly port: number;
  /** Of the endpoint for Prometheus, where there is one. */
  readonly metricsUrl: string | undefined;
  /** Reads the supergraph file again; rejects, and changes nothing, where it cannot be used. */
  reload(): Promise<void>;
}

/** Serves once it resolves; disposal drains what runs and then closes everything it opened. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, logger, clock } = options;
  await using opened = new AsyncDisposableStack();
  const telemetry = opened.use(await openTelemetry({ config, logger }));
  const clients = new Map<string, GuardedClient>();
  const connect = remembering(opened, clients, connector(options));
  const open = (path: string) =>
    Supergraph.open({ path, pollInterval: config.SUPERGRAPH_POLL, connect, logger });
  const supergraph = opened.use(await open(config.SUPERGRAPH_PATH));
  const contracts = new Map<string, Supergraph>();
  for (const [name, path] of config.CONTRACTS) contracts.set(name, opened.use(await open(path)));
  const policy = opened.use(
    await createPolicy({ config, clients: () => supergraph.graph.clients, clock, logger }),
  );
  const supergraphs = { whole: supergraph, contracts };
  const desk = opened.use(
    new SubscriptionDesk({
      config,
      policy,
      graphFor: (caller) => supergraphOf(supergraphs, caller).graph,
      telemetry,
      logger,
    }),
  );
  for (const each of [supergraph, ...contracts.values()])
    opened.defer(each.onChange(() => void desk.reload()));
  const live = { config, policy, desk, limits: new ConnectionLimits(config), telemetry, clock, logger };
  const streams = createEventStreamTransport(live);
  const sockets = createSocketTransport(live);
  telemetry.figuresFrom({
    live: () => desk.figures,
    sockets: () => sockets.open,
    eventStreams: () => streams.open,
    clients: () => clients.values(),
    reloads: () => supergraph.figures,
  });
  let draining = false;
  const http = opened.use(
    await createHttpTransport({
      config,
      supergraphs,
      policy,
      streamEvents: streams.stream,
      telemetry,
      logger,
      ready: () => !draining,
    }),
  );
  const server = createServer(
    {
      requestTimeout: config.REQUEST_TIMEOUT,
      headersTimeout: Math.min(config.REQUEST_TIMEOUT, 10_000),
      // Otherwise who is late would be noticed half a minute later.
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
    },
    http.listener,
  );
  server.on('upgrade', sockets.upgrade);
  const port = await listen(server, config.PORT, config.HOST);
  opened.defer(async () => {
    draining = true;
    sockets.close();
    streams.close();
    await closeServer(server, config.DRAIN_TIMEOUT);
  });
  const running = opened.move();
  const host = config.HOST === '0.0.0.0' || config.HOST === '::' ? '127.0.0.1' : config.HOST;
  const url = `http://${host}:${port}/graphql`;
  logger.info({ url, supergraph: supergraph.graph.id }, 'gateway serves');
  return {
    url,
    port,
    metricsUrl: telemetry.metricsUrl,
    reload: async () => {
      await Promise.all([supergraph, ...contracts.values()].map((each) => each.reload()));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

type Connect = (...subgraph: Parameters<ConnectSubgraph>) => GuardedClient;

/** One client for each subgraph, however many supergraphs name it, closed with the gateway. */
function remembering(
  opened: AsyncDisposableStack,
  clients: Map<string, GuardedClient>,
  connect: Connect,
): ConnectSubgraph {
  return (subgraph) => {
    const key = `${subgraph.name} ${subgraph.url}`;
    const client = clients.get(key) ?? opened.use(connect(subgraph));
    clients.set(key, client);
    return client;
  };
}

function connector({ config, localSubgraphs, logger, clock }: GatewayOptions): Connect {
  const limits = {
    query: config.SUBGRAPH_TIMEOUT,
    mutation: config.MUTATION_TIMEOUT,
    route: config.ROUTE_TIMEOUT,
    eventsBehind: config.SUBSCRIPTION_BUFFER,
  };
  const guards = {
    concurrency: config.SUBGRAPH_CONCURRENCY,
    failuresInARow: config.SUBGRAPH_FAILURES,
    restAfterFailures: config.SUBGRAPH_REST,
  };
  return ({ name, url }) => {
    const local = localSubgraphs?.get(name);
    if (local) return new GuardedClient(new LocalClient(local, limits, logger), guards);
    const at = config.SUBGRAPH_URLS.get(name) ?? url;
    const secrets = config.INTERNAL_SECRETS;
    return new GuardedClient(new RemoteClient({ name, url: at, limits, secrets, clock }), guards);
  };
}
