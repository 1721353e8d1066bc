/**
 * `npm test [-- jest arguments]`: PostgreSQL (embedded, or the one of `DATABASE_URL`), a migrated template database, Jest,
 * and as the very last line `N passed, N failed`. Exits with 0 only when something ran and nothing failed.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { startPostgres } from '../runtime/postgres/postgres.ts';
import { openTestRun, type TestServer } from './test-databases.ts';
import { environmentWith, projectRoot, toolingConfig } from './tooling.config.ts';

/** What is read of Jest's own account. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numRuntimeErrorTestSuites: z.number(),
});

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const interrupted = new AbortController();
for (const signal of interruptions) process.on(signal, () => interrupted.abort(signal));

const outcome = await runTests().catch((error: unknown): Outcome => {
  console.error(error);
  return { passed: 0, failed: 1, skipped: 0 };
});
const skipped = outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : '';
console.log(`${outcome.passed} passed, ${outcome.failed} failed${skipped}`);
process.exitCode = outcome.failed > 0 || outcome.passed === 0 ? 1 : 0;

async function runTests(): Promise<Outcome> {
  const { databaseUrl } = toolingConfig();
  await using server = databaseUrl ? externalServer(databaseUrl) : await embeddedServer();
  await using run = await openTestRun(server, projectRoot, console.log);
  const folder = await mkdtemp(join(tmpdir(), 'baton-test-'));
  try {
    const reportFile = join(folder, 'report.json');
    const exitCode = await runJest(reportFile, {
      BATON_TEST_SERVER_URL: server.url,
      BATON_TEST_SUPERUSER_URL: server.superuserUrl,
      BATON_TEST_TEMPLATE: run.template,
      BATON_TEST_RUN: run.name,
    });
    const account = await readFile(reportFile, 'utf8').catch(() => undefined);
    if (account === undefined)
      throw new Error(`Jest ended with ${exitCode} and without an account of its tests`);
    return outcomeOf(report.parse(JSON.parse(account)), exitCode);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function embeddedServer(): Promise<TestServer & AsyncDisposable> {
  const server = await startPostgres({
    dataDir: join(projectRoot, '.data/test-postgres'),
    onProgress: console.log,
  });
  await forgetPowerCuts(server.superuserUrl('postgres'));
  return {
    url: server.url('postgres'),
    superuserUrl: server.superuserUrl('postgres'),
    migrationUrl: (database = 'postgres') => server.migrationUrl(database),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Tests kill processes, never the power: what reached the kernel survives, and clones are made much faster. */
async function forgetPowerCuts(superuserUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('alter system set fsync = off');
    await client.query('select pg_reload_conf()');
  } finally {
    await client.end();
  }
}

function externalServer(databaseUrl: string): TestServer & AsyncDisposable {
  return {
    url: databaseUrl,
    superuserUrl: databaseUrl,
    migrationUrl(database) {
      const url = new URL(databaseUrl);
      if (database) url.pathname = `/${database}`;
      return url.href;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Jest's exit code; an interruption is passed on to it, so that what it began is cleaned up here. */
async function runJest(reportFile: string, environment: Record<string, string>): Promise<number> {
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(projectRoot, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${reportFile}`,
      ...process.argv.slice(2),
    ],
    { cwd: projectRoot, stdio: 'inherit', env: environmentWith(environment) },
  );
  const stop = () => jest.kill('SIGTERM');
  if (interrupted.signal.aborted) stop();
  interrupted.signal.addEventListener('abort', stop);
  return new Promise((resolve, reject) => {
    jest.once('error', reject).once('exit', (code) => resolve(code ?? 1));
  });
}

/** A file that could not run counts as one failure, and so does a complaint of Jest's that no test accounts for. */
function outcomeOf(jest: z.infer<typeof report>, exitCode: number): Outcome {
  const failed = jest.numFailedTests + jest.numRuntimeErrorTestSuites;
  const unaccounted = exitCode !== 0 && failed === 0 && jest.numPassedTests > 0;
  return {
    passed: jest.numPassedTests,
    failed: unaccounted ? 1 : failed,
    skipped: jest.numPendingTests + jest.numTodoTests,
  };
}
