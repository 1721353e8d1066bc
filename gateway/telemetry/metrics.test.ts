import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf } from '../policy/trusted-documents.ts';
import { Platform, until } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';
import { parsePrometheus, type Sample, sampled } from './testing/prometheus.ts';

const METRICS_PORT = '0';

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'telemetry-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function metricsOf({ gateway }: Platform): Promise<Sample[]> {
  const response = await fetch(gateway.metricsUrl ?? '');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return parsePrometheus(await response.text());
}

describe('a gateway that is read by Prometheus', () => {
  let platform: Platform;
  beforeEach(async () => {
    platform = await Platform.start('in memory', {
      METRICS_PORT,
      SUBGRAPH_TIMEOUT: '100ms',
      SUBGRAPH_FAILURES: '2',
      SUBGRAPH_REST: '1m',
    });
  });
  afterEach(() => platform[Symbol.asyncDispose]());
  const query = (text: string) => platform.query(text);

  test('counts requests by operation, transport and outcome, and how long they took', async () => {
    await query('query Shelf { books { title } }');
    await query('query Shelf { books { title } }');
    await query('{ books { id } }');
    await query('query Wrong { nothing }');
    const samples = await metricsOf(platform);
    const requests = (labels: Record<string, string>) => sampled(samples, 'gateway_requests_total', labels);
    expect(requests({ operation: 'Shelf', transport: 'http', outcome: 'ok' })).toBe(2);
    expect(requests({ operation: 'anonymous', outcome: 'ok' })).toBe(1);
    expect(requests({ operation: 'other', outcome: 'GRAPHQL_VALIDATION_FAILED' })).toBe(1);
    expect(sampled(samples, 'gateway_request_duration_seconds_count', { operation: 'Shelf' })).toBe(2);
    const buckets = samples.filter(
      ({ name, labels }) =>
        name === 'gateway_request_duration_seconds_bucket' && labels.operation === 'Shelf',
    );
    expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value: 2 });
  });

  test('counts plans, known and new, and fetches with what they ask for', async () => {
    const shelf = 'query Shelf { books { title author { name } } }';
    await query(shelf);
    await query(shelf);
    const samples = await metricsOf(platform);
    expect(sampled(samples, 'gateway_plans_total', { plan: 'new' })).toBe(1);
    expect(sampled(samples, 'gateway_plans_total', { plan: 'known' })).toBe(1);
    expect(sampled(samples, 'gateway_plan_duration_seconds_count')).toBe(1);
    const authors = { subgraph: 'authors' };
    expect(sampled(samples, 'gateway_fetches_total', { ...authors, outcome: 'ok' })).toBe(2);
    expect(sampled(samples, 'gateway_fetch_duration_seconds_count', authors)).toBe(2);
    expect(sampled(samples, 'gateway_fetch_entities_total', authors)).toBe(4);
    expect(sampled(samples, 'gateway_fetch_places_total', authors)).toBe(6);
  });

  test('tells what is on its way, what shared an answer, and which subgraph is left alone', async () => {
    platform.world.silence();
    const ask = () => query('{ author(id: "1") { name } }');
    const first = [ask(), ask(), ask()];
    const authors = { subgraph: 'authors' };
    await until(async () => {
      const samples = await metricsOf(platform);
      return (
        sampled(samples, 'gateway_subgraph_requests', { ...authors, state: 'running' }) === 1 &&
        sampled(samples, 'gateway_subgraph_shared_total', authors) === 2
      );
    });
    await Promise.all(first);
    await ask();
    await ask();
    const samples = await metricsOf(platform);
    const breaker = (state: string) => sampled(samples, 'gateway_subgraph_breaker', { ...authors, state });
    expect([breaker('open'), breaker('closed')]).toEqual([1, 0]);
    expect(sampled(samples, 'gateway_fetches_total', { ...authors, outcome: 'SUBGRAPH_TIMEOUT' })).toBe(4);
    expect(sampled(samples, 'gateway_fetches_total', { ...authors, outcome: 'SUBGRAPH_UNAVAILABLE' })).toBe(
      1,
    );
  });

  test('tells of live subscriptions: who is connected, what is shared, what was delivered', async () => {
    const sockets = [await Socket.open(platform), await Socket.open(platform)];
    const stream = await fetch(
      `${platform.gateway.url}?${new URLSearchParams({ query: 'subscription { latestReview { text } }' })}`,
      { headers: { accept: 'text/event-stream' } },
    );
    for (const socket of sockets)
      socket.subscribe('1', 'subscription Watch { reviewAdded(after: "") { text book { title } } }');
    platform.world.add('one', 'two');
    for (const socket of sockets) await socket.events('1', 2);
    const samples = await metricsOf(platform);
    const of = (name: string, labels: Record<string, string> = {}) => sampled(samples, name, labels);
    expect(of('gateway_connections', { transport: 'websocket' })).toBe(2);
    expect(of('gateway_connections', { transport: 'event-stream' })).toBe(1);
    expect(of('gateway_live_followers')).toBe(3);
    expect(of('gateway_live_topics')).toBe(2);
    expect(of('gateway_live_events_total', { fate: 'delivered' })).toBeGreaterThanOrEqual(4);
    expect(of('gateway_live_interruptions_total')).toBe(0);
    expect(of('gateway_event_duration_seconds_count', { subgraph: 'reviews' })).toBeGreaterThanOrEqual(2);
    expect(of('gateway_requests_total', { operation: 'Watch', transport: 'websocket', outcome: 'ok' })).toBe(
      2,
    );
    expect(of('gateway_requests_total', { transport: 'event-stream', outcome: 'ok' })).toBe(1);
    await stream.body?.cancel();
  });

  test('counts reloads, good and bad, and how long they kept others waiting', async () => {
    const { gateway, supergraphPath } = platform;
    const before = await readFile(supergraphPath, 'utf8');
    await writeFile(supergraphPath, `${before}\n# changed`);
    await gateway.reload();
    await writeFile(supergraphPath, 'type Nonsense');
    await expect(gateway.reload()).rejects.toThrow();
    const samples = await metricsOf(platform);
    expect(sampled(samples, 'gateway_supergraph_reloads_total', { outcome: 'in service' })).toBe(1);
    const refused = sampled(samples, 'gateway_supergraph_reloads_total', { outcome: 'refused' });
    expect(refused).toBeGreaterThanOrEqual(1);
    expect(sampled(samples, 'gateway_supergraph_longest_pause_seconds')).toBeGreaterThan(0);
  });

  test('tells how the process is', async () => {
    const samples = await metricsOf(platform);
    expect(sampled(samples, 'process_cpu_time_seconds_total')).toBeGreaterThan(0.1);
    expect(sampled(samples, 'process_memory_usage_bytes')).toBeGreaterThan(1e7);
    // Each look begins anew, so between two of them the loop is held up, and may then be measured.
    const pass = () => new Promise((resolve) => setTimeout(resolve, 100));
    await pass();
    const held = performance.now() + 100;
    while (performance.now() < held);
    await pass();
    expect(sampled(await metricsOf(platform), 'nodejs_eventloop_delay_max_seconds')).toBeGreaterThan(0.02);
  });

  test('says nothing of it where clients ask, or anywhere else', async () => {
    expect((await fetch(`${platform.origin}/metrics`)).status).toBe(404);
    expect((await fetch((platform.gateway.metricsUrl ?? '').replace('/metrics', '/'))).status).toBe(404);
    expect((await fetch(platform.gateway.metricsUrl ?? '', { method: 'POST' })).status).toBe(405);
  });
});

test('with a token only who shows it may read', async () => {
  await using platform = await Platform.start('in memory', { METRICS_PORT, METRICS_TOKEN: 'let-me-read' });
  const status = async (headers: Record<string, string>) =>
    (await fetch(platform.gateway.metricsUrl ?? '', { headers })).status;
  expect(await status({})).toBe(401);
  expect(await status({ authorization: 'Bearer let-me-rea' })).toBe(401);
  expect(await status({ authorization: 'Bearer let-me-read' })).toBe(200);
});

test('where documents are trusted, only their operations have a name', async () => {
  const trusted = 'query Shelf { books { title } }';
  await using folder = await temporaryFolder();
  const TRUSTED_DOCUMENTS_PATH = join(folder.path, 'trusted.json');
  await writeFile(TRUSTED_DOCUMENTS_PATH, JSON.stringify({ [hashOf(trusted)]: trusted }));
  await using platform = await Platform.start('in memory', { METRICS_PORT, TRUSTED_DOCUMENTS_PATH });
  await platform.query(trusted);
  await platform.query('query Mine { books { title } }');
  const samples = await metricsOf(platform);
  const requests = (operation: string) => sampled(samples, 'gateway_requests_total', { operation });
  expect([requests('Shelf'), requests('Mine'), requests('other')]).toEqual([1, undefined, 1]);
});

test('names that clients make up do not grow without end', async () => {
  await using platform = await Platform.start('in memory', { METRICS_PORT });
  for (let index = 0; index < 230; index += 1) await platform.query(`query Q${index} { __typename }`);
  const requests = (await metricsOf(platform)).filter(({ name }) => name === 'gateway_requests_total');
  expect(requests).toHaveLength(201);
  expect(sampled(requests, 'gateway_requests_total', { operation: 'other' })).toBe(30);
});
