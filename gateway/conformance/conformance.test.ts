import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { presets } from './gateway-process.ts';
import { Session } from './session.ts';
import { suite } from './suite.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

describe('this gateway', () => {
  let session: Session;
  beforeAll(async () => {
    session = await Session.open({ gateway: presets.ours });
  });
  afterAll(() => session[Symbol.asyncDispose]());

  const offered = suite.filter(
    ({ needs = [] }) => !needs.some((need) => presets.ours.without.includes(need)),
  );

  test('offers everything but the forwarding of credentials, which are not for subgraphs', () => {
    expect(presets.ours.without).toEqual(['forwarding']);
    expect(offered.length).toBeGreaterThan(180);
  });

  test.each(offered.map((each) => [each.id, each] as const))('%s', async (_, each) => {
    const [result] = await session.run([each]);
    expect({ outcome: result?.outcome, message: result?.message }).toEqual({ outcome: 'passed' });
  });
});

test('ids of cases are unique', () => {
  expect(new Set(suite.map(({ id }) => id)).size).toBe(suite.length);
});

test('the suite stands alone: it imports packages that anybody can install, and nothing of this project', async () => {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const outside: string[] = [];
  for (const file of files) {
    for (const [, from = ''] of (await readFile(join(folder, file), 'utf8')).matchAll(/ from '([^']+)'/g)) {
      if (from.startsWith('#')) outside.push(`${file}: ${from}`);
      const path = relative(folder, resolve(folder, file, '..', from));
      if (from.startsWith('.') && path.startsWith('..')) outside.push(`${file}: ${from}`);
    }
  }
  expect(files.length).toBeGreaterThan(20);
  expect(outside).toEqual([]);
});
