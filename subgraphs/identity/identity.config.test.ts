import { readIdentityConfig } from './identity.config.ts';

test('every setting has a default', () => {
  expect(readIdentityConfig({})).toMatchObject({ OTP_LIFETIME: 600_000, ACCESS_TOKEN_LIFETIME: 300_000 });
});

test.each([
  [{ OTP_LIFETIME: '11m' }],
  [{ ACCESS_TOKEN_LIFETIME: '1h' }],
  [{ ACCESS_TOKEN_LIFETIME: '0s' }],
  [{ REFRESH_GRACE: '1m' }],
  [{ SESSIONS_PER_USER: '0' }],
])('no setting weakens a sign-in: %j', (env) => {
  expect(() => readIdentityConfig(env)).toThrow(Object.keys(env)[0]);
});
