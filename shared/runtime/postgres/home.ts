import { execFile } from 'node:child_process';
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { canReach, type OsUser } from './binaries.ts';
import { PostgresFailure } from './failure.ts';

const run = promisify(execFile);

/** Everything of one database server on disk: `cluster/` (PostgreSQL's own), `password`, `port`, `postgres.log`. */
export interface PostgresHome {
  readonly folder: string;
  readonly cluster: string;
  /** The user that PostgreSQL runs as. It refuses to run as root. */
  readonly user: OsUser;
  /** Each role has a password of its own, derived from the secret in the file: a role's URL gives no other away. */
  passwordOf(role: string): string;
}

/**
 * Opens, or makes, the home of a server in `dataDir`. For root it moves to the system's state folder when PostgreSQL's
 * user may not pass one of the parents (a checkout below `/root`, say). Refuses with `DATABASE_HOME_FORBIDDEN`.
 */
export async function openHome(dataDir: string): Promise<PostgresHome> {
  const wanted = resolve(dataDir);
  await mkdir(wanted, { recursive: true });
  const root = process.getuid?.() === 0;
  const postgres: OsUser = root ? await postgresUser() : {};
  // The home itself may be passed through (a temporary folder may not, at first): its secrets are closed one by one.
  if (root) await chmod(wanted, (await stat(wanted)).mode | 0o111);
  const folder = await realpath((await canReach(wanted, postgres)) ? wanted : await openElsewhere(wanted));
  const cluster = join(folder, 'cluster');
  // Data that another user made stays theirs when root starts the server once.
  const owner = root ? await stat(cluster).catch(() => undefined) : undefined;
  const user = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : postgres;
  const secret = await secretIn(join(folder, 'password'));
  return {
    folder,
    cluster,
    user,
    passwordOf: (role) => createHmac('sha256', secret).update(role).digest('base64url'),
  };
}

async function postgresUser(): Promise<OsUser> {
  const ids = async () => {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  };
  try {
    return await ids();
  } catch {
    try {
      await run('groupadd', ['--system', '--force', 'postgres']);
      await run('useradd', [
        '--system',
        '--no-create-home',
        '-s',
        '/bin/false',
        '-g',
        'postgres',
        'postgres',
      ]);
    } catch (error) {
      // Two first starts at once: one of them makes the user, both may use it.
      return await ids().catch(() => {
        throw new PostgresFailure(
          'DATABASE_HOME_FORBIDDEN',
          `PostgreSQL does not run as root, and the user "postgres" could not be made: ${(error as Error).message}`,
        );
      });
    }
    return ids();
  }
}

async function openElsewhere(wanted: string): Promise<string> {
  const key = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  const parent = (await stat('/var/lib').catch(() => undefined)) ? '/var/lib' : tmpdir();
  const folder = join(parent, `baton-${key}`);
  await mkdir(folder, { recursive: true });
  // In a shared temporary folder somebody else may have made the name first.
  const { uid } = await lstat(folder);
  if (uid !== process.getuid?.()) {
    throw new PostgresFailure('DATABASE_HOME_FORBIDDEN', `${folder} belongs to somebody else (user ${uid})`);
  }
  await chmod(folder, 0o711);
  return folder;
}

/** Reads the secret, or makes it. Of two makers at once one wins, by `link`, which never replaces a file. */
async function secretIn(file: string): Promise<string> {
  const draft = `${file}.${randomUUID()}`;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new PostgresFailure(
        'DATABASE_HOME_FORBIDDEN',
        `${file} belongs to another user: ${(error as Error).message}`,
      );
    }
  }
  try {
    await writeFile(draft, randomBytes(32).toString('hex'), { mode: 0o600 });
    await link(draft, file).catch(() => undefined);
    return await readFile(file, 'utf8');
  } finally {
    await rm(draft, { force: true });
  }
}

/** Gives a new folder to the user that PostgreSQL runs as. */
export async function makeFolderFor(user: OsUser, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
}
