import { after, DAY, HOUR, MINUTE, parseDuration, SECOND } from './time.ts';

test.each([
  ['250ms', 250],
  ['30s', 30 * SECOND],
  ['10m', 10 * MINUTE],
  ['48h', 48 * HOUR],
  [' 7d ', 7 * DAY],
  ['0s', 0],
])('%j lasts %d ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(['', '10', 'h', '1.5h', '-1h', '1w', '1h30m', '1 h', '36501d', '99999999999999999999s'])(
  '%j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
  },
);

test('an instant is moved by milliseconds, not by calendars', () => {
  expect(after(new Date('2026-03-28T12:00:00Z'), DAY)).toEqual(new Date('2026-03-29T12:00:00Z'));
});
