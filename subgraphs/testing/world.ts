/**
 * A few subgraphs, or all, on a database of their own with a clock that stands still and deterministic sagas
 * and jobs: what their tests run on. Nothing moves unless the test settles it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionResult, execute, type GraphQLError, parse, validate } from 'graphql';
import { z } from 'zod';
import type { Caller, Contract } from '#shared/kernel/contract.ts';
import type { EventDefinition, PayloadOf } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { after, parseDuration } from '#shared/kernel/time.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import type { Environment } from '#shared/runtime/config.ts';
import { Contracts } from '#shared/runtime/contracts.ts';
import type { Database } from '#shared/runtime/database.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { Secrets } from '#shared/runtime/secrets.ts';
import {
  type Answering,
  openSubgraph,
  type Process,
  type RunningSubgraph,
} from '#shared/runtime/subgraph.ts';
import { Wakeups } from '#shared/runtime/wakeups.ts';
import { ManualClock } from '#shared/testing/clock.ts';
import { DeterministicDurable } from '#shared/testing/durable.ts';
import { testDatabase } from '#shared/testing/postgres.ts';
import { loadSubgraphs } from '../registry.ts';

export interface WorldOptions {
  /** Names of the subgraphs to run. */
  readonly subgraphs: readonly string[];
  readonly env?: Environment;
  /** Answers of subgraphs that this world does not run. */
  readonly contracts?: readonly Answering[];
  readonly clock?: ManualClock;
  readonly durable?: DeterministicDurable;
  /** Where the world claims to be reached; nothing answers there. */
  readonly publicUrl?: string;
}

/** Answers to queries written as text have no static type. */
type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly data: Json;
  readonly errors: readonly GraphQLError[];
  /** Codes of the errors, in their order. */
  readonly codes: readonly unknown[];
  /** Details of the errors, in their order; empty objects where there are none. */
  readonly details: readonly Json[];
}

export class World implements AsyncDisposable {
  readonly clock: ManualClock;
  readonly durable: DeterministicDurable;
  readonly shared: Process;
  readonly #subgraphs = new Map<string, RunningSubgraph>();
  readonly #resources: AsyncDisposableStack;
  #queries = 0;
  #outboxes: string[] | undefined;

  constructor(
    shared: Process,
    clock: ManualClock,
    durable: DeterministicDurable,
    resources: AsyncDisposableStack,
  ) {
    this.shared = { ...shared, onQuery: () => (this.#queries += 1) };
    this.clock = clock;
    this.durable = durable;
    this.#resources = resources;
  }

  async open(options: WorldOptions): Promise<void> {
    for (const { definition } of await loadSubgraphs(options.subgraphs)) {
      this.#subgraphs.set(definition.name, this.#resources.use(await openSubgraph(definition, this.shared)));
    }
    const first = this.#subgraphs.values().next().value;
    for (const { contract, answers } of options.contracts ?? [])
      this.shared.contracts.implement(contract, answers, first!.db);
    await this.durable.start();
  }

  subgraph(name: string): RunningSubgraph {
    const found = this.#subgraphs.get(name);
    if (!found) throw new RangeError(`this world does not run ${name}`);
    return found;
  }

  database(name: string): Database {
    return this.subgraph(name).db;
  }

  /** Executes one operation against one subgraph, as the gateway would in memory. */
  async execute(
    subgraph: string,
    text: string,
    variables: Record<string, unknown> = {},
    viewer: Viewer = anonymous,
  ): Promise<Answer> {
    const { local } = this.subgraph(subgraph);
    const document = parse(text);
    const faults = validate(local.schema, document);
    if (faults.length > 0) throw new AggregateError(faults, faults.map((fault) => fault.message).join('\n'));
    const contextValue = local.createContext({
      viewer,
      requestId: newId(),
      signal: new AbortController().signal,
    });
    const result = (await execute({
      schema: local.schema,
      document,
      variableValues: variables,
      contextValue,
    })) as ExecutionResult;
    const errors = result.errors ?? [];
    return {
      data: result.data,
      errors,
      codes: errors.map((error) => error.extensions.code),
      details: errors.map((error) => error.extensions.details ?? {}),
    };
  }

  /** Fetches entities of one subgraph by their representations, as the gateway does for a join. */
  async entities(
    subgraph: string,
    representations: readonly object[],
    selection: string,
    viewer: Viewer = anonymous,
  ): Promise<Answer> {
    const answer = await this.execute(
      subgraph,
      `query ($representations: [_Any!]!) { _entities(representations: $representations) ${selection} }`,
      { representations },
      viewer,
    );
    return { ...answer, data: answer.data?._entities };
  }

  route(subgraph: string, request: Request, viewer: Viewer = anonymous): Promise<Response> {
    return this.subgraph(subgraph).local.fetchRoute!(request, {
      viewer,
      requestId: newId(),
      signal: new AbortController().signal,
    });
  }

  ask<C extends Contract>(contract: C): Caller<C> {
    return this.shared.contracts.caller(contract);
  }

  /** Tells a fact as its publisher would; `settle` delivers it. */
  async hear<E extends EventDefinition>(event: E, payload: PayloadOf<E>): Promise<void> {
    const encoded = z.encode(event.payload, payload as never) as Record<string, unknown>;
    const key = String(encoded[event.key]);
    const outbox = `"${event.publisher}".outbox`;
    await this.#anyDatabase.transaction((tx) =>
      tx.sql(
        `with next as (
           insert into "${event.publisher}".outbox_keys (key, last_seq) values (?, 1)
           on conflict (key) do update set last_seq = outbox_keys.last_seq + 1 returning last_seq)
         insert into ${outbox} (id, event, version, key, key_seq, payload)
         select ?::uuid, ?, ?, ?, last_seq, ?::jsonb from next`,
        [key, newId(), event.name, event.version, key, JSON.stringify(encoded)],
      ),
    );
  }

  /** Payloads of an event told so far, in order. */
  async told<E extends EventDefinition>(event: E): Promise<PayloadOf<E>[]> {
    const rows = await this.#anyDatabase.read((em) =>
      em.execute<{ payload: unknown }[]>(
        `select payload from "${event.publisher}".outbox where event = ? order by xid, position`,
        [event.name],
      ),
    );
    return rows.map(({ payload }) => z.decode(event.payload, payload as never)) as PayloadOf<E>[];
  }

  /** Delivers facts and runs sagas and jobs until nothing moves at the present time. */
  async settle(): Promise<void> {
    do {
      await this.#drain();
      await this.durable.settle();
    } while ((await this.#drain()) > 0);
  }

  /** Moves the clock, stopping and settling wherever something is due on the way. */
  async pass(duration: string | number): Promise<void> {
    const milliseconds = typeof duration === 'number' ? duration : parseDuration(duration);
    const end = after(this.clock.now(), milliseconds);
    await this.settle();
    for (;;) {
      const due = this.durable.nextDueAt();
      if (!due || due > end) break;
      if (due > this.clock.now()) await this.clock.set(due);
      await this.settle();
    }
    await this.clock.set(end);
    await this.settle();
  }

  async #drain(): Promise<number> {
    let handled = 0;
    do {
      for (const { inbox } of this.#subgraphs.values()) handled += await inbox.drain();
    } while (await this.#heldBack());
    return handled;
  }

  /** Facts become audible once no older transaction runs on the server, be it in another test's database. */
  async #heldBack(): Promise<boolean> {
    this.#outboxes ??= await this.#anyDatabase.read(async (em) => {
      const rows = await em.execute<{ name: string }[]>(
        `select table_schema as name from information_schema.tables where table_name = 'outbox'`,
      );
      return rows.map(({ name }) => name);
    });
    const told = this.#outboxes.map((name) => `select xid from "${name}".outbox`).join(' union all ');
    const [row] = await this.#anyDatabase.read((em) =>
      em.execute<{ held: boolean }[]>(
        `select exists (select 1 from (${told}) told where xid >= pg_snapshot_xmin(pg_current_snapshot())) as held`,
      ),
    );
    if (row!.held) await sleep(5);
    return row!.held;
  }

  /** How many statements `work` sent. */
  async countQueries(work: () => Promise<unknown>): Promise<number> {
    const before = this.#queries;
    await work();
    return this.#queries - before;
  }

  get #anyDatabase(): Database {
    return this.#subgraphs.values().next().value!.db;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }
}

export async function startWorld(options: WorldOptions): Promise<World> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await testDatabase());
  const logger = createLogger(options.env?.LOG_LEVEL ?? 'silent');
  const wakeups = opening.use(await Wakeups.open(database.url, logger));
  const clock = options.clock ?? new ManualClock();
  const durable = opening.use(options.durable ?? new DeterministicDurable({ clock }));
  const shared: Process = {
    // Worlds run side by side: none may have a fixed port.
    env: { SIMULATOR_PORT: '0', ...options.env },
    databaseUrl: database.url,
    publicUrl: options.publicUrl ?? 'http://baton.test',
    clock,
    logger,
    secrets: new Secrets(Buffer.alloc(32, 7).toString('base64url')),
    durable,
    contracts: new Contracts(),
    wakeups,
  };
  const world = new World(shared, clock, durable, opening.move());
  try {
    await world.open(options);
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
  return world;
}
