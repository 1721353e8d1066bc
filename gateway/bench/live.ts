/**
 * `npm run bench:live -- [fan-out|spread|reload] [--clients N] [--rounds N] [--seconds N] [--profile FILE]`: what an
 * event costs that is delivered to very many clients, beside a bare `ws` server that sends a ready text to as many;
 * and what a reload of the supergraph does to those who watch.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../conformance/gateway-process.ts';
import { issueToken, oursEnvironment, removing, type Token } from './contestants.ts';
import { MeasuredProcess } from './measured-process.ts';
import { figureOf, printTable, printVerdict, shown } from './table.ts';
import { Audience, latency } from './watch/audience.ts';
import type { Report } from './watch/clients.ts';
import type { Emission } from './watch/emission.ts';
import { composeShipments } from './watch/shipments.ts';

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '5' },
    profile: { type: 'string' },
  },
});
const clients = Number(options.clients);
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
/** Of all clients together, in a second. */
const DELIVERIES = clients;
const RELOAD_SHIPMENTS = 500;

requireOpenFiles(clients + 500);
const benches: Readonly<Record<string, () => Promise<void>>> = {
  'fan-out': () => compare('fan-out: all clients watch one shipment', 1, 1.3),
  spread: () => compare('spread: ten clients watch each shipment', Math.ceil(clients / 10), undefined),
  reload,
};
for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  const bench = benches[name];
  if (!bench) throw new Error(`There is no bench "${name}"`);
  await bench();
}

/** Every client is a file to the gateway. */
function requireOpenFiles(needed: number): void {
  const limit = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  console.error(
    `A process may open ${limit} files here, and ${needed} are needed: run "ulimit -n ${needed}" first,`,
  );
  console.error('or bring fewer clients with --clients');
  process.exit(1);
}

interface Server {
  readonly name: string;
  readonly port: number;
  readonly process: MeasuredProcess;
  /** Where events come from. */
  readonly source: MeasuredProcess;
  /** Bytes of the process before clients came. */
  readonly before: number;
}

async function startGateway(
  opened: AsyncDisposableStack,
  token: Token,
): Promise<Server & { supergraph: string; subgraphUrl: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'gateway-bench-'));
  opened.defer(removing(dir));
  const [subgraphPort, port] = [await freePort(), await freePort()];
  const source = opened.use(
    new MeasuredProcess({
      file: new URL('watch/subgraph.ts', import.meta.url),
      args: [String(subgraphPort)],
    }),
  );
  const supergraph = join(dir, 'supergraph.graphql');
  const subgraphUrl = `http://127.0.0.1:${subgraphPort}/graphql`;
  await writeFile(supergraph, composeShipments(subgraphUrl));
  const gateway = opened.use(
    new MeasuredProcess({
      file: new URL('../main.ts', import.meta.url),
      env: {
        ...oursEnvironment(supergraph, port, token),
        // One user at a handful of addresses is all that a bench has; and its clients may be slow to come in.
        CONNECTIONS_PER_ADDRESS: '1000000',
        CONNECTIONS_PER_USER: '1000000',
        CONNECTIONS_PER_SECOND: '1000000',
        SOCKET_INIT_TIMEOUT: '60s',
        SUPERGRAPH_POLL: '200ms',
      },
    }),
  );
  await gateway.unlessItEnds(untilReady(port));
  const { rss: before } = await gateway.usage();
  return { name: 'ours', port, process: gateway, source, before, supergraph, subgraphUrl };
}

async function startBare(opened: AsyncDisposableStack): Promise<Server> {
  const port = await freePort();
  const file = new URL('watch/bare-broadcast.ts', import.meta.url);
  const bare = opened.use(new MeasuredProcess({ file, args: [String(port)] }));
  const { rss: before } = await bare.usage();
  return { name: 'bare ws', port, process: bare, source: bare, before };
}

async function untilReady(port: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
}

interface Round {
  /** Microseconds of CPU per delivered event. */
  readonly cpu: number;
  readonly median: number;
  readonly p99: number;
}

async function compare(title: string, shipments: number, aim: number | undefined): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const token = await issueToken();
  const ours = await startGateway(opened, token);
  const bare = await startBare(opened);
  const audience = opened.use(new Audience());
  const servers: Server[] = [bare, ours];
  const perClient = new Map<Server, number>();
  for (const server of servers) {
    const { name: to, port } = server;
    await audience.connect(clients, { to, port, authorization: token.authorization, shipments });
    await emit(server, audience, shipments, 2);
    const { rss } = await server.process.usage();
    perClient.set(server, (rss - server.before) / clients / 1_000);
  }
  const measured = new Map<Server, Round[]>(servers.map((server) => [server, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const server of servers) measured.get(server)?.push(await measure(server, audience, shipments));

  const ratio = figureOf(measured.get(ours)!.map(({ cpu }, round) => cpu / measured.get(bare)![round]!.cpu));
  printTable(
    `${title}; ${clients} clients, ${DELIVERIES} deliveries/s, ${rounds} rounds of ${seconds} s each in turn`,
    [
      ['', 'CPU µs/delivered event', 'latency p50, ms', 'p99, ms', 'kB/client'],
      ...servers.map((server) => {
        const of = (pick: (round: Round) => number) => figureOf(measured.get(server)!.map(pick));
        return [
          server.name,
          shown(
            of(({ cpu }) => cpu),
            1,
          ),
          shown(
            of(({ median }) => median),
            1,
          ),
          shown(of(({ p99 }) => p99)),
          perClient.get(server)!.toFixed(1),
        ];
      }),
    ],
  );
  printVerdict('CPU per delivered event, ours by bare ws', ratio, aim === undefined ? {} : { most: aim });
  printVerdict('kB of memory per client', figureOf([perClient.get(ours)!]), { most: 60 }, 1);
  if (options.profile) {
    await ours.process.startProfile();
    await emit(ours, audience, shipments, seconds * 2);
    await ours.process.endProfile(options.profile);
  }
}

async function measure(server: Server, audience: Audience, shipments: number): Promise<Round> {
  const before = await server.process.usage();
  const report = await emit(server, audience, shipments, seconds);
  const after = await server.process.usage();
  return {
    cpu: (after.cpu - before.cpu) / report.delivered,
    median: latency(report, 50),
    p99: latency(report, 99),
  };
}

/** Emits for so long and waits until everybody has everything; anything else is no measurement. */
async function emit(
  server: Server,
  audience: Audience,
  shipments: number,
  duration: number,
): Promise<Report> {
  const expected = await order(server, shipments, duration);
  const report = await audience.reportAfter(server.name, expected);
  if (report.delivered !== expected || report.ended > 0 || report.astray > 0) {
    const { delivered, ended, astray } = report;
    throw new Error(
      `${server.name}: of ${expected} events ${delivered} came, ${astray} astray, ${ended} clients ended`,
    );
  }
  return report;
}

/** Resolves to the number of deliveries when all events were emitted. */
async function order({ source }: Server, shipments: number, duration: number): Promise<number> {
  const watching = clients / shipments;
  const done = source.message((message) => 'emitted' in message);
  const perSecond = DELIVERIES / watching;
  source.send({ emit: { shipments, perSecond, seconds: duration } } satisfies Emission);
  return Number((await done).emitted) * watching;
}

/** Clients go on through a reload as if nothing had been: nobody ends, nothing is lost or comes twice. */
async function reload(): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const token = await issueToken();
  const gateway = await startGateway(opened, token);
  const audience = opened.use(new Audience());
  const { name: to, port } = gateway;
  const shipments = RELOAD_SHIPMENTS;
  await audience.connect(clients, { to, port, authorization: token.authorization, shipments });
  await emit(gateway, audience, shipments, 3);

  const calm = {
    report: await emit(gateway, audience, shipments, seconds),
    usage: await gateway.process.usage(),
  };
  const emitted = order(gateway, shipments, 3 * seconds);
  await sleep(1_000 * seconds);
  const changedAt = performance.now();
  const fresh = `${gateway.supergraph}.new`;
  await writeFile(fresh, composeShipments(gateway.subgraphUrl, 'added: String'));
  await rename(fresh, gateway.supergraph);
  await untilServed(port, token);
  const served = performance.now() - changedAt;
  const report = await audience.reportAfter(to, await emitted);
  const { longestPause } = await gateway.process.usage();

  const row = (name: string, { delivered, longestSilence, ...rest }: Report, pause: number) => [
    name,
    String(delivered),
    latency({ ...rest, delivered, longestSilence }, 50).toFixed(1),
    latency({ ...rest, delivered, longestSilence }, 99).toFixed(1),
    longestSilence.toFixed(0),
    pause.toFixed(0),
  ];
  printTable(
    `reload: ${clients} clients watch ${shipments} shipments with an event each second; ` +
      `the new schema was served after ${(served / 1_000).toFixed(1)} s`,
    [
      ['', 'delivered', 'latency p50, ms', 'p99, ms', 'longest silence of a client, ms', 'longest pause, ms'],
      row('without a reload', calm.report, calm.usage.longestPause),
      row('with a reload', report, longestPause),
    ],
  );
  printVerdict('clients that were ended', figureOf([report.ended]), { most: 0 }, 0);
  printVerdict('events that were lost or came twice', figureOf([report.astray]), { most: 0 }, 0);
  printVerdict('events that did not come', figureOf([(await emitted) - report.delivered]), { most: 0 }, 0);
}

/** Asks for the added field until it is there. */
async function untilServed(port: number, { authorization }: Token): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', authorization },
      body: JSON.stringify({ query: '{ shipment(id: "1") { added } }' }),
    });
    const { data } = (await answer.json()) as { data?: unknown };
    if (data !== undefined && data !== null) return;
    await sleep(20);
  }
}
