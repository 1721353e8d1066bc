/** The keys of an installation: made at the first start, kept in a file that only its owner reads. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { accessKeySet } from '#shared/runtime/access-keys.ts';
import { Secrets } from '#shared/runtime/secrets.ts';

const Keys = z.object({ masterSecret: z.string().min(43), internalSecret: z.string().min(43) });

/** The environment variables that carry the keys to every process. */
export async function keyEnvironment(dataDir: string): Promise<Record<string, string>> {
  const { masterSecret, internalSecret } = await readKeys(join(dataDir, 'keys.json'));
  return {
    MASTER_SECRET: masterSecret,
    INTERNAL_SECRETS: `k1:${internalSecret}`,
    ACCESS_TOKEN_PUBLIC_KEYS: JSON.stringify(accessKeySet(new Secrets(masterSecret))),
  };
}

async function readKeys(path: string): Promise<z.output<typeof Keys>> {
  try {
    return Keys.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const secret = (): string => randomBytes(32).toString('base64url');
    const keys = { masterSecret: secret(), internalSecret: secret() };
    await mkdir(join(path, '..'), { recursive: true });
    // `wx`: of two first starts at once, one makes the keys and the other reads them.
    await writeFile(path, JSON.stringify(keys), { mode: 0o600, flag: 'wx' }).catch(() => {});
    return Keys.parse(JSON.parse(await readFile(path, 'utf8')));
  }
}
