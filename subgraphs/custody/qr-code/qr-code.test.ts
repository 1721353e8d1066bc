import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import jsqr from 'jsqr';
import type { PartyType } from '#shared/events/vocabulary.ts';
import { Secrets } from '#shared/runtime/secrets.ts';
import { anna, ben, sender, startStory, stranger } from '../testing/story.ts';
import { decodeBase45, encodeBase45 } from './base45.ts';
import { partyTag, spokenCode } from './qr-code.service.ts';
import { type Direction, hashOfToken, readToken, TOKEN_BYTES, writeToken } from './token.ts';

interface Vectors {
  masterSecret: string;
  keys: { keyId: number; publicKey: string }[];
  valid: (Record<'stepId' | 'notBefore' | 'notAfter' | 'nonce' | 'partyTag' | 'bytes', string> & {
    keyId: number;
    direction: Direction;
    party: { type: PartyType; id: string };
    token: string;
    tokenHash: string;
    spokenCode: string;
  })[];
  invalid: { why: string; token: string; code: string }[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('./test-vectors.json', import.meta.url), 'utf8'));
type ReadQr = (pixels: Uint8ClampedArray, width: number, height: number) => { data: string } | null;
const { default: readQr } = jsqr as unknown as { default: ReadQr };
const secrets = new Secrets(vectors.masterSecret);
const keyOf = (keyId: number) =>
  vectors.keys.some((key) => key.keyId === keyId) ? secrets.signingKey(`qr:${keyId}`).publicKey : undefined;

describe('the published vectors', () => {
  test.each(vectors.valid)('a token of key $keyId to $direction for a $party.type', (vector) => {
    const content = {
      keyId: vector.keyId,
      stepId: vector.stepId,
      direction: vector.direction,
      partyTag: Buffer.from(vector.partyTag, 'hex'),
      notBefore: new Date(vector.notBefore),
      notAfter: new Date(vector.notAfter),
      nonce: Buffer.from(vector.nonce, 'hex'),
    };
    expect(partyTag(secrets, vector.party).toString('hex')).toBe(vector.partyTag);
    expect(writeToken(content, secrets.signingKey(`qr:${vector.keyId}`).privateKey)).toBe(vector.token);
    expect(decodeBase45(vector.token)?.toString('hex')).toBe(vector.bytes);
    expect(vector.token).toHaveLength(161);
    expect(readToken(vector.token, keyOf)).toEqual(content);
    expect(hashOfToken(vector.token)).toBe(vector.tokenHash);
    expect(spokenCode(secrets, vector.tokenHash)).toBe(vector.spokenCode);
    expect(vector.spokenCode).toMatch(/^[2-9A-HJ-NP-Z]{8}$/);
  });

  test.each(vectors.invalid)('a token is refused: $why', ({ token, code }) => {
    expect(() => readToken(token, keyOf)).toThrow(expect.objectContaining({ code }));
  });

  test('no change of a single bit goes unnoticed', () => {
    const bytes = Buffer.from(vectors.valid[0]!.bytes, 'hex');
    fc.assert(
      fc.property(fc.nat(TOKEN_BYTES * 8 - 1), (bit) => {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => readToken(encodeBase45(changed), keyOf)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^(BAD_SIGNATURE|UNKNOWN_KEY)$/) }),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe('Base45', () => {
  test.each([
    ['AB', 'BB8'],
    ['Hello!!', '%69 VD92EX0'],
    ['base-45', 'UJCLQE7W581'],
    ['ietf!', 'QED8WEX0'],
  ])('%s is written %s, as in RFC 9285', (text, written) => {
    expect(encodeBase45(Buffer.from(text))).toBe(written);
    expect(decodeBase45(written)?.toString()).toBe(text);
  });

  test('what is written can be read, and nothing else reads as it', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase45(encodeBase45(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
    for (const bad of [':::', '::', 'A', 'aB8', 'ABCD']) expect(decodeBase45(bad)).toBeNull();
  });
});

test('a party gets a code that a camera reads and any phone verifies without a network', async () => {
  await using story = await startStory({ env: { QR_SIGNING_KEY_ID: '2' } });
  const { id } = await story.handoff(1);
  const { data } = await story.issue(id, sender);
  const code = data.issueQrCode;
  expect(code).toMatchObject({ direction: 'GIVE', state: 'MINTED', spokenCode: expect.any(String) });
  expect(scanPicture(code.image)).toBe(code.token);
  const keys = (await story.world.execute('custody', '{ qrVerificationKeys { keyId algorithm publicKey } }'))
    .data.qrVerificationKeys;
  expect(keys.map((key: { keyId: number }) => key.keyId)).toEqual([1, 2]);
  const content = readToken(code.token, (keyId) => {
    const { publicKey } = keys.find((key: { keyId: number }) => key.keyId === keyId);
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
  });
  expect(content).toMatchObject({ keyId: 2, stepId: id, direction: 'give' });
});

test('whoever reads the database cannot show a code', async () => {
  await using story = await startStory();
  const token = await story.token(1, sender);
  const [row] = await story.rows('select * from qr_codes');
  expect(row!.token_hash).toBe(hashOfToken(token));
  expect(JSON.stringify(row)).not.toContain(token);
});

test('a new code revokes the one before; nobody but the two parties gets one', async () => {
  await using story = await startStory();
  const { id } = await story.handoff(1);
  const validate = async (token: string) =>
    (
      await story.world.execute(
        'custody',
        'mutation ($token: String!) { validateQrCode(input: { token: $token }) { valid } }',
        { token },
        ben,
      )
    ).codes;
  const old = await story.token(1, sender);
  expect(await validate(old)).toEqual([]);
  const fresh = await story.token(1, sender);
  expect(await validate(old)).toEqual(['TOKEN_REVOKED']);
  expect(await validate(fresh)).toEqual([]);
  for (const other of [ben, stranger])
    expect((await story.issue(id, other)).codes).toEqual(['HANDOFF_NOT_FOUND']);
  expect((await story.issue('01890a5d-ac96-774b-bcce-000000000001', sender)).codes).toEqual([
    'HANDOFF_NOT_FOUND',
  ]);
});

test('an owner ends a code before its time, once; nobody else does', async () => {
  await using story = await startStory();
  const { data } = await story.issue((await story.handoff(1)).id, sender);
  const expire = async (viewer: typeof sender) =>
    story.world.execute(
      'custody',
      'mutation ($id: ID!) { expireQrCode(input: { qrCodeId: $id }) { state token spokenCode image } }',
      { id: data.issueQrCode.id },
      viewer,
    );
  expect((await expire(anna)).codes).toEqual(['QR_CODE_NOT_FOUND']);
  expect((await expire(sender)).data.expireQrCode).toEqual({
    state: 'EXPIRED',
    token: null,
    spokenCode: null,
    image: null,
  });
  expect((await expire(sender)).codes).toEqual(['INVALID_TRANSITION']);
  expect((await story.scan(anna, { token: data.issueQrCode.token })).codes).toEqual(['TOKEN_EXPIRED']);
});

/** Decodes an RGBA PNG and reads the QR code in it. */
function scanPicture(dataUrl: string): string | undefined {
  const png = Buffer.from(dataUrl.split(',')[1]!, 'base64');
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const chunks: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      chunks.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(chunks));
  const stride = width * 4;
  const pixels = new Uint8ClampedArray(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)]!;
    for (let x = 0; x < stride; x += 1) {
      const left = x >= 4 ? pixels[y * stride + x - 4]! : 0;
      const up = y > 0 ? pixels[(y - 1) * stride + x]! : 0;
      const corner = x >= 4 && y > 0 ? pixels[(y - 1) * stride + x - 4]! : 0;
      const near = left + up - corner;
      const [pa, pb, pc] = [Math.abs(near - left), Math.abs(near - up), Math.abs(near - corner)];
      const paeth = pa <= pb && pa <= pc ? left : pb <= pc ? up : corner;
      const predicted = [0, left, up, (left + up) >> 1, paeth][filter]!;
      pixels[y * stride + x] = (raw[y * (stride + 1) + 1 + x]! + predicted) & 0xff;
    }
  }
  return readQr(pixels, width, height)?.data;
}
