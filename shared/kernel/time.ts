/** Time comes from here and nowhere else, so that a thirty-day story runs in milliseconds. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The instant `milliseconds` after `instant`. */
export function after(instant: Date, milliseconds: number): Date {
  return new Date(instant.getTime() + milliseconds);
}

const durationUnits: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

const longest = 36_500 * DAY;

/** Reads `48h`, `30m`, `10s`, `7d`, `250ms` into milliseconds; throws `RangeError` on anything else and beyond a century. */
export function parseDuration(text: string): number {
  const [, count, unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const milliseconds = Number(count) * (durationUnits[unit] ?? Number.NaN);
  if (!(milliseconds <= longest))
    throw new RangeError(`"${text}" is no duration such as 250ms, 30s, 10m, 48h or 7d`);
  return milliseconds;
}
