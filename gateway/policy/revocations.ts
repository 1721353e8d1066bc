/**
 * Sessions that ended before their tokens do, as a subgraph tells them: asked for again and again, from a
 * cursor. While it cannot be reached the last known state holds; tokens end by themselves within minutes.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { AskRoute } from './internal-route.ts';
import { Polling } from './polling.ts';
import { Watchers } from './watchers.ts';

const pageShape = z.object({ ended: z.array(z.object({ sessionId: z.string() })), cursor: z.string() });

/** Beyond that the oldest are forgotten, whose tokens have long expired. */
const CAPACITY = 500_000;
/** A feed that comes to no end is left until the next look. */
const PAGES = 100;

export class Revocations implements AsyncDisposable {
  readonly #ask: AskRoute;
  readonly #ended = new Set<string>();
  readonly #watchers = new Watchers();
  readonly #polling: Polling;
  #cursor = '';

  constructor(options: { ask: AskRoute; interval: number; logger: Logger }) {
    this.#ask = options.ask;
    this.#polling = new Polling({ ...options, what: 'the feed of ended sessions', look: () => this.#look() });
  }

  hasEnded(sessionId: string): boolean {
    return this.#ended.has(sessionId);
  }

  onEnd(sessionId: string, ended: () => void): () => void {
    if (!this.#ended.has(sessionId)) return this.#watchers.watch(sessionId, ended);
    queueMicrotask(ended);
    return () => undefined;
  }

  async #look(): Promise<void> {
    for (let page = 0; page < PAGES; page += 1) {
      const query = `?after=${encodeURIComponent(this.#cursor)}`;
      const { status, body } = await this.#ask({ method: 'GET', query });
      if (status !== 200) throw new Error(`The feed of ended sessions answered ${status}`);
      const { ended, cursor } = pageShape.parse(body);
      for (const { sessionId } of ended) this.#end(sessionId);
      const caughtUp = ended.length === 0 || cursor === this.#cursor;
      this.#cursor = cursor;
      if (caughtUp) return;
    }
  }

  #end(sessionId: string): void {
    this.#ended.add(sessionId);
    if (this.#ended.size > CAPACITY) this.#ended.delete(this.#ended.values().next().value as string);
    this.#watchers.tell(sessionId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#polling[Symbol.asyncDispose]();
  }
}
