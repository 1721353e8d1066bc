/** Hourly allowances in PostgreSQL: they survive restarts and hold over all processes. */
import { after, type Clock, HOUR } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';

export interface Spent {
  readonly allowed: boolean;
  /** When the allowance is whole again. */
  readonly endsAt: Date;
}

export class Quotas {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Counts one use, in the open transaction if there is one; the hour begins with the first. */
  async spend(id: string, perHour: number): Promise<Spent> {
    const now = this.#clock.now();
    const [row] = await this.#db.transaction((tx) =>
      tx.sql<{ used: number; ends_at: Date | string }>(
        `insert into auth_quotas (id, used, ends_at) values (?, 1, ?)
         on conflict (id) do update set
           used = case when auth_quotas.ends_at <= ? then 1 else least(auth_quotas.used + 1, 1000000) end,
           ends_at = case when auth_quotas.ends_at <= ? then excluded.ends_at else auth_quotas.ends_at end
         returning used, ends_at`,
        [id, after(now, HOUR), now, now],
      ),
    );
    return { allowed: row!.used <= perHour, endsAt: new Date(row!.ends_at) };
  }

  async forget(id: string): Promise<void> {
    await this.#db.transaction((tx) => tx.sql('delete from auth_quotas where id = ?', [id]));
  }
}
