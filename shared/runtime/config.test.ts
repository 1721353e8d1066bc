import { z } from 'zod';
import { ConfigFault, defineConfig, duration, flag, readAll } from './config.ts';

const readMail = defineConfig({
  MAIL_HOST: z.string(),
  MAIL_PORT: z.coerce.number().int().positive().default(25),
  MAIL_STALE_AFTER: duration('2h'),
  MAIL_TLS: flag(true),
});

function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults;
    throw error;
  }
  throw new Error('nothing was wrong');
}

test('what is not set has its default, what is not asked for is not read', () => {
  expect(readMail({ MAIL_HOST: 'mx', MAIL_TLS: 'false', HOME: '/root' })).toEqual({
    MAIL_HOST: 'mx',
    MAIL_PORT: 25,
    MAIL_STALE_AFTER: 7_200_000,
    MAIL_TLS: false,
  });
});

test('every fault is told at once, by its variable', () => {
  const faults = faultsOf(() => readMail({ MAIL_PORT: 'x', MAIL_STALE_AFTER: 'soon', MAIL_TLS: 'yes' }));
  expect(faults.map((fault) => fault.split(':')[0])).toEqual([
    'MAIL_HOST',
    'MAIL_PORT',
    'MAIL_STALE_AFTER',
    'MAIL_TLS',
  ]);
  expect(faults[2]).toBe('MAIL_STALE_AFTER: "soon" is no duration such as 250ms, 30s, 10m, 48h or 7d');
});

test('the faults of all readers are told at once, by their names', () => {
  const readers = {
    mail: () => readMail({}),
    pay: () => defineConfig({ PAY_KEY: z.string() })({}),
    fine: () => 1,
  };
  const faults = faultsOf(() => readAll(readers));
  expect(faults.map((fault) => fault.split(': ').slice(0, 2).join(' '))).toEqual([
    'mail MAIL_HOST',
    'pay PAY_KEY',
  ]);
});

test('readers without a fault give what they read', () => {
  expect(readAll({ one: () => 1, two: () => 'two' })).toEqual({ one: 1, two: 'two' });
});

test('what is no fault of the configuration is not taken for one', () => {
  const bug = (): never => {
    throw new TypeError('bug');
  };
  expect(() => readAll({ bug })).toThrow(TypeError);
});
