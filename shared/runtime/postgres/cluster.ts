import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PostgresFailure } from './failure.ts';
import { makeFolderFor, type PostgresHome } from './home.ts';

const run = promisify(execFile);

/** The first four lines of `postmaster.pid`, which PostgreSQL keeps beside its data while it runs. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

export async function readPostmaster(home: PostgresHome): Promise<Postmaster | undefined> {
  const text = await readFile(join(home.cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , port] = text.split('\n').map(Number);
  return pid && port ? { pid, port } : undefined;
}

/**
 * Makes the cluster when there is none. It becomes visible by one rename, so that neither a crash in the middle nor a
 * second maker at the same time leaves half a cluster. Refuses with `DATABASE_VERSION` and `DATABASE_INIT_FAILED`.
 */
export async function ensureCluster(home: PostgresHome, bin: string, onProgress?: (message: string) => void) {
  const [made, server] = await Promise.all([
    readFile(join(home.cluster, 'PG_VERSION'), 'utf8').catch(() => undefined),
    run(join(bin, 'postgres'), ['--version'], { ...home.user, cwd: home.folder, timeout: 10_000 }),
  ]);
  if (made !== undefined) {
    if (!server.stdout.includes(` ${made.trim()}.`)) {
      throw new PostgresFailure(
        'DATABASE_VERSION',
        `${home.cluster} was made by PostgreSQL ${made.trim()}, this is ${server.stdout.trim()}: move the data over`,
      );
    }
    return;
  }
  const workshop = join(home.folder, `making-${randomUUID()}`);
  const telling = setTimeout(() => onProgress?.('Preparing the database for its first start…'), 1_000);
  try {
    await makeFolderFor(home.user, workshop);
    await writeFile(join(workshop, 'password'), home.passwordOf('postgres'), { mode: 0o644 });
    await run(
      join(bin, 'initdb'),
      [
        `--pgdata=${join(workshop, 'cluster')}`,
        '--username=postgres',
        `--pwfile=${join(workshop, 'password')}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { ...home.user, cwd: workshop, timeout: 120_000, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } },
    );
    await rename(join(workshop, 'cluster'), home.cluster).catch(async (error) => {
      if (!(await stat(join(home.cluster, 'PG_VERSION')).catch(() => undefined))) throw error;
    });
  } catch (error) {
    throw new PostgresFailure(
      'DATABASE_INIT_FAILED',
      `no database in ${home.folder}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  } finally {
    clearTimeout(telling);
    await rm(workshop, { recursive: true, force: true });
  }
}

/**
 * Removes a `postmaster.pid` whose process number now belongs to something else, or to a dead process that nobody has
 * buried yet: PostgreSQL itself would refuse to start for ever. A server that still holds the data keeps its shared
 * memory, so PostgreSQL refuses a second one even without the file.
 */
export async function removeForeignPid(home: PostgresHome): Promise<void> {
  const postmaster = await readPostmaster(home);
  if (!postmaster) return;
  const command = await commandOf(postmaster.pid);
  if (command === undefined || command.includes(home.cluster)) return;
  if ((await readPostmaster(home))?.pid === postmaster.pid) await rm(join(home.cluster, 'postmaster.pid'));
}

/** Whether the server with this process number still has the cluster; one that was killed leaves its file behind. */
export async function isRunning(home: PostgresHome, pid: number): Promise<boolean> {
  if ((await readPostmaster(home))?.pid !== pid) return false;
  return (await commandOf(pid))?.includes(home.cluster) ?? false;
}

/** The command line of a process, empty for a dead one that nobody has buried, undefined where the system knows none. */
async function commandOf(pid: number): Promise<string | undefined> {
  const proc = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (proc !== undefined) return proc;
  return run('ps', ['-p', String(pid), '-o', 'command='], { timeout: 5_000 }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}
