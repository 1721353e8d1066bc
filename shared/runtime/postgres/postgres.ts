/**
 * The embedded PostgreSQL: a real server from npm, on loopback, with its data in one folder. It owns that folder and the
 * server process, and promises one server per folder whatever is killed: PostgreSQL's own `postmaster.pid` is the lock,
 * every start tries to adopt before it launches, and a server that outlives its launcher is adopted by the next.
 * The last launcher to leave stops the server. Called by the platform's start, the test runner and fault tests.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { postgresBinaries } from './binaries.ts';
import { ensureCluster, isRunning } from './cluster.ts';
import { openHome, type PostgresHome } from './home.ts';
import { type Entered, enterOrLaunch, MIGRATOR, PRESENCE_LOCK, SERVICE, SUPERUSER } from './launch.ts';

export interface PostgresOptions {
  /** Holds the data, the password and the log; made when missing. */
  readonly dataDir: string;
  readonly logger?: { info(message: string): void };
  /** Told in words for a person when the first start takes more than a second. */
  readonly onProgress?: (message: string) => void;
  /** Whether a server that dies under this launcher is started again, on the same port; true when not given. */
  readonly restart?: boolean;
}

export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Whether the server was running already. */
  readonly adopted: boolean;
  /** For services: the role waits 2 s for a lock and 15 s for a statement. */
  url(database: string): string;
  /** For migrations and other patient work: the same rights, no such limits; what it makes belongs to the services' role. */
  migrationUrl(database: string): string;
  /** For operators and for tests of faults: no rule of the database holds it. */
  superuserUrl(database: string): string;
  ensureDatabase(name: string): Promise<void>;
  createDatabaseFromTemplate(name: string, template: string): Promise<void>;
  /** Ends the sessions that still use it; a database that is not there is no error. */
  dropDatabase(name: string): Promise<void>;
}

/** Starts the server of `dataDir`, or adopts it when it runs. Refuses with a `PostgresFailure`. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const home = await openHome(options.dataDir);
  const bin = await postgresBinaries(home.folder, home.user);
  await ensureCluster(home, bin, options.onProgress);
  const launch = () => enterOrLaunch(home, bin);
  const entered = await launch();
  options.logger?.info(
    `PostgreSQL ${entered.adopted ? 'was running' : 'started'} on port ${entered.port}, data in ${home.folder}`,
  );
  return new RunningPostgres(home, entered, options, launch);
}

class RunningPostgres implements Postgres {
  readonly adopted: boolean;
  readonly #home: PostgresHome;
  readonly #options: PostgresOptions;
  readonly #launch: () => Promise<Entered>;
  #entered: Entered;
  #recovery: Promise<void> | undefined;
  #left = false;

  constructor(
    home: PostgresHome,
    entered: Entered,
    options: PostgresOptions,
    launch: () => Promise<Entered>,
  ) {
    this.adopted = entered.adopted;
    this.#home = home;
    this.#options = options;
    this.#launch = launch;
    this.#entered = entered;
    this.#watch();
  }

  get port(): number {
    return this.#entered.port;
  }

  get pid(): number {
    return this.#entered.pid;
  }

  url(database: string): string {
    return this.#url(SERVICE, database);
  }

  migrationUrl(database: string): string {
    return this.#url(MIGRATOR, database);
  }

  superuserUrl(database: string): string {
    return this.#url(SUPERUSER, database);
  }

  async ensureDatabase(name: string): Promise<void> {
    await this.#asService(async (client) => {
      const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
      if (rowCount) return;
      await client.query(`create database ${client.escapeIdentifier(name)}`).catch((error) => {
        if (!isDuplicate(error)) throw error;
      });
    });
  }

  async createDatabaseFromTemplate(name: string, template: string): Promise<void> {
    await this.#asService((client) =>
      client.query(
        `create database ${client.escapeIdentifier(name)} template ${client.escapeIdentifier(template)}`,
      ),
    );
  }

  async dropDatabase(name: string): Promise<void> {
    await this.#asService((client) =>
      client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.#recovery;
    const { presence } = this.#entered;
    try {
      await presence.query(`select pg_advisory_unlock_shared(${PRESENCE_LOCK})`);
      const { rows } = await presence.query<{ last: boolean }>(
        `select pg_try_advisory_lock(${PRESENCE_LOCK}) as last`,
      );
      if (rows[0]?.last) await this.#stop();
    } catch (error) {
      this.#options.logger?.info(`PostgreSQL was gone before it was stopped: ${(error as Error).message}`);
    }
    await presence.end().catch(() => undefined);
  }

  async #stop(): Promise<void> {
    process.kill(this.pid, 'SIGINT');
    const deadline = performance.now() + 30_000;
    while (performance.now() < deadline && (await isRunning(this.#home, this.pid))) await sleep(10);
  }

  #watch(): void {
    if (this.#options.restart === false) return;
    this.#entered.presence.once('end', () => {
      if (!this.#left) this.#recovery = this.#recover();
    });
  }

  async #recover(): Promise<void> {
    const { port } = this.#entered;
    this.#options.logger?.info('PostgreSQL died, starting it again');
    try {
      this.#entered = await this.#launch();
      if (this.port !== port)
        this.#options.logger?.info(`PostgreSQL moved from port ${port} to ${this.port}`);
      this.#watch();
    } catch (error) {
      this.#options.logger?.info(`PostgreSQL cannot be started again: ${(error as Error).message}`);
    }
  }

  #url(role: string, database: string): string {
    const password = encodeURIComponent(this.#home.passwordOf(role));
    return `postgresql://${role}:${password}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`;
  }

  async #asService<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.migrationUrl('postgres'),
      connectionTimeoutMillis: 5_000,
    });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

/** Two makers of one database: PostgreSQL tells the second either of two ways. */
function isDuplicate(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '42P04' || error.code === '23505');
}
