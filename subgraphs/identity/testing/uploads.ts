/** Files as clients send them. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Answer, World } from '../../testing/world.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A PNG header of a size, followed by whatever is given. */
export function png(
  width = 2,
  height = 2,
  rest: Uint8Array | string = deflateSync(Buffer.alloc(16)),
): Buffer {
  const head = Buffer.alloc(33);
  head.write('89504e470d0a1a0a0000000d49484452', 'hex');
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return Buffer.concat([head, Buffer.from(rest as string)]);
}

/** A JPEG of a size, with an application segment before its frame header as cameras write it. */
export function jpeg(width = 2, height = 2): Buffer {
  const application = Buffer.from('ffe1000845786966', 'hex');
  const frame = Buffer.from('ffc0000b080000000001011100', 'hex');
  frame.writeUInt16BE(height, 5);
  frame.writeUInt16BE(width, 7);
  return Buffer.concat([
    Buffer.from('ffd8', 'hex'),
    application,
    Buffer.alloc(2),
    frame,
    Buffer.from('ffd9', 'hex'),
  ]);
}

export function webp(width = 2, height = 2): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.write('RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0', 'latin1');
  bytes.writeUIntLE(width - 1, 24, 3);
  bytes.writeUIntLE(height - 1, 27, 3);
  return bytes;
}

export const pdf = (body = 'a boarding pass'): Buffer => Buffer.from(`%PDF-1.7\n${body}\n%%EOF`);

export interface Begun {
  readonly id: string;
  readonly uploadUrl: string;
}

export const beginUpload = (world: World, viewer: Viewer, input: Record<string, unknown>): Promise<Answer> =>
  world.execute(
    'identity',
    `mutation ($input: CreateUploadInput!) {
      createUpload(input: $input) { uploadUrl expiresAt file { id bytes sha256 storedAt downloadUrl } }
    }`,
    { input: { purpose: 'PACKAGE_PHOTO', mediaType: 'image/png', ...input } },
    viewer,
  );

export async function begin(world: World, viewer: Viewer, input: Record<string, unknown>): Promise<Begun> {
  const { data, errors } = await beginUpload(world, viewer, input);
  if (errors[0]) throw errors[0];
  return { id: data.createUpload.file.id, uploadUrl: data.createUpload.uploadUrl };
}

/** An address at the gateway as the subgraph is given it. */
export const atSubgraph = (url: string): string =>
  url.replace('http://baton.test/services/identity', 'http://x');

export async function put(
  world: World,
  url: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
  const response = await world.route('identity', new Request(atSubgraph(url), init));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Begins an upload and sends it. */
export async function upload(
  world: World,
  viewer: Viewer,
  bytes: Uint8Array,
  input: Record<string, unknown> = {},
): Promise<string> {
  const { id, uploadUrl } = await begin(world, viewer, { bytes: bytes.length, ...input });
  const { status, body } = await put(world, uploadUrl, bytes);
  if (status !== 200) throw new Error(`upload refused: ${JSON.stringify(body)}`);
  return id;
}
