/** Plans on subgraphs in memory: ours against the stock gateway, each in a process of its own, in turn. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { removing } from '../contestants.ts';
import { MeasuredProcess } from '../measured-process.ts';
import { deep } from '../shop/operations.ts';
import { composeShop, storeOf } from '../shop/schemas.ts';
import { figureOf, printTable, printVerdict, shown } from '../table.ts';

export interface InMemoryOptions {
  readonly rounds: number;
  /** Milliseconds of one round. */
  readonly slot: number;
  readonly atOnce: number;
  readonly warmUp: number;
  /** Where profiles go. */
  readonly profile: string | undefined;
}

const names = ['ours', 'stock'] as const;

export async function compareInMemory(options: InMemoryOptions): Promise<void> {
  const { rounds, slot, atOnce, warmUp } = options;
  await using opened = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'gateway-bench-'));
  opened.defer(removing(dir));
  const supergraph = join(dir, 'supergraph.graphql');
  const nowhere = 'http://127.0.0.1:9/graphql';
  const urls = { accounts: nowhere, inventory: nowhere, products: nowhere, reviews: nowhere };
  await writeFile(supergraph, composeShop(urls));
  const runners = await Promise.all(
    names.map(async (name) => {
      const file = new URL(`${name}.ts`, import.meta.url);
      const runner = opened.use(new MeasuredProcess({ file, args: [supergraph, deep, String(atOnce)] }));
      await runner.message((message) => 'ready' in message);
      return { name, runner };
    }),
  );
  const answers = await Promise.all(
    runners.map(({ runner }) => ask(runner, { show: storeOf(9_999_999) }, 'answer')),
  );
  if (!isDeepStrictEqual(dataOf(answers[0]), dataOf(answers[1])))
    throw new Error('The two give different answers');

  for (const { runner } of runners) await ask(runner, { run: warmUp }, 'answered');
  const measured = { ours: [] as Round[], stock: [] as Round[] };
  for (let round = 0; round < rounds; round += 1)
    for (const { name, runner } of runners) measured[name].push(await measure(runner, slot));

  printTable(
    `in-memory: the deep query's plan on subgraphs in memory; ${atOnce} at once, ${rounds} rounds of ${slot / 1_000} s each in turn`,
    [
      ['', 'CPU µs/operation', 'operations/s'],
      ...names.map((name) => [
        name,
        shown(figureOf(measured[name].map(({ cpu }) => cpu))),
        shown(figureOf(measured[name].map(({ perSecond }) => perSecond))),
      ]),
    ],
  );
  // By CPU: what a second gives depends on who else is on the machine.
  const times = measured.stock.map(({ cpu }, round) => cpu / measured.ours[round]!.cpu);
  printVerdict('throughput for the same CPU, ours by stock', figureOf(times), { least: 3 });
  if (!options.profile) return;
  for (const { name, runner } of runners) {
    await runner.startProfile();
    await ask(runner, { run: 5_000 }, 'answered');
    await runner.endProfile(join(options.profile, `in-memory-${name}.cpuprofile`));
  }
}

interface Round {
  /** Microseconds per operation. */
  readonly cpu: number;
  readonly perSecond: number;
}

async function measure(runner: MeasuredProcess, slot: number): Promise<Round> {
  const before = await runner.usage();
  const began = performance.now();
  const answered = Number(await ask(runner, { run: slot }, 'answered'));
  const seconds = (performance.now() - began) / 1_000;
  const after = await runner.usage();
  return { cpu: (after.cpu - before.cpu) / answered, perSecond: answered / seconds };
}

async function ask(runner: MeasuredProcess, order: object, wanted: string): Promise<unknown> {
  const answer = runner.message((message) => wanted in message);
  runner.send(order);
  return (await answer)[wanted];
}

/** Without whatever else a gateway says of an answer. */
function dataOf(answer: unknown): unknown {
  const { data, errors } = answer as { data?: unknown; errors?: unknown };
  if (errors) throw new Error(`An answer with errors: ${JSON.stringify(errors)}`);
  return data;
}
