import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket as NetSocket } from 'node:net';
import { type Form, forms, Platform } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';
import { Collector } from './testing/collector.ts';
import { type Line, LogLines } from './testing/log-lines.ts';

const shelf = { query: 'query Shelf { books { title author { name } reviews { text } } }' };
const requestId = 'request-of-shelf';

async function traced(level: string, env: Record<string, string>, headers = {}): Promise<Line[]> {
  const lines = new LogLines(level);
  {
    await using platform = await Platform.start('in memory', env, lines.logger);
    await platform.post(shelf, { 'x-request-id': requestId, ...headers });
  }
  return lines.of('request trace');
}

describe('the trace of a request in the log', () => {
  test('holds how long each stage and each fetch took, under the id of the request', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const lines = await traced('debug', {}, { traceparent });
    const milliseconds = expect.any(Number);
    expect(lines).toEqual([
      expect.objectContaining({
        level: 20,
        requestId,
        traceId: '0af7651916cd43dd8448eb211c80319c',
        transport: 'http',
        type: 'query',
        operation: 'Shelf',
        outcome: 'ok',
        status: 200,
        milliseconds,
        plan: 'new',
        stages: {
          identify: milliseconds,
          validate: milliseconds,
          plan: milliseconds,
          fetch: milliseconds,
          shape: milliseconds,
          answer: milliseconds,
        },
      }),
    ]);
    const [{ fetches, stages, milliseconds: took }] = lines as [
      { fetches: Line[]; stages: Record<string, number>; milliseconds: number },
    ];
    const told = { at: milliseconds, milliseconds, outcome: 'ok', errors: 0 };
    expect(fetches[0]).toEqual({ ...told, subgraph: 'books', entities: 0, places: 0 });
    expect(fetches).toContainEqual({ ...told, subgraph: 'authors', entities: 2, places: 3 });
    expect(fetches).toContainEqual({ ...told, subgraph: 'reviews', entities: 3, places: 3 });
    const sum = Object.values(stages).reduce((one, other) => one + other, 0);
    expect(Math.abs(sum - took)).toBeLessThan(0.1);
  });

  test('is written for slow requests, and not for others', async () => {
    expect(await traced('info', { SLOW_REQUEST: '1ms' })).toMatchObject([
      { level: 40, slow: true, requestId },
    ]);
    expect(await traced('info', { SLOW_REQUEST: '1m' })).toEqual([]);
  });

  test('is written for a share of all requests', async () => {
    expect(await traced('info', { LOG_SAMPLE: '1' })).toMatchObject([{ level: 30, requestId }]);
  });

  test('of an event names the request that opened the upstream', async () => {
    const lines = new LogLines('debug');
    {
      await using platform = await Platform.start('in memory', {}, lines.logger);
      const socket = await Socket.open(platform);
      socket.subscribe('1', 'subscription Watch { reviewAdded(after: "") { text book { title } } }');
      platform.world.add('one');
      await socket.events('1', 1);
    }
    const [asked, event] = lines.of('request trace');
    expect(asked).toMatchObject({ transport: 'websocket', operation: 'Watch', outcome: 'ok' });
    expect(event).toMatchObject({
      transport: 'event',
      requestId: asked?.requestId,
      subgraph: 'reviews',
      fetches: [{ subgraph: 'books', entities: 1 }],
    });
    expect(lines.of('subscribe')).toMatchObject([{ requestId: asked?.requestId }]);
  });
});

test('a subscription over an event stream is known by the id of its request', async () => {
  const lines = new LogLines('debug');
  await using platform = await Platform.start('in memory', {}, lines.logger);
  const stream = await fetch(platform.gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'x-request-id': requestId },
    body: JSON.stringify({ query: 'subscription Watch { reviewNow { text } }' }),
  });
  await stream.body?.cancel();
  const known = { requestId, operation: 'Watch' };
  expect(lines.of('subscribe')).toMatchObject([known]);
  expect(lines.of('request trace')).toMatchObject([{ ...known, transport: 'event-stream', status: 200 }]);
});

describe('where nobody is told', () => {
  /** Ports that this process connected to, other than the gateway's. */
  async function connections(env: Record<string, string>): Promise<Set<number>> {
    const ports = new Set<number>();
    const note = (message: unknown) => {
      const { socket } = message as { socket: NetSocket };
      socket.once('connect', () => ports.add(socket.remotePort ?? 0));
    };
    subscribe('net.client.socket', note);
    try {
      await using platform = await Platform.start('in memory', env);
      await platform.post(shelf);
      const socket = await Socket.open(platform);
      socket.subscribe('1', 'subscription { reviewNow { text } }');
      await socket.close();
      ports.delete(platform.gateway.port);
    } finally {
      unsubscribe('net.client.socket', note);
    }
    return ports;
  }

  test('no connection is opened, from the start of the gateway to its end', async () => {
    expect([...(await connections({}))]).toEqual([]);
    await using collector = await Collector.start();
    expect([...(await connections({ OTLP_URL: collector.url }))]).toEqual([
      Number(new URL(collector.url).port),
    ]);
  });

  test('no port is opened for metrics', async () => {
    await using platform = await Platform.start('in memory');
    expect(platform.gateway.metricsUrl).toBeUndefined();
  });
});

describe.each(forms)('%s', (form: Form) => {
  test('no spans, metrics or log lines hold what a viewer sent, was sent, or is', async () => {
    await using collector = await Collector.start();
    const lines = new LogLines('trace');
    let metrics = '';
    let token = '';
    {
      const env = { OTLP_URL: collector.url, METRICS_PORT: '0', SLOW_REQUEST: '1ms' };
      await using platform = await Platform.start(form, env, lines.logger);
      token = await platform.token({ sub: 'secret-user', sid: 'secret-session' });
      platform.world.add('secret-review');
      platform.world.books.push({ id: 'secret-id', title: 'secret-title', authorId: '1' });
      const ask = (query: string, variables = {}) => platform.query(query, variables, token);
      await ask('query A($id: ID!) { book(id: $id) { title reviews { text broken } } }', { id: 'secret-id' });
      await ask('{ author(id: "secret-literal") { name } whoAmI }');
      await ask('mutation { addBook(title: "secret-title") { id } }');
      await ask('query B($of: Digits) { digits(of: $of) }', { of: 'secret-digits' });
      await ask('query C($id: ID!) { book(id: $id) { title } }', { id: { secret: 'secret-object' } });
      await ask('{ author(id: "secret-parse") { ');
      await ask('{ author(id: "secret-invalid") { secret_field } }');
      await platform.send({}, '/graphql?query={__typename}&token=secret-search');
      await platform.post(
        { query: '{ __typename }' },
        { 'x-api-key': 'secret-key', authorization: 'Bearer secret-token' },
      );
      const socket = await Socket.open(platform, {
        authorization: `Bearer ${token}`,
        deviceId: 'secret-device',
      });
      socket.subscribe(
        '1',
        'subscription W($after: String) { reviewAdded(after: $after) { text book { title } } }',
        {
          after: '0',
        },
      );
      await socket.events('1', 1);
      metrics = await (await fetch(platform.gateway.metricsUrl ?? '')).text();
    }
    const told = [...collector.received, metrics, ...lines.text];
    expect(told.join('')).toContain('query A');
    for (const each of told) {
      expect(each).not.toMatch(/secret-/);
      expect(each).not.toContain(token.slice(-40));
    }
  });
});
