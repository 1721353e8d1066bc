/**
 * What callers may spend in a minute, shared between gateways. Points are drawn from the common store in advance,
 * a twentieth of a budget at a time, and spent in memory: the usual request asks no database.
 *
 * All gateways together grant no more than the budget, beyond what `count` lets pass while a draw is under way,
 * which is taken off the next grant. Points that were drawn and not spent by the end of the minute are lost, a
 * twentieth per gateway at most. While the store cannot be reached each gateway grants the budget by itself.
 */
import type { Logger } from 'pino';
import { MINUTE, SECOND } from '#shared/kernel/time.ts';
import type { BudgetStore } from './store.ts';

interface Bucket {
  /** Points in hand; less than nothing where requests were let pass. */
  left: number;
  /** When the minute ends, by the process's own clock; 0: before the first draw. */
  until: number;
  exhausted: boolean;
  drawing: Promise<void> | null;
}

const DRAWS_PER_BUDGET = 20;
const CAPACITY = 50_000;

export class Budgets implements AsyncDisposable {
  readonly #store: BudgetStore;
  readonly #inMemory: BudgetStore;
  readonly #logger: Logger;
  readonly #buckets = new Map<string, Bucket>();
  #failing = false;

  constructor(options: { store: BudgetStore; inMemory: BudgetStore; logger: Logger }) {
    this.#store = options.store;
    this.#inMemory = options.inMemory;
    this.#logger = options.logger;
  }

  /** Spends `points` of a budget of `limit`; resolves with the seconds to wait where they are not to be had. */
  async spend(key: string, limit: number, points: number): Promise<number> {
    const bucket = this.#bucket(key);
    while (bucket.left < points) {
      if (bucket.exhausted || points > limit) return secondsLeft(bucket);
      await this.#draw(key, bucket, limit, points - bucket.left);
    }
    bucket.left -= points;
    return 0;
  }

  /** Counts one, at once; answers with the seconds to wait where it is one too many. */
  count(key: string, limit: number): number {
    const bucket = this.#bucket(key);
    if (bucket.left < 1) {
      if (bucket.exhausted) return secondsLeft(bucket);
      void this.#draw(key, bucket, limit, 1 - bucket.left);
    }
    bucket.left -= 1;
    return 0;
  }

  #bucket(key: string): Bucket {
    const known = this.#buckets.get(key);
    if (known) this.#buckets.delete(key);
    const bucket =
      known && (known.drawing || known.until > performance.now())
        ? known
        : { left: 0, until: 0, exhausted: false, drawing: null };
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > CAPACITY) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket;
  }

  #draw(key: string, bucket: Bucket, limit: number, needed: number): Promise<void> {
    const size = Math.max(needed, Math.ceil(limit / DRAWS_PER_BUDGET));
    bucket.drawing ??= this.#fill(key, bucket, limit, size).finally(() => {
      bucket.drawing = null;
    });
    return bucket.drawing;
  }

  async #fill(key: string, bucket: Bucket, limit: number, size: number): Promise<void> {
    const { drawn, endsIn } = await this.#take(key, size);
    const granted = Math.max(0, Math.min(size, limit - (drawn - size)));
    bucket.left += granted;
    bucket.exhausted = drawn >= limit;
    bucket.until = performance.now() + endsIn;
  }

  async #take(key: string, size: number): ReturnType<BudgetStore['draw']> {
    try {
      const answer = await this.#store.draw(key, size);
      this.#failing = false;
      return answer;
    } catch (err) {
      if (!this.#failing)
        this.#logger.error({ err }, 'budgets cannot be shared; each gateway grants its own');
      this.#failing = true;
      return this.#inMemory.draw(key, size);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#buckets.values()].map(({ drawing }) => drawing));
    await this.#store[Symbol.asyncDispose]();
  }
}

const secondsLeft = ({ until }: Bucket): number =>
  Math.max(1, Math.ceil(Math.min(MINUTE, until === 0 ? MINUTE : until - performance.now()) / SECOND));
