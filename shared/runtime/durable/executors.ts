/**
 * Which processes are alive, and who goes on with the sagas of one that is not. Each executor leaves a sign of
 * life every few seconds; whoever gets the lock hands the work of silent ones back to its queue. An executor
 * that was only frozen finds on waking that its sagas have another owner, and what it would remember is refused.
 */
import pg from 'pg';
import type { Logger } from 'pino';
import { DAY, HOUR, MINUTE, SECOND } from '../../kernel/time.ts';

export interface ExecutorsOptions {
  readonly databaseUrl: string;
  readonly schema: string;
  readonly executorId: string;
  readonly applicationName: string;
  readonly logger: Logger;
  readonly beatMs: number;
  readonly silentMs: number;
  /** True while this process runs the workflow. */
  readonly runsHere: (workflowId: string) => boolean;
  readonly forget: (workflowIds: string[]) => Promise<void>;
}

/** After this the id of a saga or job that ended may be used again. Parked ones are never forgotten. */
const forgottenAfterMs = 90 * DAY;
const forgottenAtOnce = 1_000;

export class Executors {
  readonly #options: ExecutorsOptions;
  readonly #pool: pg.Pool;
  readonly #parked = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #closed = false;
  #startedAt = 0;
  #healthySince: number | undefined;
  #nextForgettingAt = 0;

  constructor(options: ExecutorsOptions) {
    this.#options = options;
    this.#pool = new pg.Pool({
      connectionString: options.databaseUrl,
      max: 1,
      connectionTimeoutMillis: 5_000,
      query_timeout: 10_000,
      application_name: 'baton executors',
    });
    const onLost = (error: Error) => options.logger.warn({ err: error }, 'executors lost their connection');
    this.#pool.on('error', onLost);
    // A client that is checked out has no listener of the pool's, and an error without one ends the process.
    this.#pool.on('connect', (client) => client.on('error', onLost));
  }

  /** Leaves the first sign of life, so that nobody takes what this executor is about to claim. */
  async start(): Promise<void> {
    await this.#signOfLife();
    this.#startedAt = performance.now();
    this.#healthySince = this.#startedAt;
    this.#next();
  }

  #next(): void {
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat().finally(() => !this.#closed && this.#next());
    }, this.#options.beatMs);
  }

  async #beat(): Promise<void> {
    try {
      await this.#signOfLife();
      this.#healthySince ??= performance.now();
      await this.#pardonSurvivors();
      await this.#takeOver();
      await this.#reportParked();
      await this.#forgetEnded();
    } catch (error) {
      this.#healthySince = undefined;
      this.#options.logger.warn({ err: error }, 'no sign of life could be left');
    }
  }

  #signOfLife(): Promise<unknown> {
    return this.#pool.query(
      `insert into "${this.#options.schema}".executors (executor_id, seen_at) values ($1, clock_timestamp())
       on conflict (executor_id) do update set seen_at = excluded.seen_at`,
      [this.#options.executorId],
    );
  }

  /** What has run here for a minute does not kill its process: only quick deaths count towards parking. */
  async #pardonSurvivors(): Promise<void> {
    if (performance.now() - this.#startedAt < MINUTE) return;
    await this.#pool.query(
      `update "${this.#options.schema}".workflow_status set recovery_attempts = 1
       where status = 'PENDING' and executor_id = $1 and recovery_attempts > 1`,
      [this.#options.executorId],
    );
  }

  async #takeOver(): Promise<void> {
    const { schema, applicationName, executorId, silentMs, logger } = this.#options;
    // After an outage of the database everybody seems silent; whoever was cut off too is no judge of that.
    if (this.#healthySince === undefined || performance.now() - this.#healthySince < silentMs) return;
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      const { rows } = await client.query<{ locked: boolean }>(
        'select pg_try_advisory_xact_lock(hashtextextended($1, 1)) as locked',
        [`baton durable ${schema}`],
      );
      if (rows[0]?.locked) {
        const strays = await client.query<{ workflow_uuid: string; executor_id: string }>(
          `select workflow_uuid, executor_id from "${schema}".workflow_status w
           where status = 'PENDING' and application_name = $1 and queue_name is not null
             and ((executor_id = $2 and updated_at < (extract(epoch from clock_timestamp()) * 1000)::bigint - $3)
               or (executor_id <> $2 and not exists (
                    select from "${schema}".executors e
                    where e.executor_id = w.executor_id
                      and e.seen_at > clock_timestamp() - $3 * interval '1 millisecond')))`,
          [applicationName, executorId, silentMs],
        );
        const lost = strays.rows.filter(
          (row) => row.executor_id !== executorId || !this.#options.runsHere(row.workflow_uuid),
        );
        if (lost.length > 0) {
          await client.query(handBack(schema, 'workflow_uuid = any($1)'), [
            lost.map((row) => row.workflow_uuid),
          ]);
          const executors = [...new Set(lost.map((row) => row.executor_id))];
          logger.warn({ executors, count: lost.length }, 'sagas of silent executors go on');
        }
        await client.query(
          `delete from "${schema}".executors where seen_at < clock_timestamp() - interval '1 day'`,
        );
      }
      await client.query('commit');
      client.release();
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Sagas that took their process down again and again. */
  async #reportParked(): Promise<void> {
    const { rows } = await this.#pool.query<{ workflow_uuid: string }>(
      `select workflow_uuid from "${this.#options.schema}".workflow_status
       where status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' and application_name = $1`,
      [this.#options.applicationName],
    );
    for (const { workflow_uuid: run } of rows) {
      if (this.#parked.has(run)) continue;
      this.#parked.add(run);
      this.#options.logger.error(
        { alert: 'SAGA_PARKED', run },
        'saga parked: it did not outlive ten recoveries',
      );
    }
  }

  /** Hourly, in small portions: what has ended long ago would fill the disk. */
  async #forgetEnded(): Promise<void> {
    if (performance.now() < this.#nextForgettingAt) return;
    const { rows } = await this.#pool.query<{ workflow_uuid: string }>(
      `select workflow_uuid from "${this.#options.schema}".workflow_status
       where status = 'SUCCESS' and application_name = $1
         and completed_at < (extract(epoch from clock_timestamp()) * 1000)::bigint - $2
       limit ${forgottenAtOnce}`,
      [this.#options.applicationName, forgottenAfterMs],
    );
    if (rows.length > 0) await this.#options.forget(rows.map((row) => row.workflow_uuid));
    if (rows.length < forgottenAtOnce) this.#nextForgettingAt = performance.now() + HOUR;
  }

  /** No more beats; the sign of life last given stands. */
  async pause(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#beating;
  }

  /** Hands what this executor still holds back to the queue: nobody need wait for its silence. */
  async leave(): Promise<void> {
    await this.pause();
    const { schema, executorId, logger } = this.#options;
    try {
      await this.#pool.query(`${handBack(schema, 'executor_id = $1', ', recovery_attempts = 0')}`, [
        executorId,
      ]);
      await this.#pool.query(`delete from "${schema}".executors where executor_id = $1`, [executorId]);
    } catch (error) {
      logger.warn({ err: error }, 'left without a word: others take over after the silence');
    } finally {
      await this.#pool.end();
    }
  }
}

/** Recovery goes through the queue, so that exactly one executor claims each workflow. */
const handBack = (schema: string, which: string, also = ''): string =>
  `update "${schema}".workflow_status
   set status = 'ENQUEUED', owner_xid = null, started_at_epoch_ms = null,
       updated_at = (extract(epoch from clock_timestamp()) * 1000)::bigint${also}
   where status = 'PENDING' and queue_name is not null and ${which}`;

export const beatEvery = 5 * SECOND;
export const silentAfter = 30 * SECOND;
