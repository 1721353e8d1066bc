import { defineConfig } from '#shared/runtime/config.ts';
import { policySettings } from './policy.config.ts';

const read = defineConfig(policySettings);

test('an empty environment is open, within limits that any client keeps', () => {
  expect(read({})).toMatchObject({
    TRUSTED_DOCUMENTS_PATH: '',
    REVOCATIONS_FROM: null,
    API_KEYS_FROM: null,
    COST_PER_MINUTE: 0,
    ANONYMOUS_REQUESTS_PER_MINUTE: 0,
  });
});

test('a route of a subgraph is its name and a path', () => {
  expect(read({ REVOCATIONS_FROM: 'identity:/internal/ended' }).REVOCATIONS_FROM).toEqual({
    subgraph: 'identity',
    path: '/internal/ended',
  });
});

test.each([
  ['REVOCATIONS_FROM', 'identity'],
  ['API_KEYS_FROM', 'http://identity/keys'],
  ['MAX_DEPTH', '0'],
  ['MAX_COST', '-1'],
  ['COST_PER_MINUTE', '-1'],
  ['REQUESTS_PER_MINUTE', 'many'],
  ['REVOCATIONS_POLL', 'often'],
])('%s cannot be "%s"', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(name);
});
