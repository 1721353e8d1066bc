/** Opens subgraphs in this process: what they share, then each of them, then their work. */
import { systemClock } from '#shared/kernel/time.ts';
import { readAll } from '#shared/runtime/config.ts';
import { type ContractCall, Contracts } from '#shared/runtime/contracts.ts';
import { openDbos } from '#shared/runtime/durable/dbos.ts';
import { type InternalSecrets, parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { createLogger, type Logger } from '#shared/runtime/logger.ts';
import { type ListedSubgraph, listSubgraphs } from '#shared/runtime/rover.ts';
import { Secrets } from '#shared/runtime/secrets.ts';
import { remoteContracts } from '#shared/runtime/server/remote-contracts.ts';
import type { ContractHandler } from '#shared/runtime/server/subgraph-server.ts';
import { openSubgraph, type Process, type RunningSubgraph } from '#shared/runtime/subgraph.ts';
import { Wakeups } from '#shared/runtime/wakeups.ts';
import type { ProcessConfig } from './process.config.ts';
import { loadSubgraphs } from './registry.ts';

export interface OpenProcess extends AsyncDisposable {
  readonly subgraphs: readonly (RunningSubgraph & { readonly listed: ListedSubgraph })[];
  readonly shared: Process;
  readonly internalSecrets: InternalSecrets;
  contractHandler(answerer: string): ContractHandler;
  /** Begins to hear events and to run sagas and jobs. */
  start(): Promise<void>;
}

/** Addresses of the subgraphs: rover.yaml, unless `SUBGRAPH_URLS` says otherwise. */
export function subgraphUrls(overrides: string): Map<string, string> {
  const urls = new Map(listSubgraphs().map(({ name, routingUrl }) => [name, routingUrl]));
  for (const pair of overrides.split(',').filter(Boolean)) {
    const [name = '', url = ''] = pair.split(/=(.*)/s);
    if (!urls.has(name)) throw new RangeError(`SUBGRAPH_URLS names ${name}, which rover.yaml does not list`);
    urls.set(name, url);
  }
  return urls;
}

export async function openProcess(options: {
  config: ProcessConfig;
  names?: readonly string[];
  logger?: Logger;
  onStep?: Parameters<typeof openDbos>[0]['onStep'];
}): Promise<OpenProcess> {
  const { config } = options;
  const registered = await loadSubgraphs(options.names);
  readAll(
    Object.fromEntries(
      registered.map(({ definition }) => [definition.name, () => definition.config(config.env)]),
    ),
  );
  const logger = options.logger ?? createLogger(config.LOG_LEVEL);
  const internalSecrets = parseInternalSecrets(config.INTERNAL_SECRETS);
  await using opening = new AsyncDisposableStack();
  const wakeups = opening.use(await Wakeups.open(config.DATABASE_URL, logger));
  const durable = await openDbos({
    wakeups,
    databaseUrl: config.DATABASE_URL,
    executorId: config.EXECUTOR_ID ?? (options.names?.length ? options.names.join('+') : 'baton'),
    logger,
    onStep: options.onStep,
  });
  let stopping: Promise<void> | undefined;
  const stopDurable = () => (stopping ??= durable[Symbol.asyncDispose]());
  opening.defer(stopDurable);
  const urls = subgraphUrls(config.SUBGRAPH_URLS);
  const contracts = new Contracts(
    remoteContracts({
      urls,
      secrets: internalSecrets,
      timeout: config.CONTRACT_TIMEOUT,
      caller: options.names?.join('+') || 'baton',
      clock: systemClock,
    }),
  );
  const shared: Process = {
    env: config.env,
    databaseUrl: config.DATABASE_URL,
    publicUrl: config.PUBLIC_URL.replace(/\/$/, ''),
    clock: systemClock,
    logger,
    secrets: new Secrets(config.MASTER_SECRET),
    durable,
    contracts,
    wakeups,
  };
  const subgraphs: (RunningSubgraph & { listed: ListedSubgraph })[] = [];
  for (const { listed, definition } of registered) {
    const running = opening.use(await openSubgraph(definition, shared));
    subgraphs.push({ ...running, listed: { ...listed, routingUrl: urls.get(listed.name)! } });
  }
  // Before the subgraphs: steps under way need theirs until they end.
  opening.defer(stopDurable);
  const opened = opening.move();
  return {
    subgraphs,
    shared,
    internalSecrets,
    contractHandler: (answerer) => (method, body) => contracts.answer(answerer, method, body as ContractCall),
    async start() {
      await durable.start();
      for (const subgraph of subgraphs) await subgraph.start();
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
