/**
 * Quiet hours on the wall clock of a place. The wall clock alone decides: an hour that is skipped in spring is
 * not waited for, an hour that comes twice in autumn is quiet both times.
 */
import { after, MINUTE } from '#shared/kernel/time.ts';

export interface QuietHours {
  /** Minutes after midnight; may be later than `to`, across midnight. */
  readonly from: number;
  readonly to: number;
}

const longest = 26 * 60;

/** The first instant from `now` on that is not quiet; `now` itself where it is not. */
export function endOfQuiet(quiet: QuietHours, timeZone: string, now: Date): Date {
  const minuteOfDay = wallClock(timeZone);
  const isQuiet = (at: Date): boolean => {
    const minute = minuteOfDay(at);
    return quiet.from < quiet.to
      ? minute >= quiet.from && minute < quiet.to
      : minute >= quiet.from || minute < quiet.to;
  };
  if (!isQuiet(now)) return now;
  const start = after(now, -(now.getTime() % MINUTE));
  // Minute by minute: whatever the zone does to its clock on the way needs no case of its own.
  for (let step = 1; step <= longest; step += 1) {
    const at = after(start, step * MINUTE);
    if (!isQuiet(at)) return at;
  }
  return now;
}

/** Minutes after midnight in a zone; UTC where the zone is unknown. */
function wallClock(timeZone: string): (at: Date) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: knownZone(timeZone),
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return (at) => {
    const [hour = 0, minute = 0] = format.format(at).split(':').map(Number);
    return hour * 60 + minute;
  };
}

/** The zone, or UTC where this machine does not know it. */
export function knownZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}
