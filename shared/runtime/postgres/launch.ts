import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { readPostmaster, removeForeignPid } from './cluster.ts';
import { PostgresFailure } from './failure.ts';
import type { PostgresHome } from './home.ts';

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '300',
  fsync: 'on',
  synchronous_commit: 'on',
  idle_in_transaction_session_timeout: '30s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  client_connection_check_interval: '10s',
  log_checkpoints: 'off',
};

export const SUPERUSER = 'postgres';
export const SERVICE = 'baton';
export const MIGRATOR = 'baton_migrator';

/** Held shared by every launcher while it uses the server, and by the one that leaves last while it stops it. */
export const PRESENCE_LOCK = 4_242_001;
const ROLES_LOCK = 4_242_002;

const STALE_WAIT_MS = 10_000;
/** Crash recovery replays the write-ahead log, which may take a while. */
const RECOVERY_WAIT_MS = 120_000;
const LOG_LIMIT_BYTES = 10_000_000;
const CANNOT_CONNECT_NOW = '57P03';

/** A server that answers, and the session by which this launcher says that it uses it. */
export interface Entered {
  readonly pid: number;
  readonly port: number;
  readonly adopted: boolean;
  readonly presence: pg.Client;
}

/** Adopts the running server or launches one; the two race with other launchers until one of the servers answers. */
export async function enterOrLaunch(home: PostgresHome, bin: string): Promise<Entered> {
  const startedAt = performance.now();
  const waited = () => performance.now() - startedAt;
  let port = await keptPort(home);
  let child: Launched | undefined;
  for (;;) {
    const running = await readPostmaster(home);
    let problem: unknown;
    if (running) {
      try {
        const presence = await enter(home, running.port);
        const adopted = running.pid !== child?.process.pid;
        if (!adopted) await writeFile(join(home.folder, 'port'), String(running.port));
        return { ...running, presence, adopted };
      } catch (error) {
        problem = error;
      }
    }
    const recovering = problem instanceof pg.DatabaseError && problem.code === CANNOT_CONNECT_NOW;
    const starting =
      child !== undefined && child.process.exitCode === null && child.process.signalCode === null;
    if (child && !starting) {
      const log = (await readFile(child.log, 'utf8')).slice(child.logStart);
      if (/could not (bind|create any TCP)/.test(log)) port = await freePort();
      else if (/lock file .* already exists/.test(log)) await removeForeignPid(home);
      problem ??= new Error(log.trim().split('\n').slice(-3).join(' '));
    }
    if (waited() > (starting || recovering ? RECOVERY_WAIT_MS : STALE_WAIT_MS)) {
      throw new PostgresFailure(
        'DATABASE_NOT_STARTED',
        `the server of ${home.folder} neither answers nor lets another start (see its postgres.log): ${(problem as Error)?.message}`,
        { cause: problem },
      );
    }
    if (!starting && !recovering) child = await launch(home, bin, port);
    await sleep(starting ? 20 : 50);
  }
}

interface Launched {
  readonly process: ChildProcess;
  readonly log: string;
  /** Where this server's lines begin in the log. */
  readonly logStart: number;
}

/** Detached, and logging to a file: the server must survive the death of this process and a Ctrl-C in its terminal. */
async function launch(home: PostgresHome, bin: string, port: number): Promise<Launched> {
  const log = join(home.folder, 'postgres.log');
  let logStart = (await stat(log).catch(() => undefined))?.size ?? 0;
  if (logStart > LOG_LIMIT_BYTES) {
    await rename(log, `${log}.previous`);
    logStart = 0;
  }
  const output = openSync(log, 'a', 0o600);
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(bin, 'postgres'), ['-D', home.cluster, '-p', String(port), ...flags], {
    ...home.user,
    cwd: home.folder,
    detached: true,
    stdio: ['ignore', output, output],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  });
  closeSync(output);
  await new Promise<void>((spawned, failed) => child.once('spawn', spawned).once('error', failed));
  child.unref();
  return { process: child, log, logStart };
}

/**
 * Says that this launcher uses the server: a session that holds the presence lock, shared, and so ends with the process.
 * Throws when the server is not this folder's, not ready, or just being stopped.
 */
async function enter(home: PostgresHome, port: number): Promise<pg.Client> {
  const presence = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password: home.passwordOf(SUPERUSER),
    database: 'postgres',
    connectionTimeoutMillis: 3_000,
    application_name: `launcher ${process.pid}`,
    keepAlive: true,
  });
  presence.on('error', () => undefined);
  try {
    await presence.connect();
    const { rows } = await presence.query<{ data_directory: string }>('show data_directory');
    if (rows[0]?.data_directory !== home.cluster)
      throw new Error(`port ${port} serves ${rows[0]?.data_directory}`);
    await presence.query(`select pg_advisory_lock_shared(${PRESENCE_LOCK})`);
    await presence.query(rolesSql(home, presence));
    return presence;
  } catch (error) {
    await presence.end().catch(() => undefined);
    throw error;
  }
}

/**
 * The services' role owns every database and is no superuser. The migrator logs in with limits of its own (none) and
 * acts as the services' role from its first statement.
 */
function rolesSql(home: PostgresHome, client: pg.Client): string {
  const role = (name: string) => `
    do $$ begin
      if not exists (select from pg_roles where rolname = '${name}') then create role ${name} login createdb; end if;
    end $$;
    alter role ${name} password ${client.escapeLiteral(home.passwordOf(name))};`;
  return `
    begin;
    select pg_advisory_xact_lock(${ROLES_LOCK});
    ${role(SERVICE)}
    alter role ${SERVICE} set lock_timeout = '2s';
    alter role ${SERVICE} set statement_timeout = '15s';
    ${role(MIGRATOR)}
    grant ${SERVICE} to ${MIGRATOR};
    alter role ${MIGRATOR} set role = '${SERVICE}';
    commit;`;
}

async function keptPort(home: PostgresHome): Promise<number> {
  const kept = Number(await readFile(join(home.folder, 'port'), 'utf8').catch(() => ''));
  return Number.isInteger(kept) && kept > 0 && kept < 65_536 ? kept : freePort();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', listening);
  });
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
