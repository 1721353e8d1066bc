import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import {
  FeedRefused,
  type FeedState,
  followFeed,
  type Message,
  messagesOf,
  type Network,
} from './live-feed.ts';

interface Event {
  readonly seq: number;
}

const always: Network = { online: () => true, onChange: () => {} };
const timing = { firstWaitMs: 2, longestWaitMs: 10, silenceMs: 150 };

/** A stream server that answers each connection by the next of the given behaviours, and the last one for ever. */
async function streamServer(answers: ((response: ServerResponse, after: number) => void)[]) {
  const asked: number[] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as {
      variables: { after: string };
    };
    const after = Number(request.headers['last-event-id'] ?? 0);
    expect(body.variables.after).toBe(after === 0 ? '' : String(after));
    const answer = answers[Math.min(asked.length, answers.length - 1)]!;
    asked.push(after);
    answer(response, after);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const begin = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream' });
const next = (seq: number): string =>
  `event: next\nid: ${seq}\ndata: ${JSON.stringify({ data: { events: { seq } } })}\n\n`;
const stretch = (after: number, to: number): string =>
  Array.from({ length: Math.max(0, to - after) }, (_, index) => next(after + index + 1)).join('');

/** Follows until `total` events are known, as the page does: what comes twice is known already. */
async function follow(endpoint: string, total: number, network = always, states: FeedState[] = []) {
  const seen: number[] = [];
  const enough = new AbortController();
  await followFeed<Event>({
    endpoint,
    token: 'token',
    query: 'subscription',
    variables: {},
    after: () => String(seen.at(-1) ?? ''),
    onEvent: ({ seq }) => {
      if (!seen.includes(seq)) seen.push(seq);
      if (seen.length >= total) enough.abort();
    },
    onState: (state) => states.push(state),
    signal: AbortSignal.any([enough.signal, AbortSignal.timeout(20_000)]),
    network,
    timing,
  });
  return seen;
}

test('whatever happens to its connections, a feed leaves out nothing and keeps the order', async () => {
  const total = 40;
  const misfortune = fc.record({
    kind: fc.constantFrom('cut', 'complete', 'silence', 'unavailable', 'interrupted', 'not a stream'),
    events: fc.nat(12),
    again: fc.nat(2),
    /** Where the bytes are torn apart. */
    tear: fc.integer({ min: 1, max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(misfortune, { minLength: 1, maxLength: 8 }), async (misfortunes) => {
      await using server = await streamServer([
        ...misfortunes.map(({ kind, events, again, tear }) => (response: ServerResponse, after: number) => {
          if (kind === 'unavailable') return void response.writeHead(503).end('{}');
          if (kind === 'not a stream') return void response.writeHead(200).end('<html>');
          const text = stretch(Math.max(0, after - again), Math.min(total, after + events));
          begin(response);
          for (let at = 0; at < text.length; at += tear) response.write(text.slice(at, at + tear));
          const interrupted = { errors: [{ message: '', extensions: { code: 'SUBSCRIPTION_INTERRUPTED' } }] };
          if (kind === 'cut') setImmediate(() => response.destroy());
          if (kind === 'complete') response.end('event: complete\n\n');
          if (kind === 'interrupted')
            response.end(`event: next\ndata: ${JSON.stringify(interrupted)}\n\nevent: complete\n\n`);
        }),
        (response, after) => begin(response).write(`:\n\n${stretch(after, total)}`),
      ]);
      expect(await follow(server.endpoint, total)).toEqual(Array.from({ length: total }, (_, n) => n + 1));
    }),
    { numRuns: 25 },
  );
});

test.each([
  ['an expired link', 401, { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }, 'UNAUTHENTICATED'],
  [
    'a shipment of others',
    200,
    { errors: [{ extensions: { code: 'SHIPMENT_NOT_FOUND' } }] },
    'SHIPMENT_NOT_FOUND',
  ],
  ['a foreign cursor', 400, { errors: [{ extensions: { code: 'CURSOR_INVALID' } }] }, 'CURSOR_INVALID'],
])('%s ends the feed for good, before it streams', async (_name, status, answer, code) => {
  await using server = await streamServer([
    (response) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer)),
  ]);
  await expect(follow(server.endpoint, 1)).rejects.toMatchObject({ code });
  expect(server.asked).toHaveLength(1);
});

test('a link that loses its right while it streams ends the feed for good', async () => {
  const lost = { data: null, errors: [{ extensions: { code: 'SHIPMENT_NOT_FOUND' } }] };
  await using server = await streamServer([
    (response) =>
      void begin(response).end(`${next(1)}event: next\ndata: ${JSON.stringify(lost)}\n\nevent: complete\n\n`),
  ]);
  await expect(follow(server.endpoint, 2)).rejects.toThrow(FeedRefused);
});

test('without a network nothing is asked; with it again the feed goes on where it was', async () => {
  await using server = await streamServer([
    (response) => begin(response).write(next(1)),
    (response, after) => begin(response).write(stretch(after, 3)),
  ]);
  const changes = new Set<() => void>();
  let online = true;
  const network: Network = {
    online: () => online,
    onChange: (changed, until) => {
      changes.add(changed);
      until.addEventListener('abort', () => changes.delete(changed));
    },
  };
  const turn = (to: boolean): void => {
    online = to;
    for (const changed of [...changes]) changed();
  };
  const states: FeedState[] = [];
  const following = follow(server.endpoint, 3, network, states);
  const reached = async (state: FeedState): Promise<void> => {
    while (states.at(-1) !== state) await new Promise((resolve) => setImmediate(resolve));
  };
  await reached('live');
  turn(false);
  await reached('offline');
  expect(server.asked).toEqual([0]);
  turn(true);
  expect(await following).toEqual([1, 2, 3]);
  expect(server.asked).toEqual([0, 1]);
  expect(states).toEqual(['connecting', 'live', 'offline', 'live']);
});

test('a stream is read the same however it is torn apart, with any ends of lines', async () => {
  const text =
    ': hello\n\nretry: 250\n\nevent: next\nid: 7\ndata: one\ndata: zwölf\n\ndata:x\n\nevent: complete\ndata:\n\n';
  const expected = [
    { event: 'message', retry: 250, data: '' },
    { event: 'next', id: '7', data: 'one\nzwölf' },
    { event: 'message', id: undefined, data: 'x' },
    { event: 'complete', id: undefined, data: '' },
  ];
  for (const end of ['\n', '\r\n', '\r']) {
    const bytes = new TextEncoder().encode(text.replaceAll('\n', end));
    for (let size = 1; size <= bytes.length; size += 1) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.slice(index * size, (index + 1) * size),
      );
      const messages: Message[] = [];
      for await (const message of messagesOf(ReadableStream.from(pieces))) messages.push(message);
      // The last line of a stream with bare carriage returns cannot be told from half of a longer end.
      expect(messages).toEqual(end === '\r' ? expected.slice(0, messages.length) : expected);
      expect(messages.length).toBeGreaterThanOrEqual(3);
    }
  }
});
