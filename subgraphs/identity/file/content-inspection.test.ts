import fc from 'fast-check';
import { jpeg, pdf, png, sha256, webp } from '../testing/uploads.ts';
import { inspect } from './content-inspection.ts';
import type { FilePurpose, MediaType } from './file.purposes.ts';

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function inspected(
  mediaType: MediaType,
  bytes: Buffer,
  size = 7,
  announced = bytes.length,
  purpose: FilePurpose = 'ATTACHMENT',
) {
  const { content, sha256: hash } = inspect(cut(bytes, size), { purpose, mediaType, bytes: announced });
  const passed: Uint8Array[] = [];
  for await (const chunk of content) passed.push(chunk);
  return { passed: Buffer.concat(passed), hash: hash() };
}

const samples: [MediaType, Buffer][] = [
  ['image/png', png()],
  ['image/jpeg', jpeg()],
  ['image/webp', webp()],
  ['application/pdf', pdf()],
];

test.each(samples)('a %s passes unchanged and hashed, however it is cut', async (mediaType, bytes) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: bytes.length + 1 }), async (size) => {
      const { passed, hash } = await inspected(mediaType, bytes, size);
      expect(passed.equals(bytes)).toBe(true);
      expect(hash).toBe(sha256(bytes));
    }),
    { numRuns: 15 },
  );
});

test.each(samples)('a %s is taken for nothing else', async (own, bytes) => {
  for (const [other] of samples)
    if (other !== own)
      await expect(inspected(other, bytes)).rejects.toMatchObject({ code: 'FILE_TYPE_MISMATCH' });
});

test.each([
  ['a script in a picture', png(2, 2, '\0\0<ScRiPt>alert(1)</script>')],
  ['a page in a picture', png(2, 2, 'x<!DOCTYPE html><title>x')],
  ['a drawing in a picture', png(2, 2, '<svg xmlns="http://www.w3.org/2000/svg" onload="x">')],
  ['a program of the server in a picture', png(2, 2, '<?php system($_GET[0]);')],
])('%s is refused, also where a chunk ends in its midst', async (_, bytes) => {
  for (const size of [1, 5, 40, bytes.length])
    await expect(inspected('image/png', bytes, size)).rejects.toMatchObject({ code: 'FILE_UNSAFE' });
});

test('a document with a program of its own is refused', async () => {
  await expect(
    inspected('application/pdf', pdf('<< /S /JavaScript /JS (app.alert(1)) >>')),
  ).rejects.toMatchObject({
    code: 'FILE_UNSAFE',
  });
});

test.each<[string, MediaType, Buffer]>([
  ['PNG', 'image/png', png(50_000, 50_000)],
  ['JPEG', 'image/jpeg', jpeg(50_000, 50_000)],
  ['WebP', 'image/webp', webp(50_000, 50_000)],
  ['PNG without height', 'image/png', png(50, 0)],
])('a %s that no screen can show is refused', async (_, mediaType, bytes) => {
  await expect(inspected(mediaType, bytes)).rejects.toMatchObject({ code: 'FILE_DIMENSIONS' });
});

test.each<[string, MediaType, Buffer, string]>([
  ['a drawing', 'image/png', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'FILE_TYPE_MISMATCH'],
  ['a page', 'image/jpeg', Buffer.from('<p>Hello, this is a page</p>'), 'FILE_TYPE_MISMATCH'],
  [
    'a program',
    'application/pdf',
    Buffer.from('MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0', 'latin1'),
    'FILE_TYPE_MISMATCH',
  ],
  ['a test virus', 'image/png', Buffer.from('X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR'), 'FILE_TYPE_MISMATCH'],
  ['eight bytes', 'image/png', png().subarray(0, 8), 'FILE_TYPE_MISMATCH'],
  ['a JPEG that ends before its size', 'image/jpeg', jpeg().subarray(0, 18), 'FILE_TYPE_MISMATCH'],
])('%s is no %s', async (_, mediaType, bytes, code) => {
  await expect(inspected(mediaType, bytes, bytes.length)).rejects.toMatchObject({ code });
});

test('more or fewer bytes than announced are refused', async () => {
  await expect(inspected('image/png', png(), 7, png().length - 1)).rejects.toMatchObject({
    code: 'FILE_SIZE_MISMATCH',
  });
  await expect(inspected('image/png', png(), 7, png().length + 1)).rejects.toMatchObject({
    code: 'FILE_SIZE_MISMATCH',
  });
  await expect(inspected('image/png', Buffer.alloc(0), 7, 9)).rejects.toMatchObject({ code: 'FILE_EMPTY' });
});

test('arbitrary bytes are refused or passed, never anything else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 80 }), async (rest) => {
      for (const [mediaType, sample] of samples) {
        const bytes = Buffer.concat([sample.subarray(0, 16), rest]);
        await inspected(mediaType, bytes).catch((error: unknown) =>
          expect(error).toMatchObject({ kind: 'INVALID', code: expect.stringMatching(/^FILE_/) }),
        );
      }
    }),
    { numRuns: 200 },
  );
});

/** A TIFF structure of one entry, in the byte order of one camera or the other. */
function tiff(tag: number, little: boolean): Buffer {
  const bytes = Buffer.alloc(26);
  bytes.write(little ? 'II*\0' : 'MM\0*', 'latin1');
  const [short, long] = little
    ? ([bytes.writeUInt16LE, bytes.writeUInt32LE] as const)
    : ([bytes.writeUInt16BE, bytes.writeUInt32BE] as const);
  long.call(bytes, 8, 4);
  short.call(bytes, 1, 8);
  short.call(bytes, tag, 10);
  return bytes;
}

const pngWith = (structure: Buffer): Buffer =>
  png(2, 2, Buffer.concat([Buffer.from('\0\0\0\x1aeXIf', 'latin1'), structure]));

test.each([true, false])(
  'an avatar that tells where it was taken is refused (little-endian: %j)',
  async (little) => {
    const located: [MediaType, Buffer][] = [
      ['image/png', pngWith(tiff(0x8825, little))],
      ['image/jpeg', Buffer.concat([jpeg(), Buffer.from('Exif\0\0', 'latin1'), tiff(0x8825, little)])],
      ['image/webp', Buffer.concat([webp(), Buffer.from('EXIF\x1a\0\0\0', 'latin1'), tiff(0x8825, little)])],
      ['image/jpeg', Buffer.concat([jpeg(), Buffer.from('<x:xmpmeta exif:GPSLatitude="45,30N"/>')])],
    ];
    for (const [mediaType, bytes] of located) {
      await expect(inspected(mediaType, bytes, 64, bytes.length, 'AVATAR')).rejects.toMatchObject({
        code: 'FILE_TELLS_POSITION',
      });
      await inspected(mediaType, bytes, 64, bytes.length, 'HANDOFF_PHOTO');
    }
    const upright = pngWith(tiff(0x0112, little));
    await inspected('image/png', upright, 64, upright.length, 'AVATAR');
  },
);
