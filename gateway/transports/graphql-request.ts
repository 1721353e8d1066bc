/** Reads a GraphQL request from a body or a query string, as far as that can be done without judging it. */
import type { IncomingMessage } from 'node:http';
import { refusal } from '../errors.ts';
import type { DocumentRequest } from '../policy/policy.ts';

export interface GraphqlRequest extends DocumentRequest {
  readonly operationName?: string | undefined;
  readonly variables?: Record<string, unknown> | undefined;
  readonly extensions?: Record<string, unknown> | undefined;
}

/** The body of a POST, or the search string of anything else. */
export type ReadRequest =
  | { readonly from: 'body'; readonly body: unknown }
  | { readonly from: 'search'; readonly search: string };

const BODY_LIMIT = 64 * 1024;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i;

/** Rejects with a coded `GraphQLError` for what is no JSON, too large, or in an encoding that is not served. */
export async function readGraphqlRequest(request: IncomingMessage): Promise<ReadRequest> {
  const url = request.url ?? '';
  const question = url.indexOf('?');
  const search = question < 0 ? '' : url.slice(question);
  if (request.method !== 'POST') return { from: 'search', search };
  const type = request.headers['content-type'] ?? '';
  if (request.headers['content-encoding'] && request.headers['content-encoding'] !== 'identity')
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'The request is in an encoding that is not served', 415);
  const text = await readText(request);
  // What nearly everybody sends.
  if (type === 'application/json' && text !== '') return { from: 'body', body: parsedBody(text) };
  if (!JSON_TYPE.test(type)) return { from: 'body', body: undefined };
  const [, charset = 'utf-8'] = CHARSET.exec(type) ?? [];
  if (!/^utf-?8$/i.test(charset))
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'The request is in an encoding that is not served', 415);
  if (text === '') return { from: 'body', body: undefined };
  return { from: 'body', body: parsedBody(text) };
}

function parsedBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal('BAD_REQUEST', 'The request is not well-formed', 400);
  }
}

function readText(request: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const tooLarge = () => {
    request.removeAllListeners('data');
    request.resume();
    reject(refusal('PAYLOAD_TOO_LARGE', 'The request is too large', 413));
  };
  const chunks: Buffer[] = [];
  let length = 0;
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) tooLarge();
  else
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_LIMIT) tooLarge();
      else chunks.push(chunk);
    });
  request.once('end', () => resolve(chunks.length === 1 ? String(chunks[0]) : String(Buffer.concat(chunks))));
  request.once('error', reject);
  request.once('close', () => {
    if (!request.complete) reject(new Error('The client left'));
  });
  return promise;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const record = (value: unknown): Record<string, unknown> | undefined => (isRecord(value) ? value : undefined);

/** What is asked, where there is a document or its id at all; what is not well-formed beside it is left out. */
export function requestOf(read: ReadRequest): GraphqlRequest | undefined {
  const fields = read.from === 'body' ? record(read.body) : fieldsOf(read.search);
  if (!fields) return undefined;
  const extensions = record(fields.extensions);
  const query = text(fields.query);
  const documentId = text(fields.documentId) ?? text(record(extensions?.persistedQuery)?.sha256Hash);
  if (query === undefined && documentId === undefined) return undefined;
  return {
    query,
    documentId,
    operationName: text(fields.operationName),
    variables: record(fields.variables),
    extensions,
  };
}

const isRecordOrNothing = (value: unknown): boolean =>
  value === undefined || value === null || isRecord(value);

/** Whether `requestOf` has left nothing out: a POST of JSON in which each part is what it should be. */
export function isPlain(read: ReadRequest): boolean {
  if (read.from !== 'body' || !isRecord(read.body)) return false;
  const { query, operationName, variables, extensions } = read.body;
  return (
    (typeof query === 'string' || query === undefined) &&
    (typeof operationName === 'string' || operationName === undefined || operationName === null) &&
    isRecordOrNothing(variables) &&
    isRecordOrNothing(extensions)
  );
}

function fieldsOf(search: string): Record<string, unknown> {
  const params = new URLSearchParams(search);
  const fields: Record<string, unknown> = {};
  for (const name of ['query', 'documentId', 'operationName']) fields[name] = params.get(name) ?? undefined;
  for (const name of ['variables', 'extensions']) fields[name] = parsed(params.get(name));
  return fields;
}

function parsed(json: string | null): unknown {
  try {
    return json === null ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The request for Apollo Server, with the document that its id stands for. */
export function withQuery(read: ReadRequest, query: string | undefined): { search: string; body: unknown } {
  if (read.from === 'body') {
    const same = query === undefined || !isRecord(read.body) || read.body.query === query;
    if (same) return { search: '', body: read.body };
    const { extensions, ...rest } = read.body as Record<string, unknown>;
    return { search: '', body: { ...rest, ...withoutPersisted(extensions), query } };
  }
  const params = new URLSearchParams(read.search);
  if (query === undefined || params.get('query') === query) return { search: read.search, body: undefined };
  params.set('query', query);
  params.delete('extensions');
  return { search: `?${params}`, body: undefined };
}

/** Apollo Server would refuse an id beside the text that it stands for. */
function withoutPersisted(extensions: unknown): object {
  if (!isRecord(extensions)) return extensions === undefined ? {} : { extensions };
  const { persistedQuery: _, ...rest } = extensions;
  return { extensions: rest };
}
