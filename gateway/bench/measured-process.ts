/** A process of its own whose use of CPU and memory is measured from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { environmentWith } from './bench.config.ts';
import type { Question, Usage } from './meter.ts';

export interface ProcessOptions {
  /** A TypeScript file, by its URL, and its arguments. */
  readonly file: URL;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const meter = new URL('meter.ts', import.meta.url);

export class MeasuredProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** Rejects when the process ends before it is told to. */
  readonly #failed: Promise<never>;
  #printed = '';

  constructor({ file, args = [], env = {} }: ProcessOptions) {
    const options = ['--disable-warning=ExperimentalWarning', '--import', meter.href, file.pathname];
    this.#child = spawn(process.execPath, [...options, ...args], {
      env: environmentWith(env),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    // Each question listens for its own answer.
    this.#child.setMaxListeners(100);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#printed = (this.#printed + chunk).slice(-4_000);
      });
    this.#ended = once(this.#child, 'close');
    this.#failed = this.#ended.then(() => {
      throw new Error(`${file.pathname} ended:\n${this.#printed}`);
    });
    this.#failed.catch(() => undefined);
  }

  usage(): Promise<Usage> {
    return this.#ask({ ask: 'usage' }) as Promise<Usage>;
  }

  async startProfile(): Promise<void> {
    await this.#ask({ ask: 'profile', into: null });
  }

  async endProfile(into: string): Promise<void> {
    await this.#ask({ ask: 'profile', into });
  }

  async #ask(question: Question): Promise<unknown> {
    const answer = this.message((message) => 'meter' in message);
    this.send(question);
    return (await answer).meter;
  }

  send(message: object): void {
    this.#child.send(message);
  }

  /** The next message that is wanted; rejects when the process ends instead. */
  message(
    wanted: (message: Record<string, unknown>) => boolean = () => true,
  ): Promise<Record<string, unknown>> {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const listen = (message: Record<string, unknown>): void => {
      if (!wanted(message)) return;
      this.#child.off('message', listen);
      resolve(message);
    };
    this.#child.on('message', listen);
    return this.unlessItEnds(promise);
  }

  unlessItEnds<Value>(work: Promise<Value>): Promise<Value> {
    return Promise.race([work, this.#failed]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(late);
  }
}
