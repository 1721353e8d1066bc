/** A gateway that the suite starts itself, as a process of its own, and ends again. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Capability, Limits } from './case.ts';
import { orAfter } from './client/mailbox.ts';
import { environmentWith } from './conformance.config.ts';

/** How to start a gateway for a supergraph file and a port on loopback. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** It is a Node process that ends when the channel to this one does. */
  readonly endsWithParent?: boolean;
}

export interface Preset {
  readonly launch: (supergraph: string, port: number) => Launch;
  readonly path: string;
  readonly without: readonly Capability[];
  readonly limits: Partial<Limits>;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export const presets: Readonly<Record<'ours' | 'stock', Preset>> = {
  /** The gateway of this repository. Short times, so that cases that wait for them end soon. */
  ours: {
    launch: (supergraph, port) => ({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', here('../main.ts')],
      endsWithParent: true,
      env: {
        SUPERGRAPH_PATH: supergraph,
        PORT: String(port),
        HOST: '127.0.0.1',
        SUPERGRAPH_POLL: '100ms',
        SUBGRAPH_TIMEOUT: '1s',
        SOCKET_INIT_TIMEOUT: '1s',
        SOCKET_PING: '2s',
        SUBSCRIPTIONS_PER_SOCKET: '100',
        DRAIN_TIMEOUT: '2s',
        LOG_LEVEL: 'silent',
      },
    }),
    path: '/graphql',
    without: ['forwarding'],
    limits: { init: 4_000, join: 6_000, keepAlive: 6_000, reload: 5_000 },
  },
  /** `@apollo/gateway` behind Apollo Server, its executor behind graphql-ws. */
  stock: {
    launch: (supergraph, port) => ({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', here('stock-gateway.ts'), supergraph, String(port)],
    }),
    path: '/graphql',
    without: ['sse', 'resume', 'event-cursor', 'gap-notice', 'sharing', 'forwarding', 'reload', 'restart'],
    limits: { patience: 2_000, init: 6_000, join: 6_000 },
  },
};

/** A command of the user's, with `{supergraph}` and `{port}` in it; both are in its environment too. */
export const launchOf =
  (commandLine: string): Preset['launch'] =>
  (supergraph, port) => ({
    command: '/bin/sh',
    args: [
      '-c',
      `exec ${commandLine.replaceAll('{supergraph}', `'${supergraph}'`).replaceAll('{port}', String(port))}`,
    ],
    env: { SUPERGRAPH_PATH: supergraph, PORT: String(port) },
  });

export class GatewayProcess implements AsyncDisposable {
  readonly #launch: Launch;
  #child: ChildProcess;
  #ended: Promise<unknown>;
  /** Rejects, with the last of what it printed, when the first process ends before it is told to. */
  readonly failed: Promise<never>;

  constructor(launch: Launch) {
    this.#launch = launch;
    const { child, ended, output } = start(launch);
    this.#child = child;
    this.#ended = ended;
    this.failed = ended.then((why) => {
      throw new Error(`The gateway ended (${why}):\n${output()}`);
    });
    this.failed.catch(() => undefined);
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.#end(signal);
    const { child, ended } = start(this.#launch);
    this.#child = child;
    this.#ended = ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    await orAfter(this.#ended, 15_000);
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

function start({ command, args, env = {}, endsWithParent = false }: Launch) {
  const child = spawn(command, args, {
    env: environmentWith(env),
    stdio: ['ignore', 'pipe', 'pipe', ...(endsWithParent ? (['ipc'] as const) : [])],
  });
  let printed = '';
  const listen = (chunk: Buffer) => {
    printed = (printed + chunk).slice(-4_000);
  };
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  return { child, ended, output: () => printed };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
