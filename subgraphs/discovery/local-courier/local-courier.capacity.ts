/**
 * Owns what couriers have sold: weight per segment and local day, on the two-phase ledger, so that a gram is
 * sold once whoever asks how many at once. Called through the contract, for bookings; route planning asks
 * which days are full.
 */
import { Conflict, Invalid, Refusal } from '#shared/kernel/errors.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { Capacity } from '#shared/runtime/ledger/capacity.ts';
import { CourierRun, LocalSegment, type LocalSegmentRow } from './local-courier.entities.ts';
import { holdExpiryJob } from './local-courier.jobs.ts';
import { Timetable } from './opening-hours.ts';

export interface SegmentHold {
  readonly holdId: string;
  readonly shipmentId: string;
  readonly items: readonly {
    readonly legId: string;
    readonly grams: number;
    readonly departsAt?: Date | undefined;
  }[];
  readonly expiresAt: Date;
}

const accountOf = (segmentId: string, day: string): string => `${segmentId}@${day}`;

export class CourierCapacity {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #capacity: Capacity;

  constructor(deps: { db: Database; clock: Clock; durable: Durable }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#capacity = new Capacity(deps.db);
  }

  /**
   * Holds weight on the runs that start then, on all or on none. Refuses `CAPACITY_GONE` {legId, freeGrams},
   * `LEG_NOT_BOOKABLE` {legId} an unknown or withdrawn segment or a time at which it does not run,
   * `DEPARTURE_MISSING` {legId}.
   */
  async hold({ holdId, shipmentId, items, expiresAt }: SegmentHold): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const ids = items.map(({ legId }) => legId);
      const segments = await tx.em.find(LocalSegment, { id: { $in: ids }, state: 'published' });
      const runs = items.map(({ legId, grams, departsAt }) => {
        if (!departsAt)
          throw new Invalid('DEPARTURE_MISSING', 'A courier runs daily: say when the leg starts', { legId });
        const segment = segments.find(({ id }) => id === legId);
        const run = segment && timetableOf(segment).runAt(departsAt);
        if (!run || departsAt < this.#clock.now())
          throw new Conflict('LEG_NOT_BOOKABLE', 'The courier does not run then', { legId });
        return { segment, day: run.day, grams };
      });
      // In one order for all callers, so that two holds over the same runs never wait for each other.
      const opening = [...runs].sort((a, b) =>
        accountOf(a.segment.id, a.day) < accountOf(b.segment.id, b.day) ? -1 : 1,
      );
      for (const { segment, day } of opening) await this.#open(segment, day);
      await this.#capacity
        .hold({
          holdId,
          shipmentId,
          expiresAt,
          items: runs.map(({ segment, day, grams }) => ({ legId: accountOf(segment.id, day), grams })),
        })
        .catch((error) => {
          if (!(error instanceof Refusal) || error.code !== 'CAPACITY_GONE') throw error;
          const [legId] = String(error.details.legId).split('@');
          throw new Conflict(error.code, error.message, { ...error.details, legId });
        });
      await this.#scheduleExpiry(holdId, expiresAt);
    });
  }

  /** Moves the end of a hold. Refuses `HOLD_UNKNOWN`, `HOLD_RESOLVED`. */
  async extend(holdId: string, expiresAt: Date): Promise<void> {
    await this.#db.transaction(async () => {
      await this.#capacity.extend(holdId, expiresAt);
      await this.#scheduleExpiry(holdId, expiresAt);
    });
  }

  /** Sells what is held. Refuses `HOLD_UNKNOWN`, `HOLD_RESOLVED`. */
  confirm(holdId: string): Promise<void> {
    return this.#capacity.confirm(holdId);
  }

  /** Gives back what is held or was sold; nothing to give back is no fault. */
  release(holdId: string): Promise<void> {
    return this.#capacity.release(holdId);
  }

  /** Gives back every hold whose time has passed. */
  expire(): Promise<void> {
    return this.#capacity.expire(this.#clock.now(), async () => {});
  }

  /** Grams free per segment on the days on which something was ever asked for, by `<segment>@<day>`. */
  async freeByRun(segmentIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const runs = await this.#db.read((em) => em.find(CourierRun, { segmentId: { $in: [...segmentIds] } }));
    if (runs.length === 0) return new Map();
    return this.#capacity.free(runs.map(({ segmentId, day }) => accountOf(segmentId, day)));
  }

  async #open(segment: LocalSegmentRow, day: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const opened = await tx.sql(
        'insert into courier_runs (segment_id, day) values (?, ?) on conflict do nothing returning day',
        [segment.id, day],
      );
      if (opened.length === 0) return;
      const run = accountOf(segment.id, day);
      await this.#capacity.offer(run, run, segment.maxGramsPerRun);
    });
  }

  async #scheduleExpiry(holdId: string, expiresAt: Date): Promise<void> {
    await this.#db.transaction((tx) =>
      this.#durable.schedule(
        tx,
        holdExpiryJob,
        { id: `hold:${holdId}:${expiresAt.getTime()}`, runAt: expiresAt },
        {},
      ),
    );
  }
}

export const timetableOf = (segment: LocalSegmentRow): Timetable =>
  new Timetable(segment, segment.durationMinutes);
