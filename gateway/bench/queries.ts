/**
 * `npm run bench:gateway -- [deep|shallow|in-memory] [--signed] [--rounds N] [--seconds N] [--profile DIR]`:
 * what a request costs in our gateway, in the stock one and in a bare plan runner, in turn. Figures are the
 * median of the rounds, with the least and the greatest.
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import {
  type Contestant,
  type ContestantName,
  contestantNames,
  issueToken,
  removing,
  startContestant,
} from './contestants.ts';
import { Client } from './load.ts';
import { MeasuredProcess } from './measured-process.ts';
import { compareInMemory } from './memory/compare.ts';
import { deep, shallow } from './shop/operations.ts';
import { composeShop, type SubgraphName, storeOf } from './shop/schemas.ts';
import { figureOf, printTable, printVerdict, shown } from './table.ts';

const benches = {
  deep: { title: 'deep: one query over four subgraphs', query: deep, aim: 1.3 },
  shallow: { title: 'shallow: a small query of one subgraph', query: shallow, aim: 1.5 },
} as const;
type BenchName = keyof typeof benches;

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    signed: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.2' },
    'at-once': { type: 'string', default: '32' },
    only: { type: 'string', default: contestantNames.join() },
    profile: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const slot = Number(options.seconds) * 1_000;
const atOnce = Number(options['at-once']);
const names = contestantNames.filter((name) => options.only.split(',').includes(name));
const WARM_UP = 2_000;

const IN_MEMORY = 'in-memory';
const wanted = positionals.length > 0 ? positionals : [...Object.keys(benches), IN_MEMORY];
for (const name of wanted) {
  if (name === IN_MEMORY)
    await compareInMemory({ rounds, slot, atOnce, warmUp: WARM_UP, profile: options.profile });
  else if (name in benches) await compare(name as BenchName);
  else throw new Error(`There is no bench "${name}"`);
}

interface Runner {
  readonly contestant: Contestant;
  readonly client: Client;
}

interface Round {
  readonly cpu: number;
  readonly perSecond: number;
}

async function compare(bench: BenchName): Promise<void> {
  const { title, query, aim } = benches[bench];
  await using opened = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'gateway-bench-'));
  opened.defer(removing(dir));
  const shop = opened.use(new MeasuredProcess({ file: new URL('shop/serve.ts', import.meta.url) }));
  const { urls } = await shop.message((message) => 'urls' in message);
  const supergraph = join(dir, 'supergraph.graphql');
  await writeFile(supergraph, composeShop(urls as Record<SubgraphName, string>));

  const token = await issueToken();
  const runners: Runner[] = [];
  for (const name of names) {
    const contest = { supergraph, query, token, signed: options.signed };
    const contestant = opened.use(await startContestant(name, contest));
    const client = opened.use(new Client(contestant, { query, authorization: token.authorization }, atOnce));
    runners.push({ contestant, client });
  }
  const length = await agree(runners);
  for (const { client } of runners) await client.press(atOnce, WARM_UP, length);

  const measured = new Map<ContestantName, Round[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const runner of runners) measured.get(runner.contestant.name)?.push(await measure(runner, length));

  const ratioTo = (name: ContestantName, floor: ContestantName) =>
    figureOf(measured.get(name)!.map(({ cpu }, round) => cpu / measured.get(floor)![round]!.cpu));
  const floor = names.includes('bare') ? 'bare' : names[0]!;
  printTable(
    `${title}; answers of ${length} bytes, ${atOnce} at once, ${rounds} rounds of ${slot / 1_000} s each in turn`,
    [
      ['', 'CPU µs/request', `× ${floor}`, 'requests/s'],
      ...names.map((name) => {
        const own = measured.get(name)!;
        const cpu = shown(figureOf(own.map((each) => each.cpu)));
        const perSecond = shown(figureOf(own.map((each) => each.perSecond)));
        const label = name === 'ours' && options.signed ? 'ours, signing' : name;
        return [label, cpu, shown(ratioTo(name, floor), 2), perSecond];
      }),
    ],
  );
  if (names.includes('ours') && names.includes('bare'))
    printVerdict('CPU per request, ours by bare', ratioTo('ours', 'bare'), { most: aim });
  if (names.includes('ours') && names.includes('stock'))
    printVerdict('CPU per request, stock by ours', ratioTo('stock', 'ours'), {});
  if (options.profile) await profile(runners, length, bench, options.profile);
}

/** All must give the same answer; returns its length. */
async function agree(runners: readonly Runner[]): Promise<number> {
  const store = storeOf(9_999_999);
  const texts = await Promise.all(runners.map(({ client }) => client.first(store)));
  const answers = texts.map((text) => JSON.parse(text) as { errors?: unknown });
  for (const [index, answer] of answers.entries()) {
    const { name } = runners[index]!.contestant;
    if (answer.errors) throw new Error(`${name} answers with errors: ${JSON.stringify(answer.errors)}`);
    if (!isDeepStrictEqual(answer, answers[0])) throw new Error(`${name} gives another answer`);
  }
  // Serialised alike, up to a line's end: so a length is enough to know an answer by.
  return texts[0]!.trimEnd().length;
}

async function measure({ contestant, client }: Runner, length: number): Promise<Round> {
  await client.press(atOnce, 200, length);
  const before = await contestant.process.usage();
  const began = performance.now();
  const answered = await client.press(atOnce, slot, length);
  const seconds = (performance.now() - began) / 1_000;
  const after = await contestant.process.usage();
  return { cpu: (after.cpu - before.cpu) / answered, perSecond: answered / seconds };
}

async function profile(
  runners: readonly Runner[],
  length: number,
  bench: BenchName,
  dir: string,
): Promise<void> {
  for (const { contestant, client } of runners) {
    await contestant.process.startProfile();
    await client.press(atOnce, 5_000, length);
    await contestant.process.endProfile(join(dir, `${bench}-${contestant.name}.cpuprofile`));
  }
}
