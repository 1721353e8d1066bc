import fc from 'fast-check';
import { instantOf, localDay, type OpeningHours, Timetable } from './opening-hours.ts';

const daily: OpeningHours = {
  timeZone: 'Europe/Paris',
  days: [1, 2, 3, 4, 5, 6, 7],
  opensAt: 8 * 60,
  closesAt: 20 * 60,
};
const first = (hours: Partial<OpeningHours>, minutes: number, ready: string): string | null =>
  new Timetable({ ...daily, ...hours }, minutes).firstRun(new Date(ready))?.departsAt.toISOString() ?? null;

test('a courier who is open starts at once', () => {
  expect(first({}, 45, '2026-03-03T10:20:00Z')).toBe('2026-03-03T10:20:00.000Z');
});

test('a run that would not be done by closing time waits for the next opening', () => {
  expect(first({}, 20, '2026-03-03T18:40:00Z')).toBe('2026-03-03T18:40:00.000Z');
  expect(first({}, 20, '2026-03-03T18:41:00Z')).toBe('2026-03-04T07:00:00.000Z');
});

test('a day off is skipped', () => {
  expect(first({ days: [1] }, 20, '2026-03-03T10:00:00Z')).toBe('2026-03-09T07:00:00.000Z');
});

test('a run longer than the window never starts', () => {
  expect(first({ opensAt: 600, closesAt: 660 }, 61, '2026-03-03T10:00:00Z')).toBeNull();
});

test('a window over midnight belongs to the day on which it opens', () => {
  const night = { opensAt: 22 * 60, closesAt: 6 * 60, days: [2] };
  const run = new Timetable({ ...daily, ...night }, 30).firstRun(new Date('2026-03-04T02:00:00Z'));
  expect(run).toMatchObject({ day: '2026-03-03', departsAt: new Date('2026-03-04T02:00:00Z') });
  expect(first(night, 30, '2026-03-04T04:31:00Z')).toBe('2026-03-10T21:00:00.000Z');
});

test('a day that is full is passed over', () => {
  const run = new Timetable(daily, 45).firstRun(
    new Date('2026-03-03T10:00:00Z'),
    (day) => day === '2026-03-03',
  );
  expect(run).toMatchObject({ day: '2026-03-04', departsAt: new Date('2026-03-04T07:00:00Z') });
});

describe('when the clocks change', () => {
  test('hours that do not exist on the day are no window', () => {
    const gap = { opensAt: 2 * 60, closesAt: 3 * 60, days: [7] };
    expect(first(gap, 10, '2026-03-28T23:30:00Z')).toBe('2026-04-05T00:00:00.000Z');
  });

  test('a window around the lost hour is an hour shorter', () => {
    const around = { opensAt: 60, closesAt: 4 * 60, days: [7] };
    expect(first(around, 120, '2026-03-28T20:00:00Z')).toBe('2026-03-29T00:00:00.000Z');
    expect(first(around, 121, '2026-03-28T20:00:00Z')).toBe('2026-04-04T23:00:00.000Z');
  });

  test('a window in the repeated hour lasts two hours', () => {
    const repeated = { opensAt: 2 * 60, closesAt: 3 * 60, days: [7] };
    expect(first(repeated, 120, '2026-10-24T20:00:00Z')).toBe('2026-10-25T00:00:00.000Z');
  });

  test('a time that does not exist means the first moment after, one that exists twice the earlier', () => {
    expect(instantOf('2026-03-29', 150, 'Europe/Paris').toISOString()).toBe('2026-03-29T01:00:00.000Z');
    expect(instantOf('2026-10-25', 150, 'Europe/Paris').toISOString()).toBe('2026-10-25T00:30:00.000Z');
    expect(instantOf('2026-11-01', 90, 'America/Toronto').toISOString()).toBe('2026-11-01T05:30:00.000Z');
    expect(instantOf('2011-12-31', 0, 'Pacific/Apia').toISOString()).toBe('2011-12-30T10:00:00.000Z');
  });
});

test('the local day is the one on the wall', () => {
  expect(localDay(new Date('2026-03-03T03:00:00Z'), 'America/Toronto')).toBe('2026-03-02');
  expect(localDay(new Date('2026-03-03T11:00:00Z'), 'Pacific/Auckland')).toBe('2026-03-04');
});

test('whoever is ready later never starts earlier, and what starts can be booked at that time', () => {
  const zones = ['Europe/Paris', 'America/Toronto', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
  fc.assert(
    fc.property(
      fc.record({
        timeZone: fc.constantFrom(...zones),
        days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        opensAt: fc.integer({ min: 0, max: 1_439 }),
        closesAt: fc.integer({ min: 1, max: 1_440 }),
      }),
      fc.integer({ min: 1, max: 720 }),
      fc.date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true }),
      fc.integer({ min: 0, max: 7 * 24 * 60 }),
      (hours, minutes, ready, wait) => {
        const timetable = new Timetable(hours, minutes);
        const later = new Date(ready.getTime() + wait * 60_000);
        const [one, two] = [timetable.firstRun(ready), timetable.firstRun(later)];
        if (one) {
          expect(one.departsAt.getTime()).toBeGreaterThanOrEqual(ready.getTime());
          expect(timetable.runAt(one.departsAt)?.departsAt).toEqual(one.departsAt);
          expect(timetable.firstRun(one.departsAt)?.departsAt).toEqual(one.departsAt);
        }
        if (one && two) expect(two.departsAt.getTime()).toBeGreaterThanOrEqual(one.departsAt.getTime());
      },
    ),
    { numRuns: 400 },
  );
});
