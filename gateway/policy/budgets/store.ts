/** Where budgets are kept: points drawn per key since its minute began. */
import pg from 'pg';
import type { Logger } from 'pino';
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible';
import { MINUTE, SECOND } from '#shared/kernel/time.ts';

export interface BudgetStore extends AsyncDisposable {
  /** Draws points; answers with all that was drawn in the key's minute, and when that ends, in milliseconds. */
  draw(key: string, points: number): Promise<{ readonly drawn: number; readonly endsIn: number }>;
}

/** The store counts, and never refuses: what a budget is, differs from key to key. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const TABLE = 'gateway_budgets';

export function budgetsInMemory(): BudgetStore {
  const limiter = new RateLimiterMemory({ points: UNLIMITED, duration: MINUTE / SECOND });
  return {
    async draw(key, points) {
      const { consumedPoints, msBeforeNext } = await limiter.consume(key, points);
      return { drawn: consumedPoints, endsIn: msBeforeNext };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** In one table, which nobody misses after a crash of the database. */
export class BudgetsInPostgres implements BudgetStore {
  readonly #pool: pg.Pool;
  readonly #limiter: RateLimiterPostgres;
  #table: Promise<unknown> | null = null;

  constructor(url: string, logger: Logger) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 4,
      connectionTimeoutMillis: 2 * SECOND,
      query_timeout: 2 * SECOND,
    });
    this.#pool.on('error', (err) => logger.warn({ err }, 'a connection of the budgets was lost'));
    this.#limiter = new RateLimiterPostgres({
      storeClient: this.#pool,
      storeType: 'pool',
      tableName: TABLE,
      tableCreated: true,
      keyPrefix: '',
      points: UNLIMITED,
      duration: MINUTE / SECOND,
    });
  }

  async draw(key: string, points: number): ReturnType<BudgetStore['draw']> {
    this.#table ??= this.#createTable();
    await this.#table.catch((error: unknown) => {
      this.#table = null;
      throw error;
    });
    const { consumedPoints, msBeforeNext } = await this.#limiter.consume(key, points);
    return { drawn: consumedPoints, endsIn: msBeforeNext };
  }

  async #createTable(): Promise<void> {
    try {
      await this.#pool.query(
        `create unlogged table if not exists ${TABLE}
           (key varchar(255) primary key, points integer not null default 0, expire bigint)`,
      );
    } catch (error) {
      // Another gateway created it in this very moment.
      if ((error as { code?: unknown }).code !== '23505') throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}
