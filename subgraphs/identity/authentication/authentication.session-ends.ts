/**
 * The log of ended sessions (`session_ends`), by which the gateway ends what lives on them. A trigger writes it
 * whenever a session gets its end, whoever wrote that. Promises that reading on from a cursor leaves nothing out.
 *
 * Why a cursor is safe: the trigger takes one lock before it draws a number, and the lock falls after the commit
 * is visible. So numbers become visible in their order, and behind the last one seen nothing lower can appear.
 * The outbox waits for the oldest running transaction instead; here that could be any report of any database of
 * the server, and a theft must be over in five seconds. Sign-outs are rare enough to stand in one line.
 */
import { Invalid } from '#shared/kernel/errors.ts';
import { after, type Clock, MINUTE } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';

export interface EndedSessions {
  readonly sessionIds: readonly string[];
  /** To go on from; the same again where nothing was added. */
  readonly cursor: string;
}

const PAGE = 1_000;

export class SessionEnds {
  readonly #db: Database;
  readonly #clock: Clock;
  /** Longer ago than this, no access token of the session is alive; a minute for clocks and slow commits. */
  readonly #relevantMs: number;

  constructor(db: Database, clock: Clock, accessTokenLifetimeMs: number) {
    this.#db = db;
    this.#clock = clock;
    this.#relevantMs = accessTokenLifetimeMs + MINUTE;
  }

  /** At most a thousand; without a cursor, all that may still matter. Refuses `CURSOR_INVALID`. */
  async after(cursor: string | null): Promise<EndedSessions> {
    const from = cursor === null || cursor === '' ? '0' : cursor;
    if (!/^\d{1,18}$/.test(from)) throw new Invalid('CURSOR_INVALID', 'The cursor was not made by this log');
    return this.#db.read(async (em) => {
      // Before the rows: whatever is below the head is visible to the next statement.
      const [head] = await em.execute<{ seq: string }[]>(
        'select greatest(coalesce(max(seq), 0), ?)::text as seq from session_ends',
        [from],
      );
      const rows = await em.execute<{ seq: string; session_id: string }[]>(
        `select seq::text, session_id from session_ends where seq > ? and ended_at > ? order by session_ends.seq limit ${PAGE}`,
        [from, after(this.#clock.now(), -this.#relevantMs)],
      );
      const last = rows.at(-1)?.seq ?? head!.seq;
      const isWhole = rows.length < PAGE;
      return {
        sessionIds: rows.map((row) => row.session_id),
        cursor: isWhole && BigInt(head!.seq) > BigInt(last) ? head!.seq : last,
      };
    });
  }
}
