import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Route } from '#shared/runtime/routes.ts';
import type { FileService } from './file.service.ts';

const tokenOf = (request: Request): string => new URL(request.url).searchParams.get('token') ?? '';

/** An interrupted sender ends the stream with an error instead of leaving it open for ever. */
const bytesOf = (request: Request, signal: AbortSignal): AsyncIterable<Uint8Array> =>
  request.body
    ? Readable.fromWeb(request.body as ReadableStream<Uint8Array>, {
        signal: AbortSignal.any([request.signal, signal]),
      })
    : Readable.from([]);

export const fileRoutes = (files: FileService, uploadTimeout: number): Route[] => [
  {
    method: 'PUT',
    path: '/files/:id',
    async handle(request, { params: { id = '' } }) {
      const content = bytesOf(request, AbortSignal.timeout(uploadTimeout));
      const file = await files.store(id, tokenOf(request), content);
      return Response.json({ id: file.id, bytes: file.bytes, sha256: file.sha256 });
    },
  },
  {
    method: 'GET',
    path: '/files/:id',
    async handle(request, { params: { id = '' } }) {
      const { file, saveAs, content } = await files.openFile(id, tokenOf(request));
      return new Response(content, {
        headers: {
          'content-type': file.mediaType,
          'content-length': String(file.bytes),
          'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(saveAs).replaceAll(/['()*]/g, escape)}`,
          'content-security-policy': "default-src 'none'; sandbox",
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cache-control': 'private, max-age=300, immutable',
          etag: `"${file.sha256}"`,
        },
      });
    },
  },
];
