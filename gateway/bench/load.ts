/** The client side of the query benches: so many requests at once, each for a store that nobody asked for before. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Contestant } from './contestants.ts';
import { storeOf } from './shop/schemas.ts';

export interface Question {
  readonly query: string;
  readonly authorization: string;
}

const PATIENCE = 60_000;
let stores = 0;

export class Client implements AsyncDisposable {
  readonly #contestant: Contestant;
  readonly #pool: Pool;
  readonly #head: string;
  readonly #headers: Record<string, string>;

  constructor(contestant: Contestant, { query, authorization }: Question, connections: number) {
    this.#contestant = contestant;
    this.#pool = new Pool(contestant.origin, { connections });
    this.#head = `{"query":${JSON.stringify(query)},"variables":`;
    this.#headers = { 'content-type': 'application/json', accept: 'application/json', authorization };
  }

  /** The text of an answer, which must be a whole one. */
  ask(store: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let status = 0;
      this.#pool.dispatch(
        {
          method: 'POST',
          path: '/graphql',
          headers: this.#headers,
          body: `${this.#head}{"store":"${store}"}}`,
          headersTimeout: PATIENCE,
        },
        {
          onResponseStart: (_controller, code) => {
            status = code;
          },
          onRequestStart: () => undefined,
          onResponseData: (_controller, chunk) => void chunks.push(chunk),
          onResponseEnd: () => {
            const text = String(Buffer.concat(chunks));
            if (status === 200) resolve(text);
            else reject(new Error(`${this.#contestant.name} answered ${status}: ${text.slice(0, 500)}`));
          },
          // Where the process has ended, that is the better reason: it gets the time to be told.
          onResponseError: (_controller, error) => void setTimeout(reject, 100, error),
        },
      );
    });
  }

  /** Waits until the contestant serves, and returns its answer for a store. */
  async first(store: string): Promise<string> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      try {
        return await this.#contestant.process.unlessItEnds(this.ask(store));
      } catch (error) {
        const refused = (error as { code?: string }).code === 'ECONNREFUSED';
        if (!refused || performance.now() > until)
          throw new Error(`${this.#contestant.name} did not answer`, { cause: error });
        await sleep(100);
      }
    }
  }

  /** Keeps so many requests under way for so long; each answer must have this length. Returns how many were answered. */
  async press(atOnce: number, milliseconds: number, length: number): Promise<number> {
    const until = performance.now() + milliseconds;
    let answered = 0;
    const one = async (): Promise<void> => {
      while (performance.now() < until) {
        const text = (await this.ask(storeOf(++stores))).trimEnd();
        if (text.length !== length)
          throw new Error(`${this.#contestant.name} answered otherwise than before: ${text.slice(0, 500)}`);
        answered += 1;
      }
    };
    await this.#contestant.process.unlessItEnds(Promise.all(Array.from({ length: atOnce }, one)));
    return answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy();
  }
}
