import { OtpRequested, UserRegistered } from '#shared/events/identity.ts';
import { DAY, HOUR } from '#shared/kernel/time.ts';
import { Contracts } from '#shared/runtime/contracts.ts';
import { DeterministicDurable } from '#shared/testing/durable.ts';
import { startWorld, World } from '../../testing/world.ts';
import { ask, deviceOf, newestCode, signIn, someAddress, verify } from '../testing/sign-in.ts';

const wrong = (code: string): string => ((Number(code) + 1) % 1_000_000).toString().padStart(6, '0');

let world: World;
beforeAll(async () => {
  world = await startWorld({ subgraphs: ['identity'] });
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** What was told about one address. */
const toldTo = async (event: typeof OtpRequested | typeof UserRegistered, email: string) =>
  (await world.told<typeof OtpRequested | typeof UserRegistered>(event)).filter(
    (fact) => fact.email === email,
  );

async function challenged(email: string) {
  const { data } = await ask(world, email);
  return { challengeId: String(data.requestOtp.challengeId), email, code: await newestCode(world) };
}

test('a code signs in once, and never again', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  expect((await verify(world, challenge)).errors).toEqual([]);
  expect((await verify(world, challenge)).codes).toEqual(['OTP_INVALID']);
});

test('one right code sent twenty times at once signs in once', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  const answers = await Promise.all(Array.from({ length: 20 }, () => verify(world, challenge)));
  expect(answers.filter(({ errors }) => errors.length === 0)).toHaveLength(1);
  expect(await toldTo(UserRegistered, email)).toHaveLength(1);
});

test('five wrong tries use a code up, and the right one comes too late', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  const left: unknown[] = [];
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const { details } = await verify(world, { ...challenge, code: wrong(challenge.code) });
    left.push(details[0].triesLeft);
  }
  expect(left).toEqual([4, 3, 2, 1, 0]);
  expect((await verify(world, challenge)).codes).toEqual(['OTP_INVALID']);
});

test('fifty guesses at once are no more than five tries', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  const guesses = Array.from({ length: 50 }, () =>
    verify(world, { ...challenge, code: wrong(challenge.code) }),
  );
  const left = (await Promise.all(guesses)).map(({ details }) => details[0].triesLeft);
  expect(left.filter((count) => count !== 0).sort()).toEqual([1, 2, 3, 4]);
  expect((await verify(world, challenge)).codes).toEqual(['OTP_INVALID']);
  const [row] = await world
    .database('identity')
    .read((em) =>
      em.execute<{ tries: number }[]>('select tries from otp_challenges where email = ?', [email]),
    );
  expect(row?.tries).toBe(5);
});

test('tries outlive the process that counted them', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  for (let attempt = 1; attempt <= 5; attempt += 1)
    await verify(world, { ...challenge, code: wrong(challenge.code) });
  await using durable = new DeterministicDurable({ clock: world.clock });
  const shared = { ...world.shared, durable, contracts: new Contracts() };
  await using restarted = new World(shared, world.clock, durable, new AsyncDisposableStack());
  await restarted.open({ subgraphs: ['identity'] });
  expect((await verify(restarted, challenge)).codes).toEqual(['OTP_INVALID']);
});

test('a code is worthless after ten minutes', async () => {
  const email = someAddress();
  const challenge = await challenged(email);
  await world.clock.advance('10m');
  expect((await verify(world, challenge)).codes).toEqual(['OTP_INVALID']);
});

test('a new code voids the one before', async () => {
  const email = someAddress();
  const first = await challenged(email);
  const second = await challenged(email);
  expect((await verify(world, first)).codes).toEqual(['OTP_INVALID']);
  expect((await verify(world, { ...second, challengeId: first.challengeId })).codes).toEqual(['OTP_INVALID']);
  expect((await verify(world, second)).errors).toEqual([]);
});

test.each([
  ['device', () => ({ deviceFingerprint: deviceOf('eve') })],
  ['address', (email: string) => ({ email: 'eve@example.com', deviceFingerprint: deviceOf(email) })],
  ['challenge', () => ({ challengeId: '0193d5a8-7b1e-7000-8000-000000000000' })],
  ['challenge that is no id', () => ({ challengeId: "1' or '1'='1" })],
])('a code of another %s is refused and costs its owner no try', async (_, other) => {
  const email = someAddress();
  const challenge = await challenged(email);
  const { errors } = await verify(world, { ...challenge, ...other(email) });
  expect(errors[0]?.extensions).toEqual({ code: 'OTP_INVALID', kind: 'INVALID', details: { triesLeft: 0 } });
  const { details } = await verify(world, { ...challenge, code: wrong(challenge.code) });
  expect(details[0].triesLeft).toBe(4);
});

test.each(['12345', '1234567', 'abcdef', '１２３４５６', ''])(
  '%j is no code, and still a try',
  async (code) => {
    const email = someAddress();
    const { errors } = await verify(world, { ...(await challenged(email)), code });
    expect(errors[0]?.extensions).toMatchObject({ code: 'OTP_INVALID', details: { triesLeft: 4 } });
  },
);

test('ten wrong tries within an hour stop an address, whatever codes it asks for', async () => {
  const email = someAddress();
  for (let round = 1; round <= 2; round += 1) {
    const challenge = await challenged(email);
    for (let attempt = 1; attempt <= 5; attempt += 1)
      await verify(world, { ...challenge, code: wrong(challenge.code) });
  }
  const { errors, details } = await verify(world, await challenged(email));
  expect(errors[0]?.extensions).toMatchObject({ code: 'OTP_LIMIT_REACHED', kind: 'UNAVAILABLE' });
  await world.clock.set(String(details[0].retryAt));
  expect((await verify(world, await challenged(email))).errors).toEqual([]);
});

test('an address gets five codes within an hour, however many are asked for at once', async () => {
  const email = someAddress();
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(world, email)));
  expect(answers.filter(({ errors }) => errors.length === 0)).toHaveLength(5);
  expect(new Set(answers.flatMap(({ codes }) => codes))).toEqual(new Set(['OTP_LIMIT_REACHED']));
  expect(await toldTo(OtpRequested, email)).toHaveLength(5);
  expect((await ask(world, someAddress())).errors).toEqual([]);
  await world.clock.advance(HOUR);
  expect((await ask(world, ` ${email.toUpperCase()}`)).errors).toEqual([]);
});

test('nothing tells a known address from an unknown one', async () => {
  const email = someAddress();
  await signIn(world, email);
  const shape = async (address: string) => {
    const statements = await world.countQueries(() => ask(world, address));
    const { data, errors } = await ask(world, address);
    return { fields: Object.keys(data.requestOtp), expiresAt: data.requestOtp.expiresAt, errors, statements };
  };
  const known = await shape(email);
  expect(known.fields).toEqual(['challengeId', 'expiresAt']);
  expect(await shape(someAddress())).toEqual(known);
  const check = `mutation ($email: String!) { checkEmail(input: { email: $email }) { email providers } }`;
  const statements = await world.countQueries(async () => {
    expect(
      (await world.execute('identity', check, { email: `${email.toUpperCase()} ` })).data.checkEmail,
    ).toEqual({
      email,
      providers: ['EMAIL'],
    });
  });
  expect(statements).toBe(0);
});

test('a code is stored as Argon2id and travels sealed', async () => {
  const email = someAddress();
  const { code, challengeId } = await challenged(email);
  const [row] = await world
    .database('identity')
    .read((em) =>
      em.execute<{ code_hash: string; payload: string }[]>(
        'select c.code_hash, o.payload::text from otp_challenges c, outbox o where c.id = ? and o.key = ?',
        [challengeId, challengeId],
      ),
    );
  expect(row?.code_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(row?.payload).not.toContain(`"${code}"`);
});

test('dead codes and allowances are cleared away by later requests', async () => {
  const email = someAddress();
  await ask(world, email);
  await world.clock.advance(DAY);
  // Each request clears a few, and the tests above left some.
  for (let round = 1; round <= 3; round += 1) await ask(world, someAddress());
  const rows = await world
    .database('identity')
    .read((em) =>
      em.execute(
        'select id::text from otp_challenges where email = ? union all select id from auth_quotas where id like ?',
        [email, `%:${email}`],
      ),
    );
  expect(rows).toEqual([]);
});

test.each([
  ['EMAIL_INVALID', { email: 'ana@example.com\r\nBcc: eve@example.com' }],
  ['DEVICE_FINGERPRINT_INVALID', { deviceFingerprint: 'short' }],
  ['DEVICE_FINGERPRINT_INVALID', { deviceFingerprint: 'x'.repeat(257) }],
])('no code is made: %s', async (code, fault) => {
  const email = someAddress();
  const request = `mutation ($input: RequestOtpInput!) { requestOtp(input: $input) { challengeId } }`;
  const input = { email, deviceFingerprint: deviceOf(email), ...fault };
  expect((await world.execute('identity', request, { input })).codes).toEqual([code]);
  expect(await toldTo(OtpRequested, email)).toEqual([]);
});
