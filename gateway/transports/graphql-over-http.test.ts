/** The public audits of the GraphQL over HTTP specification: all of them, none with a notice or a warning. */
import { serverAudits } from 'graphql-http';
import { Platform } from '../testing/platform.ts';

/** As a client that says it is none that a page elsewhere could make a browser be. */
const withPreflight: typeof fetch = (url, init) =>
  fetch(url, { ...init, headers: { ...init?.headers, 'apollo-require-preflight': 'true' } });

describe.each([
  ['protected against cross-site requests, for clients that send the header', 'true', withPreflight],
  ['without that protection', 'false', fetch],
])('%s', (_, protection, fetchFn) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start('in memory', { CSRF_PREVENTION: protection });
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  const audits = serverAudits({ url: () => platform.gateway.url, fetchFn });

  test('there are audits', () => expect(audits.length).toBeGreaterThan(60));

  test.each(audits.map((audit) => [`${audit.id} ${audit.name}`, audit] as const))(
    '%s',
    async (_name, audit) => {
      const result = await audit.fn();
      expect({ status: result.status, reason: 'reason' in result ? result.reason : undefined }).toEqual({
        status: 'ok',
        reason: undefined,
      });
    },
  );
});

test('protected, a GET that a page elsewhere could cause is refused', async () => {
  await using platform = await Platform.start('in memory');
  const answer = await platform.send({ method: 'GET' }, '/graphql?query=%7B__typename%7D');
  expect([answer.status, answer.body.errors?.[0]?.extensions.code]).toEqual([400, 'BAD_REQUEST']);
});
