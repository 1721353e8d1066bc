/**
 * What a stream of bytes must be to be stored: of its announced type by its own signature, of a size that can
 * be shown, and free of markup that a browser would run if it were ever taken for a page. A picture that is
 * shown to everybody must not tell where it was taken.
 */
import { createHash } from 'node:crypto';
import { Invalid } from '#shared/kernel/errors.ts';
import { type FilePurpose, type MediaType, maxAvatarBytes } from './file.purposes.ts';
import { tellsPosition } from './picture-position.ts';

const headLimit = maxAvatarBytes;
const maxPixels = 100_000_000;
const markup =
  /<script|<iframe|<!doctype|<html[\s>]|<svg\s+(xmlns|on|width|height|viewbox)|<\?php\s|<body[\s>]|<foreignobject|javascript:/i;
const activePdf = /\/JavaScript\b|\/Launch\b/;
// Longer than any pattern above can match.
const overlap = 64;

const signatures: Record<MediaType, (head: Buffer) => boolean> = {
  'image/jpeg': (head) => head.readUIntBE(0, 3) === 0xffd8ff,
  'image/png': (head) => head.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex')),
  'image/webp': (head) =>
    head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP',
  'application/pdf': (head) => head.toString('latin1', 0, 5) === '%PDF-',
};

export interface Inspection {
  /** The same bytes; throws a refusal as soon as they show that they cannot be stored. */
  readonly content: AsyncGenerator<Uint8Array>;
  /** Known once `content` was read to its end. */
  sha256(): string;
}

/**
 * Passes bytes on while looking at them. `content` refuses `FILE_EMPTY`, `FILE_SIZE_MISMATCH`,
 * `FILE_TYPE_MISMATCH`, `FILE_UNSAFE`, `FILE_DIMENSIONS`, `FILE_TELLS_POSITION`, and `UPLOAD_INCOMPLETE` where the source fails.
 */
export function inspect(
  source: AsyncIterable<Uint8Array>,
  { purpose, mediaType, bytes }: { purpose: FilePurpose; mediaType: MediaType; bytes: number },
): Inspection {
  const hash = createHash('sha256');
  let sha256: string | undefined;

  async function* content(): AsyncGenerator<Uint8Array> {
    let received = 0;
    let head = Buffer.alloc(0);
    let recognised = false;
    let tail = '';
    for await (const chunk of whole(source)) {
      received += chunk.length;
      if (received > bytes) throw sizeMismatch(bytes);
      hash.update(chunk);
      if (head.length < headLimit) head = Buffer.concat([head, chunk.subarray(0, headLimit - head.length)]);
      if (!recognised && head.length >= 16) recognised = recognise(head, mediaType);
      const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
      if (markup.test(text) || (mediaType === 'application/pdf' && activePdf.test(text)))
        throw new Invalid('FILE_UNSAFE', 'The file holds code that a browser would run');
      tail = text.slice(-overlap);
      yield chunk;
    }
    if (received === 0) throw new Invalid('FILE_EMPTY', 'The upload holds no bytes');
    if (received !== bytes) throw sizeMismatch(bytes);
    if (!recognised) throw typeMismatch(mediaType);
    if (mediaType !== 'application/pdf') requireShowable(head, mediaType);
    if (purpose === 'AVATAR' && tellsPosition(head))
      throw new Invalid(
        'FILE_TELLS_POSITION',
        'The picture tells where it was taken, and everybody may see it',
      );
    sha256 = hash.digest('hex');
  }

  return {
    content: content(),
    sha256() {
      if (sha256 === undefined) throw new Error('The content was not read to its end');
      return sha256;
    },
  };
}

async function* whole(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch {
    throw new Invalid('UPLOAD_INCOMPLETE', 'The upload was cut off before its end');
  }
}

const sizeMismatch = (bytes: number): Invalid =>
  new Invalid('FILE_SIZE_MISMATCH', `The upload was announced with ${bytes} bytes`, { bytes });

const typeMismatch = (mediaType: MediaType): Invalid =>
  new Invalid('FILE_TYPE_MISMATCH', `The bytes are no ${mediaType}`, { mediaType });

function recognise(head: Buffer, mediaType: MediaType): true {
  if (signatures[mediaType](head)) return true;
  throw typeMismatch(mediaType);
}

function requireShowable(head: Buffer, mediaType: MediaType): void {
  const size = sizeOf(head, mediaType);
  if (!size) throw typeMismatch(mediaType);
  const [width, height] = size;
  if (width < 1 || height < 1 || width * height > maxPixels)
    throw new Invalid('FILE_DIMENSIONS', 'The picture is empty or larger than 100 megapixels', {
      width,
      height,
    });
}

function sizeOf(head: Buffer, mediaType: MediaType): [width: number, height: number] | undefined {
  try {
    if (mediaType === 'image/png') return pngSize(head);
    return mediaType === 'image/webp' ? webpSize(head) : jpegSize(head);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (/^ERR_(OUT_OF_RANGE|BUFFER_OUT_OF_BOUNDS)$/.test(code)) return undefined;
    throw error;
  }
}

function pngSize(head: Buffer): [number, number] | undefined {
  if (head.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  return [head.readUInt32BE(16), head.readUInt32BE(20)];
}

function webpSize(head: Buffer): [number, number] | undefined {
  switch (head.toString('latin1', 12, 16)) {
    case 'VP8X':
      return [head.readUIntLE(24, 3) + 1, head.readUIntLE(27, 3) + 1];
    case 'VP8 ':
      return [head.readUInt16LE(26) & 0x3fff, head.readUInt16LE(28) & 0x3fff];
    case 'VP8L': {
      const bits = head.readUInt32LE(21);
      return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
    }
    default:
      return undefined;
  }
}

/** Walks the segments to the frame header (SOF0 to SOF15 without DHT, JPG and DAC). */
function jpegSize(head: Buffer): [number, number] | undefined {
  for (let at = 2; head[at] === 0xff; ) {
    const marker = head.readUInt8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return [head.readUInt16BE(at + 7), head.readUInt16BE(at + 5)];
    at += 2 + head.readUInt16BE(at + 2);
  }
  return undefined;
}
