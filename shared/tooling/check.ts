/** `npm run check`: everything a machine can hold against the sources without running them; exits with 1 on any cross. */
import { spawn } from 'node:child_process';
import { projectRoot } from './tooling.config.ts';

interface Check {
  readonly name: string;
  /** A program for Node, from the project's root, and its arguments. */
  readonly command: readonly [file: string, ...args: string[]];
}

const checks: readonly Check[] = [
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  {
    name: 'types of what runs in browsers',
    command: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.browser.json'],
  },
  { name: 'format and lint', command: ['node_modules/@biomejs/biome/bin/biome', 'check', '.'] },
  {
    name: 'import rules',
    command: [
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config=.dependency-cruiser.mjs',
      'shared',
      'subgraphs',
      'schema',
      'gateway',
    ],
  },
  { name: 'schema composes as committed', command: ['schema/compose.ts', '--check'] },
  { name: 'generated types as committed', command: ['schema/codegen.ts', '--check'] },
  { name: 'migrations cover the entities', command: ['subgraphs/migrate.ts', '--check'] },
];

const LIMIT_MS = 10 * 60_000;

let failed = false;
for (const check of checks) {
  const startedAt = performance.now();
  const { exitCode, output } = await run(check.command);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${exitCode === 0 ? '✔' : '✘'} ${check.name} (${seconds} s)`);
  if (exitCode !== 0) {
    failed = true;
    console.log(output.trimEnd().replaceAll(/^/gm, '    '));
  }
}
process.exitCode = failed ? 1 : 0;

async function run(command: Check['command']): Promise<{ exitCode: number; output: string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...command], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (signal) output += `\nended by ${signal} after at most ${LIMIT_MS / 60_000} minutes`;
      resolve({ exitCode: code ?? 1, output });
    });
  });
}
