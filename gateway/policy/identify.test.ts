import { generateKeyPair } from 'jose';
import { until } from '../testing/platform.ts';
import { FixedClock, policyOf, token, Who } from './testing/policy.ts';

const address = '192.0.2.1';
const shown = (authorization?: string, apiKey?: string) => ({ authorization, apiKey, address });
const code = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'taken',
    (error) => error.extensions?.code ?? error,
  );

describe('access tokens', () => {
  test('nothing shown is nobody', async () => {
    await using policy = policyOf();
    expect(await policy.identify(shown())).toEqual({
      viewer: { kind: 'anonymous' },
      expiresAt: null,
      contract: null,
      scopes: [],
      keyId: null,
      address,
    });
  });

  test('a token is its user, with its expiry and its scopes', async () => {
    const clock = new FixedClock();
    await using policy = policyOf({ clock });
    const text = await token(clock, { scope: 'read write' });
    const caller = {
      viewer: { kind: 'user', userId: 'u1', sessionId: 's1', roles: ['reader'] },
      expiresAt: new Date(clock.time + 300_000),
      contract: null,
      scopes: ['read', 'write'],
      keyId: null,
      address,
    };
    expect(await policy.identify(shown(`Bearer ${text}`))).toEqual(caller);
    expect(await policy.identify({ ...shown(`bearer ${text}`), address: '::1' })).toEqual({
      ...caller,
      address: '::1',
    });
  });

  test('a token of a link is its holder', async () => {
    const clock = new FixedClock();
    await using policy = policyOf({ clock });
    const text = await token(clock, { typ: 'link', shp: 'p', rcp: 'r' });
    const { viewer } = await policy.identify(shown(`Bearer ${text}`));
    expect(viewer).toEqual({ kind: 'link', shipmentId: 'p', recipientId: 'r' });
  });

  test.each<[string, (clock: FixedClock) => Promise<string> | string]>([
    ['of another scheme', () => 'Basic dTpw'],
    ['that is garbage', () => 'Bearer x.y.z'],
    ['that is endless', () => `Bearer ${'x'.repeat(10_000)}`],
    ['that never ends', async (clock) => `Bearer ${await token(clock, {}, null)}`],
    ['that has expired', async (clock) => `Bearer ${await token(clock, {}, -1)}`],
    ['without a session', async (clock) => `Bearer ${await token(clock, { sid: undefined })}`],
    ['of an unknown kind', async (clock) => `Bearer ${await token(clock, { typ: 'refresh' })}`],
    [
      'that another key signed',
      async (clock) =>
        `Bearer ${await token(clock, {}, 60, (await generateKeyPair('EdDSA', { crv: 'Ed25519' })).privateKey)}`,
    ],
  ])('one %s is refused, and is not nobody', async (_, authorization) => {
    const clock = new FixedClock();
    await using policy = policyOf({ clock });
    expect(await code(policy.identify(shown(await authorization(clock))))).toBe('UNAUTHENTICATED');
  });

  test('a token that was believed is refused once it has expired', async () => {
    const clock = new FixedClock();
    await using policy = policyOf({ clock });
    const text = `Bearer ${await token(clock, {}, 10)}`;
    expect(await code(policy.identify(shown(text)))).toBe('taken');
    clock.time += 9_000;
    expect(await code(policy.identify(shown(text)))).toBe('taken');
    clock.time += 1_000;
    expect(await code(policy.identify(shown(text)))).toBe('UNAUTHENTICATED');
    expect(await code(policy.identify(shown(text)))).toBe('UNAUTHENTICATED');
  });

  test('a signature is checked once: the second look takes a fraction of the first', async () => {
    const clock = new FixedClock();
    await using policy = policyOf({ clock });
    const texts = await Promise.all(
      Array.from({ length: 200 }, (_, index) => token(clock, { sid: `s${index}` })),
    );
    const look = async () => {
      const before = performance.now();
      for (const text of texts) await policy.identify(shown(`Bearer ${text}`));
      return (performance.now() - before) / texts.length;
    };
    const [first, second] = [await look(), await look()];
    console.log(`a token: first ${(first * 1000).toFixed(0)} µs, then ${(second * 1000).toFixed(1)} µs`);
    expect(second).toBeLessThan(first / 5);
  });
});

describe('ended sessions', () => {
  const env = { REVOCATIONS_FROM: 'who:/internal/ended', REVOCATIONS_POLL: '20ms' };

  test('a token of an ended session is refused, and who watches is told', async () => {
    const clock = new FixedClock();
    const who = new Who();
    const feed: string[] = [];
    // It may tell again what it has told.
    who.answer = () => ({
      status: 200,
      body: { ended: feed.map((sessionId) => ({ sessionId })), cursor: String(feed.length) },
    });
    await using policy = policyOf({ clock, who, env });
    const text = `Bearer ${await token(clock)}`;
    const other = `Bearer ${await token(clock, { sid: 's2' })}`;
    const caller = await policy.identify(shown(text));
    let told = 0;
    policy.onRevoked(caller, () => {
      told += 1;
    });
    const stop = policy.onRevoked(caller, () => {
      told += 100;
    });
    stop();
    feed.push('s1');
    await until(() => told > 0);
    const looks = who.asked.length;
    await until(() => who.asked.length > looks + 2);
    expect(await code(policy.identify(shown(text)))).toBe('UNAUTHENTICATED');
    expect(await code(policy.identify(shown(other)))).toBe('taken');
    expect(told).toBe(1);
    expect(who.asked[0]).toEqual({
      method: 'GET',
      target: '/internal/ended?after=',
      viewer: { kind: 'service', name: 'gateway' },
      body: '',
    });
    const late = Promise.withResolvers<void>();
    policy.onRevoked(caller, late.resolve);
    await late.promise;
  });

  test('while the feed is lost the last known state holds, and the log says so once', async () => {
    const clock = new FixedClock();
    const who = new Who();
    const lines: string[] = [];
    who.answer = ({ target }) =>
      target.endsWith('after=')
        ? { status: 200, body: { ended: [{ sessionId: 's1' }], cursor: '1' } }
        : { status: 500, body: {} };
    await using policy = policyOf({ clock, who, env, log: (line) => lines.push(line) });
    await until(() => who.asked.length > 6);
    expect(await code(policy.identify(shown(`Bearer ${await token(clock)}`)))).toBe('UNAUTHENTICATED');
    expect(await code(policy.identify(shown(`Bearer ${await token(clock, { sid: 's2' })}`)))).toBe('taken');
    expect(lines.filter((line) => line.includes('ended sessions'))).toHaveLength(1);
    who.answer = () => ({ status: 200, body: { ended: [], cursor: '1' } });
    await until(() => lines.some((line) => line.includes('can be reached again')));
  });
});

describe('API keys', () => {
  const env = { API_KEYS_FROM: 'who:/internal/api-keys', REVOCATIONS_POLL: '20ms' };
  const partner = {
    keyId: 'k1',
    partnerId: 'p1',
    contract: 'partner',
    scopes: ['shipments:read'],
    costPerMinute: 1_000,
    requestsPerMinute: 60,
  };
  const registry = (who: Who, keys: Record<string, unknown>) => {
    who.answer = ({ body }) => {
      const found = keys[JSON.parse(body).key];
      return found ? { status: 200, body: found } : { status: 404, body: { code: 'NOT_FOUND' } };
    };
  };

  test('a key is its partner, with contract, scopes and budget', async () => {
    const who = new Who();
    registry(who, { secret: partner });
    await using policy = policyOf({ who, env });
    expect(await policy.identify(shown(undefined, 'secret'))).toEqual({
      viewer: { kind: 'partner', partnerId: 'p1', keyId: 'k1', scopes: ['shipments:read'] },
      expiresAt: null,
      contract: 'partner',
      scopes: ['shipments:read'],
      keyId: 'k1',
      address,
      budget: { costPerMinute: 1_000, requestsPerMinute: 60 },
    });
    expect(who.asked).toEqual([
      {
        method: 'POST',
        target: '/internal/api-keys',
        viewer: { kind: 'service', name: 'gateway' },
        body: '{"key":"secret"}',
      },
    ]);
  });

  test('many requests at once ask once, unknown keys too', async () => {
    const who = new Who();
    registry(who, { secret: partner });
    await using policy = policyOf({ who, env });
    await Promise.all(Array.from({ length: 50 }, () => policy.identify(shown(undefined, 'secret'))));
    const wrong = Array.from({ length: 20 }, () => code(policy.identify(shown(undefined, 'guess'))));
    expect(new Set(await Promise.all(wrong))).toEqual(new Set(['UNAUTHENTICATED']));
    expect(await code(policy.identify(shown(undefined, 'guess')))).toBe('UNAUTHENTICATED');
    expect(who.asked).toHaveLength(2);
  });

  test('a revoked key is refused within five seconds, and its connections end', async () => {
    const who = new Who();
    const clock = new FixedClock();
    const keys: Record<string, unknown> = { secret: partner };
    registry(who, keys);
    await using policy = policyOf({ who, env, clock });
    const caller = await policy.identify(shown(undefined, 'secret'));
    const ended = Promise.withResolvers<void>();
    policy.onRevoked(caller, ended.resolve);
    delete keys.secret;
    await ended.promise;
    clock.time += 5_000;
    expect(await code(policy.identify(shown(undefined, 'secret')))).toBe('UNAUTHENTICATED');
  });

  test('the connections of a key whose scopes change end, and begin anew with the new ones', async () => {
    const who = new Who();
    const clock = new FixedClock();
    const keys: Record<string, unknown> = { secret: partner };
    registry(who, keys);
    await using policy = policyOf({ who, env, clock });
    const ended = Promise.withResolvers<void>();
    policy.onRevoked(await policy.identify(shown(undefined, 'secret')), ended.resolve);
    keys.secret = { ...partner, scopes: [] };
    await ended.promise;
    expect((await policy.identify(shown(undefined, 'secret'))).scopes).toEqual([]);
  });

  test('who guesses is held off, and nobody else', async () => {
    const who = new Who();
    registry(who, { secret: partner });
    await using policy = policyOf({ who, env });
    const guess = (index: number) => code(policy.identify(shown(undefined, `guess ${index}`)));
    for (let index = 0; index < 30; index += 1) expect(await guess(index)).toBe('UNAUTHENTICATED');
    expect(await guess(31)).toBe('RATE_LIMITED');
    const elsewhere = { authorization: undefined, apiKey: 'secret', address: '192.0.2.2' };
    expect(await code(policy.identify(elsewhere))).toBe('taken');
  });

  test('while the registry is lost, keys that were good a minute ago still are', async () => {
    const who = new Who();
    const clock = new FixedClock();
    registry(who, { secret: partner });
    await using policy = policyOf({ who, env, clock });
    await policy.identify(shown(undefined, 'secret'));
    who.answer = () => ({ status: 500, body: {} });
    clock.time += 30_000;
    expect(await code(policy.identify(shown(undefined, 'secret')))).toBe('taken');
    clock.time += 31_000;
    expect(await code(policy.identify(shown(undefined, 'secret')))).toBe('CREDENTIALS_UNCHECKED');
    expect(await code(policy.identify(shown(undefined, 'unknown')))).toBe('CREDENTIALS_UNCHECKED');
  });

  test('token and key together are refused', async () => {
    const who = new Who();
    const clock = new FixedClock();
    registry(who, { secret: partner });
    await using policy = policyOf({ who, env, clock });
    const both = shown(`Bearer ${await token(clock)}`, 'secret');
    expect(await code(policy.identify(both))).toBe('UNAUTHENTICATED');
  });

  test('where no registry is configured a key means nothing', async () => {
    await using policy = policyOf();
    expect((await policy.identify(shown(undefined, 'secret'))).viewer.kind).toBe('anonymous');
  });
});
