/**
 * The durable port on DBOS: sagas and jobs are rows of the same PostgreSQL, so starting one is part of the
 * caller's commit and remembering a step survives `kill -9`. The SDK is a singleton of its process, and so is
 * this adapter: a second `openDbos` before the first is disposed is refused. One queue per subgraph, and a
 * process claims from the queues of the subgraphs registered here only.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { DBOS, DBOSWorkflowConflictError, type DLogger, type WorkflowQueue } from '@dbos-inc/dbos-sdk';
import { DBOSExecutor } from '@dbos-inc/dbos-sdk/internal/dbos-executor';
import { type BulkheadPolicy, bulkhead } from 'cockatiel';
import type { Logger } from 'pino';
import { z } from 'zod';
import { newId } from '../../kernel/ids.ts';
import { type Clock, SECOND, systemClock } from '../../kernel/time.ts';
import type { Transaction } from '../database.ts';
import type { AnyJob, AnySaga, Durable, JobName, RunState, SagaName } from '../durable.ts';
import { isTransient } from '../transient.ts';
import { Wakeups } from '../wakeups.ts';
import type { Bell, Engine, StepEvent } from './engine.ts';
import { beatEvery, Executors, silentAfter } from './executors.ts';
import { defaultSchema, migrateDurable, withSettings } from './migrate.ts';
import { type Outcome, Parked, runId, runJob, runSaga } from './run.ts';

export { migrateDurable } from './migrate.ts';

export interface DbosOptions {
  /** The database whose transactions start sagas. */
  readonly databaseUrl: string;
  readonly schema?: string;
  /** Stable per replica: a restarted process recovers its own sagas at once. */
  readonly executorId: string;
  readonly applicationName?: string;
  /** How often a queue is looked at when nothing in this process started a saga. */
  readonly queuePollMs?: number;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** The process's wake-ups of the same database; a pair of its own is opened where they are missing. */
  readonly wakeups?: Wakeups;
  /** Effects under way at the same time in this process; waiting sagas do not count. */
  readonly concurrentEffects?: number;
  readonly beatMs?: number;
  readonly silentMs?: number;
  /** Told of every point at which the process might die; for tests that let it die. */
  readonly onStep?: (event: StepEvent) => void;
}

/** Constant on purpose: sagas outlive deployments. A breaking change of a saga gets a new name. */
const applicationVersion = '1';
const maxRecoveryAttempts = 10;
const longestPollMs = 30 * SECOND;
const drainMs = 10 * SECOND;

type Definition = { readonly name: string };
type Run = (id: string, input: unknown, engine: Engine) => Promise<Outcome>;

let openInThisProcess = false;

/** Opens the process's one durable engine and migrates its tables. Refuses a second one with an error. */
export async function openDbos(options: DbosOptions): Promise<Durable> {
  if (openInThisProcess) throw new Error('DBOS is open in this process already: it can be open only once');
  openInThisProcess = true;
  try {
    const schema = options.schema ?? defaultSchema;
    await migrateDurable(options.databaseUrl, schema, quiet(options.logger));
    const wakeups = options.wakeups ?? (await Wakeups.open(options.databaseUrl, options.logger));
    return new DbosDurable({ ...options, schema }, wakeups, () => {
      openInThisProcess = false;
    });
  } catch (error) {
    openInThisProcess = false;
    throw error;
  }
}

class DbosDurable implements Durable {
  readonly #options: DbosOptions & { readonly schema: string };
  readonly #applicationName: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wakeups: Wakeups;
  readonly #onClosed: () => void;
  readonly #executors: Executors;
  readonly #gate: BulkheadPolicy;
  readonly #subgraphs = new Set<string>();
  readonly #queues = new Map<string, WorkflowQueue>();
  readonly #claims = new Map<string, { again: boolean; ended: Promise<void> }>();
  /** Sagas begin outside the async context of whatever request started them. */
  readonly #atRoot = AsyncLocalStorage.snapshot();
  readonly #closing = new AbortController();
  #underWay = 0;

  constructor(options: DbosOptions & { readonly schema: string }, wakeups: Wakeups, onClosed: () => void) {
    this.#options = options;
    this.#applicationName = options.applicationName ?? 'baton';
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger;
    this.#wakeups = wakeups;
    this.#onClosed = onClosed;
    this.#gate = bulkhead(options.concurrentEffects ?? 24, Number.MAX_SAFE_INTEGER);
    this.#executors = new Executors({
      databaseUrl: options.databaseUrl,
      schema: options.schema,
      executorId: options.executorId,
      applicationName: this.#applicationName,
      logger: options.logger,
      beatMs: options.beatMs ?? beatEvery,
      silentMs: options.silentMs ?? silentAfter,
      runsHere: (workflowId) => executor().systemDatabase.checkForRunningWorkflow(workflowId),
      forget: (workflowIds) => executor().systemDatabase.deleteWorkflows(workflowIds),
    });
  }

  register(subgraph: string, definitions: { sagas?: readonly AnySaga[]; jobs?: readonly AnyJob[] }): void {
    this.#subgraphs.add(subgraph);
    for (const saga of definitions.sagas ?? []) {
      this.#registerOne(subgraph, saga, (id, input, engine) => runSaga(saga, id, input, engine));
    }
    for (const job of definitions.jobs ?? []) {
      this.#registerOne(subgraph, job, (id, payload, engine) => runJob(job, id, payload, engine));
    }
  }

  async startSaga<Input>(tx: Transaction, saga: SagaName<Input>, id: string, input: Input): Promise<void> {
    await this.#enqueue(tx, saga, id, z.encode(saga.input, input), undefined);
  }

  wake(sagaId: string): void {
    this.#wakeups.wake(topicOf(sagaId));
  }

  async schedule<Payload>(
    tx: Transaction,
    job: JobName<Payload>,
    at: { id: string; runAt: Date },
    payload: Payload,
  ): Promise<void> {
    const inMs = at.runAt.getTime() - this.#clock.now().getTime();
    await this.#enqueue(tx, job, at.id, z.encode(job.payload, payload), inMs > 0 ? inMs : undefined);
  }

  async stateOf(definition: Definition, id: string): Promise<RunState | null> {
    const status = await DBOS.getWorkflowStatus(runId(definition.name, id));
    if (!status) return null;
    if (status.status === 'SUCCESS') return (status.output as Outcome).outcome;
    if (status.status === 'PENDING') return 'running';
    return status.status === 'ENQUEUED' || status.status === 'DELAYED' ? 'scheduled' : 'parked';
  }

  async resume(definition: Definition, id: string): Promise<boolean> {
    const run = runId(definition.name, id);
    const queueName = queueOf(definition);
    const status = await DBOS.getWorkflowStatus(run);
    if (status?.status === 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' || status?.status === 'CANCELLED') {
      await DBOS.resumeWorkflow(run, { queueName });
    } else if (status?.status === 'ERROR') {
      const steps = (await DBOS.listWorkflowSteps(run)) ?? [];
      const stoppedAt = steps.find((step) => step.error)?.functionID ?? (steps.at(-1)?.functionID ?? -1) + 1;
      await DBOS.rewindWorkflow(run, { startStep: stoppedAt, queueName, applicationVersion });
    } else {
      return false;
    }
    this.#claimSoon(queueName);
    return true;
  }

  async start(): Promise<void> {
    const { databaseUrl, schema, executorId, queuePollMs = 500, logger } = this.#options;
    await this.#executors.start();
    const queueNames = [...this.#subgraphs].map(queueOfSubgraph);
    DBOS.setConfig({
      name: this.#applicationName,
      systemDatabaseUrl: withSettings(
        databaseUrl,
        '-c lock_timeout=10s',
        '-c idle_in_transaction_session_timeout=60s',
      ),
      systemDatabaseSchemaName: schema,
      systemDatabasePoolSize: 10,
      applicationVersion,
      executorID: executorId,
      listenQueues: queueNames,
      logger: quiet(logger, () => this.#closing.signal.aborted),
      runMigrations: false,
      useListenNotify: false,
    });
    await this.#atRoot(() => DBOS.launch());
    for (const name of queueNames) {
      this.#queues.set(
        name,
        await DBOS.registerQueue(name, { minPollingIntervalMs: queuePollMs, onConflict: 'always_update' }),
      );
      this.#claimSoon(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const deadline = performance.now() + drainMs;
    while (this.#underWay > 0 && performance.now() < deadline) await sleep(10);
    await Promise.all([...this.#claims.values()].map((claim) => claim.ended));
    try {
      await this.#executors.pause();
      // Long enough for ended sagas to write down their end; waiting ones never end here.
      await DBOS.shutdown({ deregister: true, workflowCompletionTimeoutMS: 250 });
    } finally {
      await this.#executors.leave();
      if (!this.#options.wakeups) await this.#wakeups[Symbol.asyncDispose]();
      this.#onClosed();
    }
  }

  #registerOne(subgraph: string, definition: Definition, run: Run): void {
    if (subgraphOf(definition) !== subgraph) {
      throw new Error(`"${definition.name}" is registered by ${subgraph}, so it must be named ${subgraph}.…`);
    }
    const workflow = async (id: string, input: unknown): Promise<Outcome> => {
      try {
        return await run(id, input, this.#engine(definition.name, id));
      } catch (error) {
        throw this.#ending(definition.name, id, error);
      }
    };
    DBOS.registerWorkflow(workflow, { name: definition.name, maxRecoveryAttempts });
  }

  /** What DBOS shall see of an error that leaves a saga: an end of this run, or of the saga. */
  #ending(saga: string, sagaId: string, error: unknown): unknown {
    if (error instanceof DBOSWorkflowConflictError || this.#closing.signal.aborted) return error;
    // The engine itself lost its database. Giving up ownership leaves the saga to the next take-over.
    if (isTransient(error) && !(error instanceof Parked)) {
      this.#logger.warn({ saga, sagaId, err: error }, 'saga lost its engine and will go on');
      return new DBOSWorkflowConflictError(runId(saga, sagaId));
    }
    const step = error instanceof Parked ? error.step : undefined;
    this.#logger.error({ alert: 'SAGA_PARKED', saga, sagaId, step, err: error }, 'saga parked');
    return error;
  }

  async #enqueue(
    tx: Transaction,
    definition: Definition,
    id: string,
    input: unknown,
    inMs: number | undefined,
  ): Promise<void> {
    const queue = queueOf(definition);
    await tx.sql(
      `select "${this.#options.schema}".enqueue_workflow(
         workflow_name => ?, queue_name => ?, positional_args => array[to_json(?::text), ?::json],
         workflow_id => ?, app_version => ?, application_name => ?, delay_until_epoch_ms => ?::bigint)`,
      [
        definition.name,
        queue,
        id,
        JSON.stringify(input ?? null),
        runId(definition.name, id),
        applicationVersion,
        this.#applicationName,
        inMs === undefined ? null : systemClock.now().getTime() + inMs,
      ],
    );
    if (inMs === undefined) tx.afterCommit(() => this.#claimSoon(queue));
  }

  /** Claims what was just committed without waiting for the poll, which covers every failure in here. */
  #claimSoon(queueName: string): void {
    const queue = this.#queues.get(queueName);
    if (!queue || this.#closing.signal.aborted) return;
    const underWay = this.#claims.get(queueName);
    if (underWay) {
      underWay.again = true;
      return;
    }
    const claim = { again: false, ended: Promise.resolve() };
    claim.ended = this.#atRoot(() => this.#claim(queue))
      .catch((error) => this.#logger.debug({ err: error, queueName }, 'claim left to the poll'))
      .then(() => {
        this.#claims.delete(queueName);
        if (claim.again) this.#claimSoon(queueName);
      });
    this.#claims.set(queueName, claim);
  }

  async #claim(queue: WorkflowQueue): Promise<void> {
    const owner = newId();
    const { systemDatabase } = executor();
    const claimed = await systemDatabase.findAndMarkStartableWorkflows(
      queue,
      this.#options.executorId,
      applicationVersion,
      undefined,
      0,
      0,
      owner,
    );
    await executor().dispatchDequeuedWorkflows(claimed, owner);
  }

  #engine(saga: string, sagaId: string): Engine {
    const tell = (step: string, phase: StepEvent['phase']): void =>
      this.#options.onStep?.({ saga, sagaId, step, phase });
    return {
      clock: this.#clock,
      logger: this.#logger,
      longestPollMs,
      random: Math.random,
      remember: async (step, work) => {
        let ran = false;
        try {
          const result = await DBOS.runStep(
            async () => {
              this.#underWay += 1;
              ran = true;
              await this.#unlessClosing();
              tell(step, 'before');
              const value = await work();
              tell(step, 'effect done');
              return value;
            },
            { name: step },
          );
          if (ran) tell(step, 'remembered');
          return result;
        } finally {
          if (ran) this.#underWay -= 1;
        }
      },
      attempt: (effect) =>
        this.#gate.execute(async () => {
          await this.#unlessClosing();
          return effect();
        }),
      pause: (milliseconds) => this.#idle(sleep(milliseconds, undefined, { ref: false })),
      bell: () => this.#bell(sagaId),
    };
  }

  #bell(sagaId: string): Bell {
    let rung = false;
    let ring = (): void => {};
    const silence = this.#wakeups.on(topicOf(sagaId), () => {
      rung = true;
      ring();
    });
    return {
      wait: async (milliseconds) => {
        const awake = new AbortController();
        const rings = new Promise<void>((resolve) => {
          ring = resolve;
          if (rung) resolve();
        });
        const timer = sleep(milliseconds, undefined, { signal: awake.signal, ref: false }).catch(() => {});
        await this.#idle(Promise.race([rings, timer]));
        awake.abort();
        rung = false;
      },
      [Symbol.dispose]: silence,
    };
  }

  /** Waits without holding up a shutdown; does not come back once there is one. */
  async #idle(waiting: Promise<unknown>): Promise<void> {
    this.#underWay -= 1;
    await waiting;
    this.#underWay += 1;
    await this.#unlessClosing();
  }

  /** A saga that must stop is left where it is, for an error would be remembered as its end. */
  async #unlessClosing(): Promise<void> {
    if (!this.#closing.signal.aborted) return;
    this.#underWay -= 1;
    await new Promise(() => {});
  }
}

const subgraphOf = ({ name }: Definition): string => name.slice(0, name.indexOf('.'));
const queueOfSubgraph = (subgraph: string): string => `baton.${subgraph}`;
const queueOf = (definition: Definition): string => queueOfSubgraph(subgraphOf(definition));
const topicOf = (sagaId: string): string => `saga/${sagaId}`;

function executor(): DBOSExecutor {
  if (!DBOSExecutor.globalInstance) throw new Error('the durable engine has not been started');
  return DBOSExecutor.globalInstance;
}

/** The engine's own log, one level lower: what matters to operators is logged here, once. */
function quiet(logger: Logger, isClosing = () => false): DLogger {
  return {
    debug: (entry) => logger.trace({ engine: 'dbos' }, String(entry)),
    info: (entry) => logger.debug({ engine: 'dbos' }, String(entry)),
    warn: (entry) => logger[isClosing() ? 'debug' : 'warn']({ engine: 'dbos' }, String(entry)),
    error: (entry, metadata) => {
      if (!(metadata?.error instanceof Parked)) {
        logger.warn({ engine: 'dbos', err: metadata?.error }, String(entry));
      }
    },
  };
}
