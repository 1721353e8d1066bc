/**
 * Runs one of the project's TypeScript files on the project's own Node, after installing what is missing.
 * Plain JavaScript for any Node >= 20, because on a fresh machine it is the first thing that runs.
 *
 *   node shared/tooling/run.mjs <file.ts> [arguments…]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const stamp = join(root, 'node_modules/.baton-lock');
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const projectNode = join(root, 'node_modules/node/bin/node');

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockHash) {
  console.log('Installing dependencies (first run: about a minute)…');
  run('npm', ['ci', '--loglevel=error']);
  // With install scripts switched off the `node` package has no binary yet: run its script here.
  if (!existsSync(projectNode)) run('npm', ['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error']);
  writeFileSync(stamp, lockHash);
}

const child = spawn(projectNode, ['--disable-warning=ExperimentalWarning', ...process.argv.slice(2)], {
  cwd: root,
  // With a channel, so that the child notices when this process is killed.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env: {
    ...process.env,
    APOLLO_TELEMETRY_DISABLED: '1',
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'),
  },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)));
