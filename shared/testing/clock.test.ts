import { ManualClock } from './clock.ts';

test('time stands still until it is moved', async () => {
  const clock = new ManualClock('2026-01-30T10:00:00Z');
  expect(clock.now()).toEqual(clock.now());
  await clock.advance('2d');
  await clock.advance(1_500);
  expect(clock.now().toISOString()).toBe('2026-02-01T10:00:01.500Z');
  await clock.set('2026-01-01T00:00:00Z');
  expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.000Z');
});

test('a move is over when every listener has dealt with it, and a disposed listener hears no more', async () => {
  const clock = new ManualClock('2026-01-01T00:00:00Z');
  const heard: string[] = [];
  const listening = clock.onAdvance(async (now) => {
    await Promise.resolve();
    heard.push(now.toISOString());
  });
  await clock.advance('1h');
  expect(heard).toEqual(['2026-01-01T01:00:00.000Z']);
  listening[Symbol.dispose]();
  await clock.advance('1h');
  expect(heard).toHaveLength(1);
});

test.each([['two days'], [-1], [Number.NaN]])('a clock does not advance by %p', async (duration) => {
  await expect(new ManualClock().advance(duration)).rejects.toThrow(RangeError);
});
