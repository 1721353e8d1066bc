/** Writes a result that comes in parts: as `multipart/mixed` for deferred fragments, or as server-sent events. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import type { IncrementalResult } from '../executor/incremental.ts';

const MULTIPART = /multipart\/mixed/i;
const EVENTS = /text\/event-stream/i;
const DEFER_SPEC = 'deferSpec=20220824';

/** Whether a client takes a result in parts. */
export const acceptsParts = (accept: string | undefined): boolean =>
  accept !== undefined && (EVENTS.test(accept) || MULTIPART.test(accept));

export async function sendParts(
  { headers }: IncomingMessage,
  response: ServerResponse,
  results: AsyncIterable<IncrementalResult>,
  format: (error: GraphQLError) => GraphQLFormattedError,
): Promise<void> {
  const write = EVENTS.test(headers.accept ?? '') ? asEvents(response) : asMultipart(response);
  for await (const result of results) write(JSON.stringify(formatted(result, format)), result.hasNext);
  response.end();
}

type Write = (json: string, hasNext: boolean) => void;

function asMultipart(response: ServerResponse): Write {
  response.writeHead(200, {
    'content-type': `multipart/mixed; boundary="-"; ${DEFER_SPEC}`,
    'cache-control': 'no-store',
  });
  response.write('\r\n---');
  return (json, hasNext) => {
    const end = hasNext ? '\r\n---' : '\r\n-----\r\n';
    response.write(`\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${json}${end}`);
  };
}

function asEvents(response: ServerResponse): Write {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
  return (json, hasNext) => {
    response.write(`event: next\ndata: ${json}\n\n`);
    if (!hasNext) response.write('event: complete\ndata:\n\n');
  };
}

function formatted(
  { errors, incremental, hasNext, data }: IncrementalResult,
  format: (error: GraphQLError) => GraphQLFormattedError,
): object {
  // All of it at once is an ordinary result.
  const whole = data !== undefined && !hasNext;
  return {
    ...(data === undefined ? {} : { data }),
    ...(whole ? {} : { hasNext }),
    ...(errors ? { errors: errors.map(format) } : {}),
    ...(incremental
      ? {
          incremental: incremental.map(({ errors: faults, ...patch }) => ({
            ...patch,
            ...(faults ? { errors: faults.map(format) } : {}),
          })),
        }
      : {}),
  };
}
