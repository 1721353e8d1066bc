import { get } from 'node:http';
import { createClient } from 'graphql-sse';
import { forms, Platform, until } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';

const plain = 'subscription ($after: String) { reviewAdded(after: $after) { cursor text } }';

interface StreamEvent {
  readonly event?: string;
  readonly id?: string;
  readonly data?: { data?: { reviewAdded: { text: string } }; errors?: { extensions: { code: string } }[] };
}

/** A client's side of an event stream, block by block. */
class Stream {
  readonly response: Response;
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  readonly #leaving: AbortController;
  over = false;

  private constructor(response: Response, leaving: AbortController) {
    this.response = response;
    this.#leaving = leaving;
    this.#read()
      .catch(() => undefined)
      .finally(() => {
        this.over = true;
      });
  }

  static async open(platform: Platform, query: string | object, headers: Record<string, string> = {}) {
    const leaving = new AbortController();
    const common = { accept: 'text/event-stream', ...headers };
    const response =
      typeof query === 'string'
        ? await fetch(`${platform.gateway.url}?${query}`, { headers: common, signal: leaving.signal })
        : await fetch(platform.gateway.url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...common },
            body: JSON.stringify(query),
            signal: leaving.signal,
          });
    return new Stream(response, leaving);
  }

  async #read(): Promise<void> {
    let rest = '';
    for await (const chunk of this.response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]),
    );
    const data = fields.get('data');
    if (!fields.has('event')) this.comments.push(block);
    else
      this.events.push({
        ...(fields.has('event') ? { event: fields.get('event')! } : {}),
        ...(fields.has('id') ? { id: fields.get('id')! } : {}),
        ...(data ? { data: JSON.parse(data) } : {}),
      });
  }

  async take(count: number): Promise<StreamEvent[]> {
    await until(() => this.events.length >= count);
    return this.events.slice(0, count);
  }

  get texts(): unknown[] {
    return this.events.map(({ data }) => data?.data?.reviewAdded.text);
  }

  get codes(): unknown[] {
    return this.events.map(({ event, data }) => data?.errors?.[0]?.extensions.code ?? event);
  }

  leave(): void {
    this.#leaving.abort();
  }
}

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start(form, {
      SOCKET_PING: '200ms',
      SOCKET_STALL: '400ms',
      REVOCATIONS_FROM: 'books:/ended',
      REVOCATIONS_POLL: '50ms',
    });
  });
  afterAll(() => platform[Symbol.asyncDispose]());
  beforeEach(() => {
    platform.world.reviews.length = 0;
  });
  afterEach(() => until(() => platform.world.sources === 0));

  test('events come with their cursor as id, by POST and by GET', async () => {
    platform.world.add('one');
    const body = { query: plain, variables: { after: '0' } };
    const search = new URLSearchParams({ query: plain, variables: JSON.stringify(body.variables) });
    for (const asked of [body, String(search)]) {
      const stream = await Stream.open(platform, asked);
      expect(stream.response.status).toBe(200);
      expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(await stream.take(1)).toEqual([
        {
          event: 'next',
          id: '1',
          data: {
            data: { reviewAdded: { cursor: '1', text: 'one' } },
            extensions: { cursor: '1' },
          },
        },
      ]);
      stream.leave();
    }
  });

  test('a client that comes back with Last-Event-ID misses nothing, whatever its argument says', async () => {
    platform.world.add('one', 'two', 'three');
    const stream = await Stream.open(
      platform,
      { query: plain, variables: { after: '0' } },
      { 'last-event-id': '1' },
    );
    await stream.take(2);
    platform.world.add('four');
    await stream.take(3);
    expect(stream.texts).toEqual(['two', 'three', 'four']);
    stream.leave();
  });

  test('events without a cursor have the id "-", and coming back with it says what that means', async () => {
    const query = 'subscription { reviewNow { text } }';
    const stream = await Stream.open(platform, { query });
    const back = await Stream.open(platform, { query }, { 'last-event-id': '-' });
    await until(() => platform.world.sources === 1);
    await new Promise((resolve) => setImmediate(resolve));
    platform.world.add('one');
    expect(await stream.take(1)).toEqual([
      { event: 'next', id: '-', data: { data: { reviewNow: { text: 'one' } } } },
    ]);
    expect(await back.take(1)).toEqual([
      expect.objectContaining({ data: expect.objectContaining({ extensions: { mayHaveMissed: true } }) }),
    ]);
    stream.leave();
    back.leave();
  });

  test('when the client leaves, its source ends', async () => {
    const stream = await Stream.open(platform, { query: plain });
    await until(() => platform.world.sources === 1);
    stream.leave();
    await until(() => platform.world.sources === 0);
  });

  test('a silent stream is kept alive by comments', async () => {
    const stream = await Stream.open(platform, { query: plain });
    await until(() => stream.comments.filter((comment) => comment === ':').length >= 2);
    expect(stream.comments[0]).toMatch(/^retry: \d+$/);
    expect(stream.events).toEqual([]);
    stream.leave();
  });

  test("a subgraph's refusal is the last event, then the stream is complete", async () => {
    const stream = await Stream.open(platform, { query: plain, variables: { after: 'forged' } });
    await until(() => stream.over);
    expect(stream.codes).toEqual(['CURSOR_INVALID', 'complete']);
  });

  test('a token that is not valid is 401, as over HTTP', async () => {
    const stream = await Stream.open(platform, { query: plain }, { authorization: 'Bearer a.b.c' });
    expect(stream.response.status).toBe(401);
  });

  test('a token that expires ends the stream, told so', async () => {
    const authorization = `Bearer ${await platform.token({}, 1)}`;
    const stream = await Stream.open(platform, { query: plain }, { authorization });
    await until(() => stream.over);
    expect(stream.codes).toEqual(['UNAUTHENTICATED', 'complete']);
  });

  test('the end of a session ends the stream, told so', async () => {
    const authorization = `Bearer ${await platform.token({ sid: 'ended over stream' })}`;
    const stream = await Stream.open(platform, { query: plain }, { authorization });
    await until(() => platform.world.sources === 1);
    platform.world.endedSessions.push('ended over stream');
    await until(() => stream.over);
    expect(stream.codes).toEqual(['UNAUTHENTICATED', 'complete']);
  });

  test('a client that takes nothing is cut off, and its source ends', async () => {
    const left = Promise.withResolvers<void>();
    const query = encodeURIComponent('subscription { reviewAdded(after: "") { text } }');
    const request = get(`${platform.gateway.url}?query=${query}`, {
      headers: { accept: 'text/event-stream' },
    });
    request.once('response', (response) => {
      response.pause();
      response.on('error', () => left.resolve());
      response.once('close', () => left.resolve());
    });
    request.on('error', () => left.resolve());
    await until(() => platform.world.sources === 1);
    platform.world.add(...Array.from({ length: 250 }, () => String(Buffer.alloc(200_000, 'x'))));
    await until(() => platform.world.sources === 0);
    request.destroy();
    await left.promise;
  });

  test('a strict client of the protocol gets its events and the end', async () => {
    platform.world.add('one', 'two');
    const client = createClient({ url: platform.gateway.url, retryAttempts: 0 });
    const events = client.iterate({ query: plain, variables: { after: '0' } });
    const first = await events.next();
    expect(first.value).toMatchObject({ data: { reviewAdded: { text: 'one' } } });
    await events.return?.();
    const refused = client.iterate({ query: plain, variables: { after: 'forged' } });
    expect((await refused.next()).value).toMatchObject({
      errors: [{ extensions: { code: 'CURSOR_INVALID' } }],
    });
    expect(await refused.next()).toEqual({ value: undefined, done: true });
    client.dispose();
  });

  test('sockets and streams that ask for the same share one source', async () => {
    const before = platform.world.opened;
    platform.world.add('one');
    const socket = await Socket.open(platform);
    socket.subscribe('1', plain, { after: '1' });
    const asked = { query: plain, variables: { after: '1' } };
    const streams = await Promise.all([1, 2, 3].map(() => Stream.open(platform, asked)));
    await until(() => platform.world.sources === 1);
    platform.world.add('two');
    for (const stream of streams) {
      await stream.take(1);
      expect(stream.texts).toEqual(['two']);
    }
    await socket.next('next', '1');
    expect(platform.world.opened).toBe(before + 1);
    for (const stream of streams) stream.leave();
    await socket.close();
  });
});

test('so many streams of one user; one more is told to come later', async () => {
  await using platform = await Platform.start('in memory', { CONNECTIONS_PER_USER: '1' });
  const headers = { authorization: `Bearer ${await platform.token()}` };
  const first = await Stream.open(platform, { query: plain }, headers);
  const second = await Stream.open(platform, { query: plain }, headers);
  expect(second.response.status).toBe(429);
  expect(Number(second.response.headers.get('retry-after'))).toBeGreaterThan(0);
  first.leave();
  await until(async () => {
    const third = await Stream.open(platform, { query: plain }, headers);
    third.leave();
    return third.response.status === 200;
  });
});

test('when the gateway goes down, streams break off without an end: clients come back and resume', async () => {
  const platform = await Platform.start('in memory');
  const stream = await Stream.open(platform, { query: plain });
  await until(() => platform.world.sources === 1);
  await platform[Symbol.asyncDispose]();
  await until(() => stream.over);
  expect(stream.events).toEqual([]);
});
