/** The command line of the suite; see README.md. */
import { parseArgs } from 'node:util';
import { type Capability, capabilities, type Limits } from './case.ts';
import { launchOf, type Preset, presets } from './gateway-process.ts';
import { lineOf, tableOf, totalsOf } from './report.ts';
import { Session, type SessionOptions } from './session.ts';
import { suite } from './suite.ts';

const usage = `Usage: node run.ts (--start ours|stock | --command "<command>" | --gateway <url>) [options]

  --start ours|stock     start that gateway
  --command "<command>"  start a gateway; {supergraph} and {port} stand for the file to serve and the port
  --gateway <url>        use a gateway that you start once the supergraph file is written
  --socket-url <url>     where WebSockets are served, if not at the same address
  --path <path>          of the endpoint of a gateway that is started by --command (default /graphql)
  --supergraph <path>    where the supergraph is written (default: a temporary file)
  --first-port <port>    of three consecutive ones for the subgraphs (default: any)
  --host <address>       of the subgraphs (default 127.0.0.1)
  --without <names>      what the gateway does not offer, by commas: ${Object.keys(capabilities).join(', ')}
  --limits <name=ms,…>   how long to wait: patience, init, join, keepAlive, reload
  --only <text>          only cases whose id contains the text
  --wait <ms>            for the gateway's first answer (default 30000)
  --list                 list the cases
  --json                 print results as JSON
  --failed               print failed cases only`;

class UsageError extends Error {}

const options = {
  start: { type: 'string' },
  command: { type: 'string' },
  gateway: { type: 'string' },
  'socket-url': { type: 'string' },
  path: { type: 'string', default: '/graphql' },
  supergraph: { type: 'string' },
  'first-port': { type: 'string', default: '0' },
  host: { type: 'string', default: '127.0.0.1' },
  without: { type: 'string', default: '' },
  limits: { type: 'string', default: '' },
  only: { type: 'string', default: '' },
  wait: { type: 'string', default: '30000' },
  list: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  failed: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

type Arguments = ReturnType<typeof argumentsOf>;

function argumentsOf() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function gatewayOf(given: Arguments): SessionOptions['gateway'] {
  const { start, command, gateway, path, 'socket-url': socketUrl } = given;
  if ([start, command, gateway].filter(Boolean).length !== 1)
    throw new UsageError('Give one of --start, --command and --gateway');
  if (gateway) return { url: gateway, ...(socketUrl && { socketUrl }) };
  if (command) return { launch: launchOf(command), path, without: [], limits: {} } satisfies Preset;
  const preset = Object.entries(presets).find(([name]) => name === start)?.[1];
  if (!preset) throw new UsageError(`There is no gateway "${start}"`);
  return preset;
}

function withoutOf({ without }: Arguments): Capability[] {
  const names = without.split(',').filter(Boolean);
  const isCapability = (name: string): name is Capability => name in capabilities;
  const unknown = names.filter((name) => !isCapability(name));
  if (unknown.length > 0) throw new UsageError(`--without: unknown ${unknown.join(', ')}`);
  return names.filter(isCapability);
}

function limitsOf(given: Arguments): Partial<Limits> {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const pair of given.limits.split(',').filter(Boolean)) {
    const [, name, milliseconds] = /^(patience|init|join|keepAlive|reload)=(\d+)$/.exec(pair) ?? [];
    if (!name) throw new UsageError(`--limits: "${pair}" is not name=milliseconds`);
    limits[name as keyof Limits] = Number(milliseconds);
  }
  return limits;
}

/** Rejects when the process is told to stop, so that everything that was opened is closed in order. */
const interrupted = (running: AbortController): Promise<never> =>
  new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        running.abort();
        reject(new Error(`Stopped by ${signal}`));
      });
  });

async function main(given: Arguments): Promise<number> {
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const cases = suite.filter(({ id }) => id.includes(given.only));
  if (cases.length === 0) throw new UsageError(`--only: no case has "${given.only}" in its id`);
  if (given.list) {
    for (const { id, title, needs = [] } of cases)
      console.log(`${id}: ${title}${needs.length > 0 ? ` [${needs.join(', ')}]` : ''}`);
    return 0;
  }
  await using session = await Session.open({
    gateway: gatewayOf(given),
    supergraph: given.supergraph,
    host: given.host,
    firstPort: Number(given['first-port']),
    limits: limitsOf(given),
    without: withoutOf(given),
    start: Number(given.wait),
    onReady: (subgraphs, supergraph) => {
      if (given.gateway)
        console.error('The supergraph is written, its subgraphs serve:', { supergraph, ...subgraphs });
    },
  });
  const running = new AbortController();
  const run = session.run(cases, {
    signal: running.signal,
    onResult: (result) => {
      if (!given.json && (!given.failed || result.outcome === 'failed')) console.log(lineOf(result));
    },
  });
  const results = await Promise.race([run, interrupted(running)]);
  console.log(
    given.json ? JSON.stringify({ totals: totalsOf(results), results }, null, 2) : `\n${tableOf(results)}`,
  );
  return totalsOf(results).failed > 0 ? 1 : 0;
}

try {
  process.exit(await main(argumentsOf()));
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  console.error(error instanceof UsageError ? `${words}\n\n${usage}` : words);
  process.exit(2);
}
