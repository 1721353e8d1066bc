import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '#shared/runtime/config.ts';
import { FixedClock, policyOf, token, Who } from './testing/policy.ts';
import { hashOf } from './trusted-documents.ts';

const known = '{ known }';
const other = '{ other }';
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trusted-'));
  path = join(folder, 'trusted.json');
  await writeFile(path, JSON.stringify({ [hashOf(known)]: known }));
});
afterAll(() => rm(folder, { recursive: true }));

type Role = 'nobody' | 'user' | 'developer' | 'partner';

async function answer(
  who: Role,
  request: { query?: string; documentId?: string },
  env: Environment = { PRODUCTION: 'true', TRUSTED_DOCUMENTS_PATH: path },
): Promise<string> {
  const clock = new FixedClock();
  const registry = new Who();
  const budget = { costPerMinute: 0, requestsPerMinute: 0 };
  const partner = { keyId: 'k', partnerId: 'p', contract: null, scopes: [], ...budget };
  registry.answer = () => ({ status: 200, body: partner });
  await using policy = policyOf({ clock, who: registry, env: { API_KEYS_FROM: 'who:/keys', ...env } });
  const roles = who === 'developer' ? ['developer'] : ['reader'];
  const caller = await policy.identify({
    authorization:
      who === 'user' || who === 'developer' ? `Bearer ${await token(clock, { roles })}` : undefined,
    apiKey: who === 'partner' ? 'secret' : undefined,
    address: '127.0.0.1',
  });
  try {
    return policy.documentOf(request, caller);
  } catch (error) {
    return (error as { extensions: { code: string } }).extensions.code;
  }
}

describe.each<Role>(['nobody', 'user'])('in production %s', (who) => {
  test.each([
    ['by its hash', { documentId: hashOf(known) }, known],
    ['by its text', { query: known }, known],
    ['by both', { query: known, documentId: hashOf(known) }, known],
    ['not by another text', { query: other }, 'DOCUMENT_NOT_TRUSTED'],
    ['nor by the same in other spaces', { query: '{known}' }, 'DOCUMENT_NOT_TRUSTED'],
    ['nor by an unknown hash', { documentId: hashOf(other) }, 'DOCUMENT_UNKNOWN'],
    [
      'nor by a known hash with another text',
      { query: other, documentId: hashOf(known) },
      'DOCUMENT_MISMATCH',
    ],
    [
      'nor by a wrong hash with a known text',
      { query: known, documentId: hashOf(other) },
      'DOCUMENT_MISMATCH',
    ],
    ['nor by registering one', { query: other, documentId: hashOf(other) }, 'DOCUMENT_NOT_TRUSTED'],
    ['nor by names of objects', { documentId: '__proto__' }, 'DOCUMENT_UNKNOWN'],
    ['nor with nothing', {}, 'DOCUMENT_MISSING'],
    ['nor with an empty text', { query: '' }, 'DOCUMENT_MISSING'],
  ])('runs a trusted document %s', async (_, request, expected) => {
    expect(await answer(who, request)).toBe(expected);
  });
});

test.each<Role>(['developer', 'partner'])('in production a %s may send any document', async (who) => {
  expect(await answer(who, { query: other })).toBe(other);
  expect(await answer(who, { documentId: hashOf(known) })).toBe(known);
  expect(await answer(who, { query: other, documentId: hashOf(known) })).toBe('DOCUMENT_MISMATCH');
});

test('what one caller sent under its hash is not known to the next', async () => {
  await using policy = policyOf({ env: { TRUSTED_DOCUMENTS_PATH: path } });
  const caller = await policy.identify({ authorization: undefined, apiKey: undefined, address: '::1' });
  expect(policy.documentOf({ query: other, documentId: hashOf(other) }, caller)).toBe(other);
  expect(() => policy.documentOf({ documentId: hashOf(other) }, caller)).toThrow('no document of this hash');
});

test.each<[string, Environment]>([
  ['outside production', { TRUSTED_DOCUMENTS_PATH: '' }],
  ['where none are trusted', { PRODUCTION: 'true' }],
])('%s anybody may send any document', async (_, env) => {
  expect(await answer('nobody', { query: other }, env)).toBe(other);
});

test('a file whose documents were changed is not served', async () => {
  const changed = join(folder, 'changed.json');
  await writeFile(changed, JSON.stringify({ [hashOf(known)]: other }));
  expect(() => policyOf({ env: { TRUSTED_DOCUMENTS_PATH: changed } })).toThrow('was changed');
  expect(() => policyOf({ env: { TRUSTED_DOCUMENTS_PATH: join(folder, 'none.json') } })).toThrow('ENOENT');
});
