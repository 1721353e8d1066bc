/**
 * When a courier runs, in the local time of the place. A window belongs to the local day on which it opens;
 * one that closes before it opens lasts into the next day. Where a clock jumps forward, a local time that does
 * not exist means the first moment after it; where it falls back, the earlier of the two.
 */
import { after, DAY, MINUTE } from '#shared/kernel/time.ts';

export interface OpeningHours {
  /** IANA name. */
  readonly timeZone: string;
  /** Days of the week on which a window opens: 1 is Monday, 7 Sunday. */
  readonly days: readonly number[];
  /** Minutes since local midnight, 0 to 1439. */
  readonly opensAt: number;
  /** Minutes since local midnight, 1 to 1440; not after `opensAt`: on the next day. */
  readonly closesAt: number;
}

export interface Run {
  /** Local day of the window, `YYYY-MM-DD`. */
  readonly day: string;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
}

/** How far ahead a run is looked for. */
const HORIZON_DAYS = 15;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds that local clocks are ahead of UTC. */
function offsetAt(instant: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const part = Object.fromEntries(
    format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
  return local - Math.floor(instant / 1_000) * 1_000;
}

/** The local day, `YYYY-MM-DD`. */
export function localDay(instant: Date, timeZone: string): string {
  return new Date(instant.getTime() + offsetAt(instant.getTime(), timeZone)).toISOString().slice(0, 10);
}

/** The instant of a local time, given as minutes since the day's local midnight. */
export function instantOf(day: string, minutes: number, timeZone: string): Date {
  const local = Date.parse(`${day}T00:00:00Z`) + minutes * MINUTE;
  const offsets = [offsetAt(local - DAY, timeZone), offsetAt(local + DAY, timeZone)];
  const fitting = offsets
    .map((offset) => local - offset)
    .filter((instant) => instant + offsetAt(instant, timeZone) === local);
  if (fitting.length > 0) return new Date(Math.min(...fitting));
  return firstAfterGap(local - Math.max(...offsets), local - Math.min(...offsets), timeZone);
}

/** The moment within the range at which the offset changes. */
function firstAfterGap(earliest: number, latest: number, timeZone: string): Date {
  const before = offsetAt(earliest, timeZone);
  let low = earliest;
  let high = latest;
  while (high - low > 1_000) {
    const middle = Math.floor((low + high) / 2_000) * 1_000;
    if (offsetAt(middle, timeZone) === before) low = middle;
    else high = middle;
  }
  return new Date(high);
}

const shiftDay = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);

const weekday = (day: string): number => new Date(`${day}T00:00:00Z`).getUTCDay() || 7;

/** Remembers the windows that it has computed, since a search asks for the same days again and again. */
export class Timetable {
  readonly #hours: OpeningHours;
  readonly #durationMs: number;
  readonly #windows = new Map<string, { opens: number; closes: number } | null>();

  constructor(hours: OpeningHours, durationMinutes: number) {
    this.#hours = hours;
    this.#durationMs = durationMinutes * MINUTE;
  }

  /** The earliest run that starts at `ready` or later on a day that is not full; null within two weeks. */
  firstRun(ready: Date, isFull: (day: string) => boolean = () => false): Run | null {
    const today = localDay(ready, this.#hours.timeZone);
    for (let ahead = -1; ahead < HORIZON_DAYS; ahead += 1) {
      const day = shiftDay(today, ahead);
      const window = this.#window(day);
      if (!window || isFull(day)) continue;
      const departs = Math.max(window.opens, ready.getTime());
      if (departs + this.#durationMs <= window.closes) return this.#run(day, departs);
    }
    return null;
  }

  /** The run that starts exactly then; null where the courier is closed or would not be done in time. */
  runAt(departsAt: Date): Run | null {
    const today = localDay(departsAt, this.#hours.timeZone);
    for (const day of [shiftDay(today, -1), today]) {
      const window = this.#window(day);
      const departs = departsAt.getTime();
      if (window && departs >= window.opens && departs + this.#durationMs <= window.closes)
        return this.#run(day, departs);
    }
    return null;
  }

  #run(day: string, departs: number): Run {
    const departsAt = new Date(departs);
    return { day, departsAt, arrivesAt: after(departsAt, this.#durationMs) };
  }

  #window(day: string): { opens: number; closes: number } | null {
    const known = this.#windows.get(day);
    if (known !== undefined) return known;
    const { timeZone, days, opensAt, closesAt } = this.#hours;
    const window = days.includes(weekday(day))
      ? {
          opens: instantOf(day, opensAt, timeZone).getTime(),
          closes: instantOf(closesAt > opensAt ? day : shiftDay(day, 1), closesAt, timeZone).getTime(),
        }
      : null;
    this.#windows.set(day, window);
    return window;
  }
}
