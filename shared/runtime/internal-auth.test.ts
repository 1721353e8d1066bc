import { SignJWT } from 'jose';
import type { Viewer } from '#shared/kernel/viewer.ts';
import {
  createInternalVerifier,
  InternalAuthRefused,
  parseInternalSecrets,
  signInternal,
} from '#shared/runtime/internal-auth.ts';

const secrets = parseInternalSecrets(`k1:${'a'.repeat(32)},k0:${'b'.repeat(32)}`);
const viewer: Viewer = { kind: 'user', userId: 'u1', sessionId: 's1', roles: ['sender'] };

function world() {
  let milliseconds = Date.UTC(2030, 0, 1);
  const clock = { now: () => new Date(milliseconds) };
  return {
    clock,
    pass: (seconds: number) => {
      milliseconds += seconds * 1000;
    },
    sign: (over: Partial<Parameters<typeof signInternal>[0]> = {}) =>
      signInternal({ secrets, audience: 'books', viewer, body: 'body', clock, ...over }),
    verifier: (over: Partial<Parameters<typeof createInternalVerifier>[0]> = {}) =>
      createInternalVerifier({ secrets, audience: 'books', clock, ...over }),
  };
}

const refusal = (reason: string) => expect.objectContaining({ name: 'InternalAuthRefused', message: reason });

describe('a signed viewer', () => {
  test.each<Viewer>([
    viewer,
    { kind: 'link', shipmentId: 'shp', recipientId: 'rcp' },
    { kind: 'partner', partnerId: 'p1', keyId: 'k1', scopes: ['shipments:read'] },
    { kind: 'service', name: 'bookings' },
    { kind: 'anonymous' },
  ])('arrives as it was sent: $kind', async (sent) => {
    const { sign, verifier } = world();
    expect(await verifier().verifyInternal(await sign({ viewer: sent }), 'body')).toEqual(sent);
  });

  test('signed with the older of two live secrets is still believed', async () => {
    const { sign, verifier } = world();
    const token = await sign({ secrets: secrets.slice(1) });
    expect(await verifier().verifyInternal(token, 'body')).toEqual(viewer);
  });

  test.each([undefined, null, ''])('that is missing (%p) is refused', async (token) => {
    await expect(world().verifier().verifyInternal(token, 'body')).rejects.toEqual(refusal('missing'));
  });

  test('that has expired is refused', async () => {
    const { sign, verifier, pass } = world();
    const token = await sign();
    pass(13);
    await expect(verifier().verifyInternal(token, 'body')).rejects.toEqual(refusal('ERR_JWT_EXPIRED'));
  });

  test('for another subgraph is refused', async () => {
    const { sign, verifier } = world();
    const token = await sign({ audience: 'authors' });
    await expect(verifier().verifyInternal(token, 'body')).rejects.toEqual(
      refusal('ERR_JWT_CLAIM_VALIDATION_FAILED'),
    );
  });

  test('with another body is refused', async () => {
    const { sign, verifier } = world();
    await expect(verifier().verifyInternal(await sign(), 'other')).rejects.toEqual(refusal('other body'));
  });

  test('signed with a foreign key under a known name is refused', async () => {
    const { sign, verifier } = world();
    const token = await sign({ secrets: parseInternalSecrets(`k1:${'x'.repeat(32)}`) });
    await expect(verifier().verifyInternal(token, 'body')).rejects.toEqual(
      refusal('ERR_JWS_SIGNATURE_VERIFICATION_FAILED'),
    );
  });

  test('signed under an unknown name is refused', async () => {
    const { sign, verifier } = world();
    const token = await sign({ secrets: parseInternalSecrets(`k9:${'a'.repeat(32)}`) });
    await expect(verifier().verifyInternal(token, 'body')).rejects.toEqual(refusal('unknown key'));
  });

  test('that was not signed at all is refused', async () => {
    const { verifier } = world();
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none', kid: 'k1' })}.${part({ viewer, aud: 'books' })}.`;
    await expect(verifier().verifyInternal(token, 'body')).rejects.toBeInstanceOf(InternalAuthRefused);
  });

  test('of a longer life than ours is refused', async () => {
    const { verifier, clock } = world();
    const now = clock.now().getTime() / 1000;
    const token = await new SignJWT({ viewer: { ...viewer }, bsh: 'x' })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .setAudience('books')
      .setIssuedAt(now - 60)
      .setExpirationTime(now + 3600)
      .setJti('1')
      .sign(secrets[0]!.key);
    await expect(verifier().verifyInternal(token, 'body')).rejects.toEqual(refusal('ERR_JWT_EXPIRED'));
  });

  test('works once', async () => {
    const { sign, verifier } = world();
    const receiver = verifier();
    const token = await sign();
    await receiver.verifyInternal(token, 'body');
    await expect(receiver.verifyInternal(token, 'body')).rejects.toEqual(refusal('replayed'));
  });

  test('is refused when replays could no longer be told, until old ones have expired', async () => {
    const { sign, verifier, pass } = world();
    const receiver = verifier({ replayCapacity: 2 });
    await receiver.verifyInternal(await sign(), 'body');
    await receiver.verifyInternal(await sign(), 'body');
    await expect(receiver.verifyInternal(await sign(), 'body')).rejects.toEqual(
      refusal('replay memory is full'),
    );
    pass(13);
    expect(await receiver.verifyInternal(await sign(), 'body')).toEqual(viewer);
  });
});

test.each([
  ['short:tooshort', 'shorter than 32 bytes'],
  ['nosecret', 'kid:secret'],
  [`k:${'a'.repeat(32)},k:${'b'.repeat(32)}`, 'same kid'],
  [`a:${'a'.repeat(32)},b:${'b'.repeat(32)},c:${'c'.repeat(32)}`, 'at most two'],
])('the secrets "%s" are refused', (text, reason) => {
  expect(() => parseInternalSecrets(text)).toThrow(reason);
});
