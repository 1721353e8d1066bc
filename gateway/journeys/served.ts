/** A platform in a process of its own, for tests that must be able to kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '#shared/runtime/config.ts';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { inheritedEnvironment } from './journeys.config.ts';

export interface Served extends AsyncDisposable {
  readonly url: string;
  /** Resolves with the signal or code when the process has gone, by whatever cause. */
  readonly gone: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/** What stays the same from one life of the platform to the next: ports, keys, files. */
export interface Installation extends AsyncDisposable {
  readonly env: Environment;
}

/** An installation on a database of the test's own, with the windows of the demo world and nobody in it. */
export async function install(databaseUrl: string): Promise<Installation> {
  const dataDir = await mkdtemp(join(tmpdir(), 'baton-journey-'));
  const [port, simulator, mailbox] = await Promise.all([freePort(), freePort(), freePort()]);
  const urls = await Promise.all(
    listSubgraphs().map(async ({ name }) => `${name}=http://127.0.0.1:${await freePort()}/graphql`),
  );
  return {
    env: {
      ...inheritedEnvironment(),
      DATABASE_URL: databaseUrl,
      DATA_DIR: dataDir,
      PORT: String(port),
      SIMULATOR_PORT: String(simulator),
      MAILBOX_SMTP_PORT: String(mailbox),
      SUBGRAPH_URLS: urls.join(','),
      WORLD: 'empty',
      JSON_OUTPUT: 'true',
      LOG_LEVEL: 'error',
    },
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

/** Starts the platform of an installation; rejects with what it printed when it ends before it is ready. */
export async function serve(
  installation: Installation,
  entry = 'gateway/journeys/start.ts',
  more: Environment = {},
): Promise<Served> {
  const child = spawn(process.execPath, [entry], {
    cwd: projectRoot,
    env: { ...installation.env, ...more } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const printed: string[] = [];
  child.stderr!.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  const gone = once(child, 'exit').then(([code, signal]) => String(signal ?? code));
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout! })) {
      printed.push(line);
      if (line.startsWith('{"ready":true')) return JSON.parse(line).url as string;
    }
    throw new Error(`the platform ended before it was ready: ${await gone}\n${printed.join('\n')}`);
  })();
  const inTime = new AbortController();
  const url = await Promise.race([ready, overdue(child, printed, inTime.signal)]).finally(() =>
    inTime.abort(),
  );
  child.stdout!.resume();
  return {
    url,
    gone,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: () => end(child, gone),
  };
}

/** Rejects, with what was printed, where a platform is not ready within a minute; ends it, unless it was in time. */
async function overdue(child: ChildProcess, printed: readonly string[], inTime: AbortSignal): Promise<never> {
  await sleep(60_000, undefined, { ref: false, signal: inTime });
  child.kill('SIGKILL');
  throw new Error(`the platform was not ready within a minute\n${printed.join('\n')}`);
}

async function end(child: ChildProcess, gone: Promise<string>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await gone;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
