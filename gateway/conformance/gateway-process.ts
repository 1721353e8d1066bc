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
      env: {
        SUPERGRAPH_PATH: supergraph,
        PORT: String(port),
        HOST: '127.0.0.1',
        INTERNAL_SECRETS: `conformance:${'x'.repeat(32)}`,
        SUPERGRAPH_POLL: '100ms',
        SUBGRAPH_TIMEOUT: '1s',
        SOCKET_INIT_TIMEOUT: '1s',
        SUBSCRIPTIONS_PER_SOCKET: '200',
        LOG_LEVEL: 'silent',
      },
    }),
    path: '/graphql',
    without: ['forwarding'],
    limits: { init: 4_000, join: 6_000, reload: 5_000 },
  },
  /** `@apollo/gateway` behind Apollo Server, its executor behind graphql-ws. */
  stock: {
    launch: (supergraph, port) => ({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', here('stock-gateway.ts'), supergraph, String(port)],
    }),
    path: '/graphql',
    without: ['sse', 'resume', 'event-cursor', 'gap-notice', 'sharing', 'forwarding', 'reload'],
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
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** Rejects, with the last of what it printed, when it ends. */
  readonly failed: Promise<never>;

  constructor({ command, args, env = {} }: Launch) {
    this.#child = spawn(command, args, { env: environmentWith(env), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const listen = (chunk: Buffer) => {
      output = (output + chunk).slice(-4_000);
    };
    this.#child.stdout?.on('data', listen);
    this.#child.stderr?.on('data', listen);
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve).once('error', resolve));
    this.failed = this.#ended.then((why) => {
      throw new Error(`The gateway ended (${why}):\n${output}`);
    });
    this.failed.catch(() => undefined);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    await orAfter(this.#ended, 5_000);
    if (this.running) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
