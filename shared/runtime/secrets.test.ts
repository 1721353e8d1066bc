import { randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { Secrets } from './secrets.ts';

const master = randomBytes(32).toString('base64url');
const secrets = new Secrets(master);
const broken = (code: string) => expect.objectContaining({ kind: 'INVALID', code });
const swapped = (text: string, at: number) =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

test.each(['', 'secret', randomBytes(31).toString('base64url')])('the master %j is too short', (short) => {
  expect(() => new Secrets(short)).toThrow(RangeError);
});

test('no two purposes share a key, and every process derives the same', () => {
  expect(secrets.key('a')).toHaveLength(32);
  expect(secrets.key('a')).toEqual(new Secrets(master).key('a'));
  expect(secrets.key('a')).not.toEqual(secrets.key('b'));
  expect(secrets.key('a')).not.toEqual(new Secrets(randomBytes(32).toString('base64url')).key('a'));
});

test('what one signing key signed, the public key of its purpose verifies and no other', () => {
  const text = Buffer.from('handed over');
  const signature = sign(null, text, secrets.signingKey('codes').privateKey);
  expect(verify(null, text, new Secrets(master).signingKey('codes').publicKey, signature)).toBe(true);
  expect(verify(null, text, secrets.signingKey('other').publicKey, signature)).toBe(false);
});

test('a token carries its content', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (content) => {
      expect(secrets.verify('link', secrets.sign('link', content))).toEqual(
        JSON.parse(JSON.stringify(content)),
      );
    }),
  );
});

test('a token is refused after any change of one letter', () => {
  const token = secrets.sign('link', { shipmentId: 'x' });
  for (let at = 0; at < token.length; at += 1)
    expect(() => secrets.verify('link', swapped(token, at))).toThrow(broken('TOKEN_INVALID'));
});

test.each([
  ['of another purpose', secrets.sign('other', 1)],
  ['of another platform', new Secrets(randomBytes(32).toString('base64url')).sign('link', 1)],
  ['with something behind it', `${secrets.sign('link', 1)}.x`],
  ['without its signature', secrets.sign('link', 1).split('.')[0]!],
  ['that is empty', ''],
])('a token %s is refused', (_, token) => {
  expect(() => secrets.verify('link', token)).toThrow(broken('TOKEN_INVALID'));
});

test('a sealed text opens for its purpose, and no two seals look alike', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const sealed = secrets.seal('phone', text);
      expect(secrets.unseal('phone', sealed)).toBe(text);
      expect(secrets.seal('phone', text)).not.toBe(sealed);
    }),
  );
});

test('a seal is broken by any change of one letter', () => {
  const sealed = secrets.seal('phone', '+49 30 123456');
  // The last letter carries bits that are none of the text's.
  for (let at = 0; at < sealed.length - 1; at += 1)
    expect(() => secrets.unseal('phone', swapped(sealed, at))).toThrow(broken('SEAL_BROKEN'));
});

test.each([
  ['for another purpose', secrets.seal('other', 'x')],
  ['that is empty', ''],
  ['shorter than nonce and tag', randomBytes(27).toString('base64url')],
  [
    'with a shortened tag',
    Buffer.from(secrets.seal('phone', ''), 'base64url').subarray(0, 16).toString('base64url'),
  ],
])('a seal %s does not open', (_, sealed) => {
  expect(() => secrets.unseal('phone', sealed)).toThrow(broken('SEAL_BROKEN'));
});
