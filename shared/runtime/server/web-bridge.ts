/** Between Node's HTTP server and web-standard `Request` and `Response`, streaming both ways. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { INTERNAL_HEADER_PREFIX } from '#shared/runtime/internal-auth.ts';

const hopByHop = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A request's headers without those of the connection and without our internal ones. */
export function passedHeaders(headers: IncomingHttpHeaders): Headers {
  const passed = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(name) || name.startsWith(INTERNAL_HEADER_PREFIX)) continue;
    for (const each of Array.isArray(value) ? value : [value]) passed.append(name, each);
  }
  return passed;
}

export interface LimitedBody {
  /** `null` where the request has no body. */
  readonly stream: Readable | null;
  /** True once more came than the limit allows; the stream has then failed. */
  readonly exceeded: () => boolean;
}

/** The body of a request, failing once it is longer than `maxBytes`. */
export function limitedBody(request: IncomingMessage, maxBytes: number): LimitedBody {
  const { method, headers } = request;
  const empty = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
  if (method === 'GET' || method === 'HEAD' || empty) return { stream: null, exceeded: () => false };
  let received = 0;
  const announced = Number(headers['content-length'] ?? 0);
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      if (received > maxBytes) done(new Error('The body is too large'));
      else done(null, chunk);
    },
  });
  // Whoever reads the stream learns of its failure; the pipeline's own promise has nobody else to tell.
  if (announced <= maxBytes) pipeline(request, stream).catch(() => undefined);
  return { stream, exceeded: () => announced > maxBytes || received > maxBytes };
}

/** Reads a whole body into memory; `null` where it is longer than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const { stream, exceeded } = limitedBody(request, maxBytes);
  if (!stream) return Buffer.alloc(0);
  if (exceeded()) return null;
  try {
    return Buffer.concat(await stream.toArray());
  } catch (error) {
    if (exceeded()) return null;
    throw error;
  }
}

export function toWebRequest(message: {
  method: string;
  url: string;
  headers: Headers;
  body: Readable | null;
  signal: AbortSignal;
}): Request {
  const { method, url, headers, body, signal } = message;
  if (!body) return new Request(url, { method, headers, signal });
  // A body that nobody reads to its end must not bring the process down when it fails.
  body.on('error', () => undefined);
  return new Request(url, { method, headers, signal, body: Readable.toWeb(body), duplex: 'half' });
}

export async function sendWebResponse(from: Response, to: ServerResponse): Promise<void> {
  to.statusCode = from.status;
  for (const [name, value] of from.headers) {
    if (hopByHop.has(name) || name === 'set-cookie') continue;
    to.setHeader(name, value);
  }
  const cookies = from.headers.getSetCookie();
  if (cookies.length > 0) to.setHeader('set-cookie', cookies);
  if (!from.body) {
    to.end();
    return;
  }
  await pipeline(Readable.fromWeb(from.body as ReadableStream), to);
}
