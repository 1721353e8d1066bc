/**
 * A subgraph is data, the runner is code: `defineSubgraph` names its parts, `openSubgraph` makes them run in
 * this process. Nothing here is global; two platforms can live in one process.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Answers, Contract } from '../kernel/contract.ts';
import type { Clock } from '../kernel/time.ts';
import type { Environment } from './config.ts';
import type { Contracts } from './contracts.ts';
import { Database, type Entities } from './database.ts';
import type { AnyJob, AnySaga, Durable } from './durable.ts';
import { createGraphContext, executableSchema, type Resolvers } from './graph.ts';
import { type Handler, Inbox } from './inbox.ts';
import { answerRoutes, type Route } from './routes.ts';
import { readSdl } from './sdl.ts';
import type { Secrets } from './secrets.ts';
import type { LocalSubgraph } from './server/local-subgraph.ts';
import type { Wakeups } from './wakeups.ts';

/** What a process lends to its subgraphs. */
export interface Process {
  readonly env: Environment;
  readonly databaseUrl: string;
  /** Where clients reach the gateway, without a trailing slash: for links in mails and upload addresses. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly secrets: Secrets;
  readonly durable: Durable;
  readonly contracts: Contracts;
  readonly wakeups: Wakeups;
  /** Called with every statement sent; tests only. */
  readonly onQuery?: (sql: string) => void;
}

/** What a composition root builds its services from. */
export interface SubgraphDeps<Config> extends Omit<Process, 'env' | 'onQuery'> {
  readonly config: Config;
  readonly db: Database;
}

export interface SubgraphParts {
  readonly resolvers: Resolvers;
  readonly handlers?: readonly Handler[];
  readonly sagas?: readonly AnySaga[];
  readonly jobs?: readonly AnyJob[];
  readonly routes?: readonly Route[];
  readonly contract?: Answering;
  /** Runs once everything of this process is open: seeds, recurring jobs. */
  start?(): Promise<void>;
  [Symbol.asyncDispose]?(): Promise<void>;
}

export interface Answering {
  readonly contract: Contract;
  readonly answers: Answers<Contract>;
}

/** Pairs a contract with its answers, with the types checked here. */
export const answer = <C extends Contract>(contract: C, answers: Answers<C>): Answering => ({
  contract,
  answers: answers as never,
});

export interface SubgraphDefinition<Config = unknown> {
  readonly name: string;
  /** `import.meta.url` of the composition root: SDL and migrations lie beside it. */
  readonly root: string;
  readonly config: (env: Environment) => Config;
  readonly entities: Entities;
  /** True where the subgraph keeps capacity or money in the two-phase ledger. */
  readonly ledger?: boolean;
  build(deps: SubgraphDeps<Config>): SubgraphParts | Promise<SubgraphParts>;
}

export const defineSubgraph = <Config>(definition: SubgraphDefinition<Config>): SubgraphDefinition<Config> =>
  definition;

export interface RunningSubgraph extends AsyncDisposable {
  readonly name: string;
  readonly local: LocalSubgraph;
  readonly db: Database;
  readonly inbox: Inbox;
  /** Begins to hear events; call once all subgraphs of the process are open. */
  start(): Promise<void>;
}

export const folderOf = (definition: SubgraphDefinition<never>): string =>
  fileURLToPath(new URL('.', definition.root));

export function openDatabase(
  definition: SubgraphDefinition<never>,
  url: string,
  { wakeups, onQuery, logger }: Partial<Pick<Process, 'wakeups' | 'onQuery' | 'logger'>> = {},
): Promise<Database> {
  return Database.open({
    url,
    schema: definition.name,
    entities: definition.entities,
    migrations: join(folderOf(definition), 'migrations'),
    onQuery,
    onTold: (publisher) => wakeups?.wake(`outbox:${publisher}`),
    onLostHint: (err) => logger?.error({ err, subgraph: definition.name }, 'a hint after a commit failed'),
  });
}

export async function openSubgraph(
  definition: SubgraphDefinition<never>,
  process: Process,
): Promise<RunningSubgraph> {
  const { env, databaseUrl, clock, contracts, durable, wakeups } = process;
  const logger = process.logger.child({ subgraph: definition.name });
  const config = definition.config(env);
  await using opening = new AsyncDisposableStack();
  const db = opening.use(await openDatabase(definition, databaseUrl, process));
  const parts = await definition.build({ ...process, config, db, logger });
  opening.defer(async () => parts[Symbol.asyncDispose]?.());
  const schema = executableSchema(await readSdl(folderOf(definition)), parts.resolvers, logger);
  durable.register(definition.name, { sagas: parts.sagas, jobs: parts.jobs });
  if (parts.contract) contracts.implement(parts.contract.contract, parts.contract.answers as never, db);
  const inbox = opening.use(new Inbox({ db, handlers: parts.handlers ?? [], clock, logger }));
  const opened = opening.move();
  return {
    name: definition.name,
    db,
    inbox,
    local: {
      name: definition.name,
      schema,
      createContext: createGraphContext,
      ready: () => db.read((em) => em.execute('select 1')).then(() => {}),
      fetchRoute: (request, facts) => answerRoutes(parts.routes ?? [], request, facts, logger),
    },
    async start() {
      await parts.start?.();
      inbox.start(wakeups);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
