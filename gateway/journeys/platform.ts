/**
 * The whole platform on one machine: PostgreSQL, migrations, gateway and subgraphs, in one process or split.
 * Only this folder sees gateway and subgraphs together.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#shared/kernel/time.ts';
import type { Environment } from '#shared/runtime/config.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { startPostgres } from '#shared/runtime/postgres/postgres.ts';
import { projectRoot } from '#shared/runtime/rover.ts';
import { migrateAll } from '../../subgraphs/migrate.ts';
import { readProcessConfig } from '../../subgraphs/process.config.ts';
import { openProcess, subgraphUrls } from '../../subgraphs/process.ts';
import { gatewayConfigOf } from '../gateway.config.ts';
import { startGateway } from '../server.ts';
import type { JourneysConfig } from './journeys.config.ts';
import { keyEnvironment } from './keys.ts';
import { demoAdmin } from './partner.ts';

export interface Platform extends AsyncDisposable {
  /** Of the GraphQL endpoint. */
  readonly url: string;
  readonly dataDir: string;
  /** Settles when a part ends that should not have. */
  readonly ended: Promise<string>;
  /** Process ids of the parts that may be killed: in the split form gateway and subgraphs, and PostgreSQL. */
  readonly parts: () => ReadonlyMap<string, number>;
}

export interface PlatformOptions {
  readonly onStep?: OnStep | undefined;
  /** Starts a part again that died, as an orchestrator does; otherwise the platform ends with it. */
  readonly revive?: boolean;
}

type Say = (line: string) => void;

/** Windows of the demo world: nobody waits for days, and no code path is special. */
const demoWindows = {
  INSPECTION_WINDOW: '4s',
  PAYOUT_DELAY: '0s',
  TRIP_PUBLISH_LEAD: '1m',
  HANDOFF_WINDOW_BEFORE: '90d',
  HANDOFF_WINDOW_AFTER: '2d',
};

/** What one viewer, or one address of anonymous ones, may ask in a minute: many times what a person does. */
const usualBudgets = {
  REQUESTS_PER_MINUTE: '3000',
  COST_PER_MINUTE: '300000',
  ANONYMOUS_REQUESTS_PER_MINUTE: '1200',
  ANONYMOUS_COST_PER_MINUTE: '100000',
};

/** Told of every point between two steps of a saga; tests let the process die there. */
type OnStep = NonNullable<Parameters<typeof openProcess>[0]['onStep']>;

export async function startPlatform(
  config: JourneysConfig,
  say: Say,
  { onStep, revive = false }: PlatformOptions = {},
): Promise<Platform> {
  await using opened = new AsyncDisposableStack();
  const dataDir = isAbsolute(config.DATA_DIR) ? config.DATA_DIR : join(projectRoot, config.DATA_DIR);
  const database = await openDatabase(opened, config, dataDir, say);
  const env: Environment = {
    ...(config.WORLD === 'plain' ? {} : demoWindows),
    PUBLIC_URL: `http://${config.HOST}:${config.PORT}`,
    FILES_DIR: join(dataDir, 'files'),
    PUBLIC_ROUTES: '/track=custody:/track',
    CONTRACTS: 'partner=schema/partner.graphql',
    EXPLORER_TITLE: 'Baton',
    EXPLORER_OPERATIONS: 'schema/operations',
    EXPLORER_CHANGES: 'partner=schema/partner-changes.json',
    API_KEYS_FROM: 'identity:/internal/api-keys/check',
    REVOCATIONS_FROM: 'identity:/internal/ended-sessions',
    RATE_LIMIT_DATABASE_URL: database.url,
    ...usualBudgets,
    ...(config.WORLD === 'demo' ? { ADMIN_EMAILS: demoAdmin } : {}),
    ...config.env,
    ...(await keyEnvironment(dataDir)),
    PORT: String(config.PORT),
    HOST: config.HOST,
    LOG_LEVEL: config.LOG_LEVEL,
    DATABASE_URL: database.url,
    APOLLO_TELEMETRY_DISABLED: '1',
  };
  await migrateAll(database.migrationUrl, say);
  const { url, ended, children } =
    config.FORM === 'one' ? await inOneProcess(opened, env, onStep) : await split(opened, env, revive);
  const running = opened.move();
  return {
    url,
    dataDir,
    ended,
    parts: () => {
      const pids = [...children].flatMap(([name, { pid }]) =>
        pid === undefined ? [] : [[name, pid] as const],
      );
      return new Map([...pids, ...(database.pid ? [['postgres', database.pid()] as const] : [])]);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Migrations run as a more patient role than services do. */
async function openDatabase(
  opened: AsyncDisposableStack,
  config: JourneysConfig,
  dataDir: string,
  say: Say,
): Promise<{ url: string; migrationUrl: string; pid?: () => number }> {
  if (config.DATABASE_URL) return { url: config.DATABASE_URL, migrationUrl: config.DATABASE_URL };
  const postgres = opened.use(await startPostgres({ dataDir: join(dataDir, 'postgres'), onProgress: say }));
  await postgres.ensureDatabase('baton');
  return {
    url: postgres.url('baton'),
    migrationUrl: postgres.migrationUrl('baton'),
    pid: () => postgres.pid,
  };
}

interface Running extends Pick<Platform, 'url' | 'ended'> {
  readonly children: ReadonlyMap<string, ChildProcess>;
}

async function inOneProcess(
  opened: AsyncDisposableStack,
  env: Environment,
  onStep?: OnStep,
): Promise<Running> {
  const logger = createLogger(env.LOG_LEVEL ?? 'warn');
  const subgraphs = opened.use(await openProcess({ config: readProcessConfig(env), logger, onStep }));
  const localSubgraphs = new Map(subgraphs.subgraphs.map(({ name, local }) => [name, local]));
  const gateway = opened.use(
    await startGateway({ config: gatewayConfigOf(env), localSubgraphs, logger, clock: systemClock }),
  );
  await subgraphs.start();
  return { url: gateway.url, ended: new Promise(() => {}), children: new Map() };
}

async function split(opened: AsyncDisposableStack, env: Environment, revive: boolean): Promise<Running> {
  const children = new Map<string, ChildProcess>();
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  let closing = false;
  const serve = (name: string, file: string, ...names: string[]): void => {
    const child = spawn(process.execPath, [...process.execArgv, file, ...names], {
      cwd: projectRoot,
      env: env as NodeJS.ProcessEnv,
      // With a channel, so that a child notices when this process is killed.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.set(name, child);
    child.once('exit', (code, signal) => {
      if (revive && !closing) setTimeout(() => closing || serve(name, file, ...names), 200);
      else end(`${name} ended with ${signal ?? code}`);
    });
  };
  opened.defer(async () => {
    closing = true;
    await Promise.all([...children.values()].map(stop));
  });
  const urls = subgraphUrls(env.SUBGRAPH_URLS ?? '');
  for (const name of urls.keys()) serve(name, 'subgraphs/main.ts', name);
  serve('gateway', 'gateway/main.ts');
  const origins = [...[...urls.values()].map((url) => new URL(url).origin), `http://${env.HOST}:${env.PORT}`];
  await Promise.race([
    Promise.all(origins.map(ready)),
    ended.then((how) => Promise.reject(new Error(`${how} while the platform was starting`))),
  ]);
  return { url: `http://${env.HOST}:${env.PORT}/graphql`, ended, children };
}

/** Waits until a part answers its readiness probe, a minute at most. */
async function ready(origin: string): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  for (;;) {
    const answer = await fetch(`${origin}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    if (deadline.aborted) throw new Error(`${origin} did not become ready within a minute`);
    await sleep(50);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(timer);
}
