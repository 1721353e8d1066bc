import { endOfQuiet } from './quiet-hours.ts';

const night = { from: 22 * 60, to: 7 * 60 };
const early = { from: 0, to: 2 * 60 + 30 };

test.each([
  ['by day nothing is held back', night, 'Europe/Paris', '2026-03-02T12:00:00Z', '2026-03-02T12:00:00Z'],
  [
    'in the evening it waits for the morning',
    night,
    'Europe/Paris',
    '2026-03-02T21:30:20Z',
    '2026-03-03T06:00:00Z',
  ],
  [
    'after midnight it waits for the same morning',
    night,
    'Europe/Paris',
    '2026-03-03T01:00:00Z',
    '2026-03-03T06:00:00Z',
  ],
  ['quiet ends with its last minute', night, 'Europe/Paris', '2026-03-03T06:00:00Z', '2026-03-03T06:00:00Z'],
  [
    'another zone has another night',
    night,
    'America/Montreal',
    '2026-03-03T06:00:00Z',
    '2026-03-03T12:00:00Z',
  ],
  [
    'a zone may be off by a quarter of an hour',
    night,
    'Asia/Kathmandu',
    '2026-03-02T16:30:00Z',
    '2026-03-03T01:15:00Z',
  ],
  [
    'the night of the skipped hour is shorter',
    night,
    'Europe/Paris',
    '2026-03-28T22:00:00Z',
    '2026-03-29T05:00:00Z',
  ],
  [
    'an end that is skipped is not waited for',
    early,
    'Europe/Paris',
    '2026-03-29T00:30:00Z',
    '2026-03-29T01:00:00Z',
  ],
  [
    'the night of the repeated hour is longer',
    night,
    'Europe/Paris',
    '2026-10-24T22:00:00Z',
    '2026-10-25T06:00:00Z',
  ],
  [
    'an end that comes twice counts the first time',
    early,
    'Europe/Paris',
    '2026-10-25T00:10:00Z',
    '2026-10-25T00:30:00Z',
  ],
  [
    'and is quiet again before the second',
    early,
    'Europe/Paris',
    '2026-10-25T01:10:00Z',
    '2026-10-25T01:30:00Z',
  ],
  [
    'a zone nobody knows is read as UTC',
    night,
    'Mars/Olympus',
    '2026-03-02T23:00:00Z',
    '2026-03-03T07:00:00Z',
  ],
])('%s', (_rule, quiet, zone, now, end) => {
  expect(endOfQuiet(quiet, zone, new Date(now))).toEqual(new Date(end));
});
