/** Finds the machine's Chromium; on a fresh Debian machine, as root, installs it once. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { browserConfig } from './browser.config.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** `flock` makes test workers that need it at the same time wait for one installation. */
const lock = join(tmpdir(), 'baton-chromium.lock');
const installation = `flock '${lock}' sh -c 'command -v chromium ||
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends chromium fonts-liberation; }'`;
const INSTALLATION_LIMIT_MS = 8 * 60_000;

/** Path of a Chromium. Says what to do where there is none and none can be installed. */
export async function findChromium(): Promise<string> {
  const { chromiumPath, searchPath } = browserConfig();
  if (chromiumPath) {
    if (await isProgram(chromiumPath)) return chromiumPath;
    throw new Error(`CHROMIUM_PATH: ${chromiumPath} is no program`);
  }
  const found = await search(searchPath);
  if (found) return found;
  if (process.getuid?.() !== 0 || !(await isProgram('/usr/bin/apt-get')))
    throw new Error('No Chromium here: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH');
  console.log('No Chromium here: installing it with apt-get, once for this machine…');
  await promisify(execFile)('sh', ['-c', installation], {
    timeout: INSTALLATION_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`apt-get could not install Chromium: ${error.stderr?.trim() || error.message}`);
  });
  const installed = await search(searchPath);
  if (installed) return installed;
  throw new Error('apt-get installed Chromium, but it is not on PATH: set CHROMIUM_PATH');
}

async function search(folders: readonly string[]): Promise<string | undefined> {
  for (const name of names)
    for (const folder of folders) if (await isProgram(join(folder, name))) return join(folder, name);
  return undefined;
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
