import { createServer } from 'node:http';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';
import { forms, Platform } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';
import { Collector, type ReceivedSpan } from './testing/collector.ts';
import { LogLines } from './testing/log-lines.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const traceparent = `00-${TRACE}-${PARENT}-01`;
const shelf = { query: 'query Shelf { books { title author { name } reviews { text } } }' };

const liesWithin = (span: ReceivedSpan, root: ReceivedSpan): boolean =>
  BigInt(root.startTimeUnixNano) <= BigInt(span.startTimeUnixNano) &&
  BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano) &&
  BigInt(span.endTimeUnixNano) <= BigInt(root.endTimeUnixNano);

let collector: Collector;
beforeEach(async () => {
  collector = await Collector.start();
});
afterEach(() => collector[Symbol.asyncDispose]());

describe.each(forms)('%s', (form) => {
  test('a query over three subgraphs is one trace: the request, its plan, and each fetch below it', async () => {
    {
      await using platform = await Platform.start(form, {
        OTLP_URL: collector.url,
        OTEL_SERVICE_NAME: 'edge',
      });
      platform.world.add('good');
      await platform.post(shelf, { traceparent, 'x-request-id': 'request-of-shelf' });
    }
    const root = collector.span('query Shelf');
    expect(root).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      kind: 2,
      service: 'edge',
      attributes: {
        'request.id': 'request-of-shelf',
        'graphql.operation.type': 'query',
        'graphql.operation.name': 'Shelf',
        'gateway.transport': 'http',
        'gateway.outcome': 'ok',
        'gateway.plan': 'new',
        'http.response.status_code': 200,
      },
    });
    const below = ['plan', 'fetch books', 'fetch authors', 'fetch reviews'].map((name) =>
      collector.span(name),
    );
    for (const span of below) {
      expect(span).toMatchObject({ traceId: TRACE, parentSpanId: root.spanId });
      expect(liesWithin(span, root)).toBe(true);
    }
    expect(Math.abs(Number(root.endTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(30_000);
    expect(collector.span('fetch authors').attributes).toMatchObject({
      'gateway.subgraph': 'authors',
      // Two authors wrote three books.
      'gateway.fetch.entities': 2,
      'gateway.fetch.places': 3,
      'gateway.outcome': 'ok',
    });
    expect(collector.spans).toHaveLength(5);
  });

  test('an event of a subscription is a trace of its own, with the fetches that complete it', async () => {
    {
      await using platform = await Platform.start(form, { OTLP_URL: collector.url });
      const socket = await Socket.open(platform);
      socket.subscribe('1', 'subscription Watch { reviewAdded(after: "") { text book { title } } }');
      platform.world.add('one');
      await socket.events('1', 1);
    }
    const event = collector.span('event reviews');
    expect(event).toMatchObject({ kind: 5, attributes: { 'gateway.outcome': 'ok' } });
    expect(event.parentSpanId ?? '').toBe('');
    expect(collector.span('fetch books')).toMatchObject({
      traceId: event.traceId,
      parentSpanId: event.spanId,
      kind: 3,
    });
    const asked = collector.span('subscription Watch');
    expect(asked.attributes['gateway.transport']).toBe('websocket');
    expect(asked.attributes['request.id']).toBe(event.attributes['request.id']);
  });

  test('a subscription on a socket may name its trace, and is refused under its name', async () => {
    {
      await using platform = await Platform.start(form, { OTLP_URL: collector.url });
      const socket = await Socket.open(platform);
      const query = 'subscription Watch { reviewNow { text } nothing }';
      socket.send({ id: '1', type: 'subscribe', payload: { query, extensions: { traceparent } } });
      await socket.next('error', '1');
    }
    expect(collector.span('websocket other')).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      status: { code: 0 },
      attributes: { 'gateway.outcome': 'GRAPHQL_VALIDATION_FAILED' },
    });
  });

  test('deferred parts belong to the trace of their request', async () => {
    {
      await using platform = await Platform.start(form, { OTLP_URL: collector.url });
      const query = 'query Later { books { title ... @defer { author { name } } } }';
      const response = await fetch(platform.gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'multipart/mixed; deferSpec=20220824' },
        body: JSON.stringify({ query }),
      });
      expect(await response.text()).toContain('"hasNext":false');
    }
    const root = collector.span('query Later');
    expect(liesWithin(collector.span('fetch authors'), root)).toBe(true);
    expect(collector.span('fetch authors').parentSpanId).toBe(root.spanId);
  });

  test('what a subgraph failed to answer is marked with its code', async () => {
    {
      await using platform = await Platform.start(form, {
        OTLP_URL: collector.url,
        SUBGRAPH_TIMEOUT: '100ms',
      });
      platform.world.silence();
      await platform.post(shelf);
    }
    expect(collector.span('fetch authors')).toMatchObject({
      status: { code: 2, message: 'SUBGRAPH_TIMEOUT' },
      attributes: { 'gateway.outcome': 'SUBGRAPH_TIMEOUT' },
    });
    expect(collector.span('query Shelf').status).toEqual({ code: 2, message: 'SUBGRAPH_TIMEOUT' });
    expect(collector.span('fetch books').status).toEqual({ code: 0 });
  });
});

describe('a subgraph in another process', () => {
  const seen: (string | undefined)[] = [];
  const subgraph = createServer((request, response) => {
    seen.push(request.headers.traceparent as string | undefined);
    request.resume();
    response.setHeader('content-type', 'application/json').end('{"data":{"books":[]}}');
  });
  let SUBGRAPH_URLS = '';
  beforeAll(async () => {
    SUBGRAPH_URLS = `books=http://127.0.0.1:${await listen(subgraph, 0, '127.0.0.1')}/graphql`;
  });
  afterAll(() => closeServer(subgraph, 100));
  afterEach(() => {
    seen.length = 0;
  });
  const titles = { query: '{ books { title } }' };

  test('is asked as part of the trace', async () => {
    {
      await using platform = await Platform.start('split', { SUBGRAPH_URLS, OTLP_URL: collector.url });
      await platform.post(titles, { traceparent });
    }
    expect(seen).toEqual([`00-${TRACE}-${collector.span('fetch books').spanId}-01`]);
  });

  test('is told the trace that a client began, though nobody here keeps it', async () => {
    await using platform = await Platform.start('split', { SUBGRAPH_URLS, SLOW_REQUEST: '0s' });
    await platform.post(titles, { traceparent });
    await platform.post(titles);
    await platform.post(titles, { traceparent: 'what <is> this' });
    expect(seen).toEqual([traceparent, undefined, undefined]);
  });

  test('a client names its trace, but the share of traces is ours to say', async () => {
    {
      const env = { SUBGRAPH_URLS, OTLP_URL: collector.url, TRACE_SAMPLE: '0' };
      await using platform = await Platform.start('split', env);
      await platform.post(titles, { traceparent });
    }
    expect(seen).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-[\\da-f]{16}-00$`))]);
    expect(collector.spans).toEqual([]);
  });
});

test('two gateways of one process do not mix', async () => {
  await using other = await Collector.start();
  {
    await using one = await Platform.start('in memory', { OTLP_URL: collector.url });
    await using two = await Platform.start('in memory', { OTLP_URL: other.url });
    await one.query('query One { books { title } }');
    await two.query('query Two { books { title } }');
  }
  const names = (from: Collector) => from.spans.map(({ name }) => name).sort();
  expect(names(collector)).toEqual(['fetch books', 'plan', 'query One']);
  expect(names(other)).toEqual(['fetch books', 'plan', 'query Two']);
});

test('metrics go to the collector too', async () => {
  {
    await using platform = await Platform.start('in memory', { OTLP_URL: collector.url });
    await platform.post(shelf);
  }
  expect([...collector.metricNames]).toEqual(
    expect.arrayContaining([
      'gateway.requests',
      'gateway.request.duration',
      'gateway.fetch.duration',
      'gateway.live.topics',
      'process.cpu.time',
    ]),
  );
});

test('a collector that is gone costs clients nothing, and the log tells of it once', async () => {
  const lines = new LogLines('warn');
  await collector[Symbol.asyncDispose]();
  {
    await using platform = await Platform.start('in memory', { OTLP_URL: collector.url }, lines.logger);
    expect((await platform.post(shelf)).body.errors).toBeUndefined();
  }
  expect(lines.of('Traces cannot be sent to the collector')).toHaveLength(1);
});
