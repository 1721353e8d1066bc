import { generateKeyPairSync } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { IdentityContract } from '#shared/contracts/identity.ts';
import { SessionFamilyRevoked, SessionOpened, UserRegistered } from '#shared/events/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import { after, DAY, MINUTE } from '#shared/kernel/time.ts';
import { anonymous, type UserViewer, type Viewer } from '#shared/kernel/viewer.ts';
import { accessKeySet } from '#shared/runtime/access-keys.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { ask, deviceOf, newestCode, type SignedIn, signIn, someAddress, verify } from '../testing/sign-in.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ subgraphs: ['identity'] });
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** What a client holds of its session. */
type Held = Pick<SignedIn, 'refreshToken' | 'device'>;

const refresh = ({ refreshToken, device }: Held) =>
  world.execute(
    'identity',
    `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { id accessToken refreshToken expiresAt user { email } } }`,
    { input: { refreshToken, deviceFingerprint: device } },
  );

const rotate = async (held: Held): Promise<Held> => {
  const { data, errors } = await refresh(held);
  expect(errors).toEqual([]);
  return { refreshToken: String(data.refreshSession.refreshToken), device: held.device };
};

const openedBy = async ({ userId }: UserViewer) =>
  (await world.told(SessionOpened)).filter((fact) => fact.userId === userId);

const revokedOf = async ({ userId }: UserViewer) =>
  (await world.told(SessionFamilyRevoked)).filter((fact) => fact.userId === userId);

const sessionsOf = (viewer: Viewer, at = world) =>
  at.execute('identity', '{ mySessions { id userAgent current endedAt } }', {}, viewer);

const endSession = (sessionId: string, viewer: Viewer) =>
  world.execute(
    'identity',
    'mutation ($input: EndSessionInput!) { endSession(input: $input) { id endedAt } }',
    { input: { sessionId } },
    viewer,
  );

const claimsOf = (token: string, at = world) =>
  jwtVerify(token, createLocalJWKSet(accessKeySet(at.shared.secrets)), {
    audience: 'baton',
    algorithms: ['EdDSA'],
    currentDate: at.clock.now(),
  });

test('the first sign-in makes the account, the second finds it', async () => {
  const email = someAddress();
  const first = await signIn(world, email, {
    locale: 'fr-ca',
    timeZone: 'America/Montreal',
    userAgent: 'phone',
  });
  const second = await signIn(world, email.toUpperCase(), { deviceFingerprint: deviceOf(email) });
  expect(second.viewer.userId).toBe(first.viewer.userId);
  const registered = (await world.told(UserRegistered)).filter((fact) => fact.email === email);
  expect(registered).toHaveLength(1);
  expect(registered[0]).toMatchObject({
    userId: first.viewer.userId,
    email,
    locale: 'fr-CA',
    timeZone: 'America/Montreal',
  });
  expect(registered[0]?.displayName).toMatch(/^Member [0-9A-F]{6}$/);
  expect(await openedBy(first.viewer)).toMatchObject([
    { sessionId: first.viewer.sessionId, newDevice: true, userAgent: 'phone' },
    { sessionId: second.viewer.sessionId, newDevice: false, userAgent: '' },
  ]);
});

test('the answer to a sign-in shows the own account whole, although nobody was signed in yet', async () => {
  const email = someAddress();
  const { data: asked } = await ask(world, email);
  const challengeId = asked.requestOtp.challengeId;
  const { data, errors } = await verify(world, { challengeId, email, code: await newestCode(world) });
  expect(errors).toEqual([]);
  expect(data.verifyOtp.user).toEqual({
    id: expect.any(String),
    displayName: expect.stringMatching(/^Member [0-9A-F]{6}$/),
    email,
    profileCompletedAt: null,
    avatar: null,
    stats: { carriedLegs: 0 },
    settings: { locale: 'en', timeZone: 'UTC' },
  });
});

test('an access token names user and session, for this platform, for five minutes', async () => {
  const email = someAddress();
  const { accessToken, viewer } = await signIn(world, email);
  const { payload, protectedHeader } = await claimsOf(accessToken);
  expect(payload).toMatchObject({ typ: 'access', sub: viewer.userId, sid: viewer.sessionId, roles: [] });
  expect(payload.exp! - payload.iat!).toBe(300);
  expect(protectedHeader.kid).toBe(accessKeySet(world.shared.secrets).keys[0]?.kid);
  await world.clock.advance('5m');
  await expect(claimsOf(accessToken)).rejects.toMatchObject({ code: 'ERR_JWT_EXPIRED' });
});

test('the published key set holds no private key', async () => {
  expect(Object.keys(accessKeySet(world.shared.secrets).keys[0]!).sort()).toEqual(
    ['alg', 'crv', 'kid', 'kty', 'use', 'x'].sort(),
  );
});

test('operators and administrators are who prove an address of theirs', async () => {
  const email = someAddress();
  await using world = await startWorld({
    subgraphs: ['identity'],
    env: {
      OPERATOR_EMAILS: 'ops@example.com, Both@example.com',
      ADMIN_EMAILS: 'ada@example.com,both@example.com',
    },
  });
  const rolesOf = async ({ accessToken }: SignedIn) => (await claimsOf(accessToken, world)).payload.roles;
  expect(await rolesOf(await signIn(world, 'ops@example.com'))).toEqual(['operator']);
  expect(await rolesOf(await signIn(world, 'ada@example.com'))).toEqual(['admin']);
  expect(await rolesOf(await signIn(world, 'both@example.com'))).toEqual(['operator', 'admin']);
  expect(await rolesOf(await signIn(world, email))).toEqual([]);
});

test('a link token names one recipient of one shipment until it ends', async () => {
  const [shipmentId, recipientId] = [newId(), newId()];
  const expiresAt = after(world.clock.now(), 3 * DAY);
  const { token } = await world.ask(IdentityContract).linkToken({ shipmentId, recipientId, expiresAt });
  expect((await claimsOf(token)).payload).toMatchObject({
    typ: 'link',
    shp: shipmentId,
    rcp: recipientId,
    exp: expiresAt.getTime() / 1_000,
  });
  expect(decodeProtectedHeader(token).alg).toBe('EdDSA');
});

test.each([
  ['DEVICE_KEY_INVALID', { devicePublicKey: 'AAAA' }],
  [
    'DEVICE_KEY_INVALID',
    {
      devicePublicKey: generateKeyPairSync('ec', { namedCurve: 'P-384' })
        .publicKey.export({ format: 'der', type: 'spki' })
        .toString('base64url'),
    },
  ],
  ['LOCALE_INVALID', { locale: 'not a language' }],
  ['TIME_ZONE_UNKNOWN', { timeZone: 'Mars/Olympus' }],
])('a sign-in is refused with %s, and the code stays good', async (code, fault) => {
  const email = someAddress();
  const { data } = await ask(world, email);
  const right = { challengeId: data.requestOtp.challengeId, email, code: await newestCode(world) };
  expect((await verify(world, { ...right, ...fault })).codes).toEqual([code]);
  expect((await verify(world, right)).errors).toEqual([]);
});

test('a device with another key is a new device', async () => {
  const email = someAddress();
  const key = () =>
    generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
  const own = key();
  await signIn(world, email, { devicePublicKey: own });
  await signIn(world, email, { devicePublicKey: own });
  const { viewer } = await signIn(world, email, { devicePublicKey: key() });
  expect((await openedBy(viewer)).map(({ newDevice }) => newDevice)).toEqual([true, false, true]);
});

test('each refresh gives the next token of the same session', async () => {
  const email = someAddress();
  const signedIn = await signIn(world, email);
  const seen = new Set([signedIn.refreshToken]);
  let held: Held = signedIn;
  for (let round = 1; round <= 5; round += 1) {
    await world.clock.advance('4m');
    held = await rotate(held);
    seen.add(held.refreshToken);
  }
  expect(seen.size).toBe(6);
  const { data } = await refresh(held);
  expect(data.refreshSession).toMatchObject({ id: signedIn.viewer.sessionId, user: { email } });
});

test('a refresh token that comes back after the grace ends the session, and this is told', async () => {
  const stolen = await signIn(world, someAddress());
  const current = await rotate(stolen);
  await world.clock.advance('10001ms');
  expect((await refresh(stolen)).codes).toEqual(['SESSION_ENDED']);
  expect((await refresh(current)).codes).toEqual(['SESSION_ENDED']);
  expect(await revokedOf(stolen.viewer)).toMatchObject([
    { sessionId: stolen.viewer.sessionId, reason: 'REFRESH_TOKEN_REUSED' },
  ]);
});

test('any older token than the last ends the session, even at once', async () => {
  const stolen = await signIn(world, someAddress());
  const current = await rotate(await rotate(stolen));
  expect((await refresh(stolen)).codes).toEqual(['SESSION_ENDED']);
  expect((await refresh(current)).codes).toEqual(['SESSION_ENDED']);
});

test('within the grace the same device gets the same answer again, also when it asks at once', async () => {
  const first = await signIn(world, someAddress());
  const answers = await Promise.all(Array.from({ length: 8 }, () => rotate(first)));
  await world.clock.advance('10s');
  answers.push(await rotate(first));
  expect(new Set(answers.map(({ refreshToken }) => refreshToken)).size).toBe(1);
  await rotate(answers[0]!);
  expect(await revokedOf(first.viewer)).toEqual([]);
});

test('two devices that race one token both lose it', async () => {
  const own = await signIn(world, someAddress());
  const [answer, thief] = await Promise.all([refresh(own), refresh({ ...own, device: deviceOf('eve') })]);
  expect(thief.codes).toEqual(['SESSION_ENDED']);
  const refreshToken = answer.data?.refreshSession?.refreshToken ?? own.refreshToken;
  expect((await refresh({ ...own, refreshToken })).codes).toEqual(['SESSION_ENDED']);
  expect(await revokedOf(own.viewer)).toMatchObject([{ reason: 'DEVICE_CHANGED' }]);
});

test('a token that was never made here ends nobody’s session', async () => {
  const own = await signIn(world, someAddress());
  const [, mac] = own.refreshToken.split('.');
  const content = { session: own.viewer.sessionId, value: 'x' };
  const forged = Buffer.from(JSON.stringify(content)).toString('base64url');
  for (const refreshToken of [
    '',
    'x',
    `${forged}.${mac}`,
    `${own.refreshToken}x`,
    own.refreshToken.toLowerCase(),
  ])
    expect((await refresh({ ...own, refreshToken })).codes).toEqual(['REFRESH_TOKEN_INVALID']);
  await rotate(own);
});

test('refresh tokens are not stored', async () => {
  const first = await signIn(world, someAddress());
  const next = await rotate(first);
  const rows = await world
    .database('identity')
    .read((em) =>
      em.execute('select row_to_json(s)::text as row from sessions s where id = ?', [first.viewer.sessionId]),
    );
  expect(rows).toHaveLength(1);
  for (const { refreshToken } of [first, next])
    expect(JSON.stringify(rows)).not.toContain(refreshToken.split('.')[0]);
});

test('a session ends when it is not used', async () => {
  const idle = await signIn(world, someAddress());
  await world.clock.advance('30d');
  expect((await refresh(idle)).codes).toEqual(['SESSION_ENDED']);
  expect(await revokedOf(idle.viewer)).toEqual([]);
});

test('a session ends after its longest life however much it is used, and no access token outlives it', async () => {
  const signedIn = await signIn(world, someAddress());
  let held: Held = signedIn;
  for (let day = 29; day < 90; day += 29) {
    await world.clock.advance('29d');
    held = await rotate(held);
  }
  await world.clock.advance(3 * DAY - MINUTE);
  const { data } = await refresh(held);
  const { payload } = await claimsOf(data.refreshSession.accessToken);
  expect(payload.exp! - payload.iat!).toBe(60);
  await world.clock.advance('1m');
  const { refreshToken } = data.refreshSession;
  expect((await refresh({ ...held, refreshToken })).codes).toEqual(['SESSION_ENDED']);
});

test('a user sees their live sessions and ends any of them', async () => {
  const email = someAddress();
  const phone = await signIn(world, email, { userAgent: 'phone' });
  await world.clock.advance('1m');
  const laptop = await signIn(world, email, {
    userAgent: 'laptop',
    deviceFingerprint: deviceOf('the laptop'),
  });
  expect((await sessionsOf(phone.viewer)).data.mySessions).toEqual([
    { id: laptop.viewer.sessionId, userAgent: 'laptop', current: false, endedAt: null },
    { id: phone.viewer.sessionId, userAgent: 'phone', current: true, endedAt: null },
  ]);
  const ended = await endSession(laptop.viewer.sessionId, phone.viewer);
  expect(ended.data.endSession.endedAt).toBe(world.clock.now().toISOString());
  expect((await endSession(laptop.viewer.sessionId, phone.viewer)).data).toEqual(ended.data);
  expect((await refresh(laptop)).codes).toEqual(['SESSION_ENDED']);
  const out = await world.execute('identity', 'mutation { signOut { id current } }', {}, phone.viewer);
  expect(out.data.signOut).toEqual({ id: phone.viewer.sessionId, current: true });
  expect((await sessionsOf(phone.viewer)).data.mySessions).toEqual([]);
  expect((await refresh(phone)).codes).toEqual(['SESSION_ENDED']);
});

test('nobody ends another’s session, or learns that there is one', async () => {
  const email = someAddress();
  const ana = await signIn(world, email);
  const eve = await signIn(world, someAddress());
  const others = await endSession(ana.viewer.sessionId, eve.viewer);
  const absent = await endSession(newId(), eve.viewer);
  expect(others.codes).toEqual(['SESSION_NOT_FOUND']);
  expect(others.errors[0]?.message).toBe(absent.errors[0]?.message);
  expect((await endSession('no id', eve.viewer)).codes).toEqual(['SESSION_NOT_FOUND']);
  await rotate(ana);
});

test('the oldest session makes room for the newest', async () => {
  const email = someAddress();
  await using world = await startWorld({ subgraphs: ['identity'], env: { SESSIONS_PER_USER: '2' } });
  const signedIn: SignedIn[] = [];
  for (let round = 1; round <= 3; round += 1) {
    signedIn.push(await signIn(world, email));
    await world.clock.advance('1m');
  }
  const { data } = await sessionsOf(signedIn[2]!.viewer, world);
  expect(data.mySessions.map(({ id }: { id: string }) => id)).toEqual([
    signedIn[2]!.viewer.sessionId,
    signedIn[1]!.viewer.sessionId,
  ]);
});

test.each(['{ mySessions { id } }', 'mutation { signOut { id } }'])(
  '%s wants a sign-in',
  async (operation) => {
    expect((await world.execute('identity', operation, {}, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  },
);
