/** Runs cases one after another, each with its own time limit, and says what became of each. */
import { type Capability, type Case, Context, type Limits, type Target } from './case.ts';
import type { Shop } from './subgraphs/shop.ts';
import type { SupergraphFile } from './supergraph.ts';

export type Outcome = 'passed' | 'failed' | 'not applicable';

export interface CaseResult {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly outcome: Outcome;
  readonly milliseconds: number;
  /** Why it failed, or which capabilities it would need. */
  readonly message?: string;
}

export interface RunOptions {
  readonly cases: readonly Case[];
  readonly target: Target;
  readonly shop: Shop;
  readonly supergraph: SupergraphFile;
  readonly limits: Limits;
  /** What the gateway does not offer. */
  readonly without: ReadonlySet<Capability>;
  /** For one case, beside the limit that it waits for. Milliseconds. */
  readonly caseTimeout?: number;
  /** No further case begins once it is aborted, and what the running one says is no longer told. */
  readonly signal?: AbortSignal;
  readonly onResult?: (result: CaseResult) => void;
}

const CASE_TIMEOUT = 20_000;
const CLEAN_UP_TIMEOUT = 20_000;

export async function runCases(options: RunOptions): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const each of options.cases) {
    const result = await runCase(each, options);
    if (options.signal?.aborted) break;
    options.onResult?.(result);
    results.push(result);
  }
  return results;
}

async function runCase(each: Case, options: RunOptions): Promise<CaseResult> {
  const { id, group, title, needs = [] } = each;
  const missing = needs.filter((capability) => options.without.has(capability));
  if (missing.length > 0)
    return {
      id,
      group,
      title,
      outcome: 'not applicable',
      milliseconds: 0,
      message: `needs ${missing.join(', ')}`,
    };
  const { limits } = options;
  const context = new Context({ ...options, prefix: options.shop.newPrefix() });
  const started = performance.now();
  const faults: string[] = [];
  const note = (error: unknown) => faults.push(messageOf(error));
  await within(
    (options.caseTimeout ?? CASE_TIMEOUT) + (each.waitsFor ? limits[each.waitsFor] : 0),
    'the case',
    each.run(context),
  ).catch(note);
  faults.push(...context.violations.slice(0, 3).map((violation) => `The gateway sent ${violation}`));
  await within(CLEAN_UP_TIMEOUT + limits.reload, 'cleaning up', context.dispose()).catch(note);
  const milliseconds = Math.round(performance.now() - started);
  if (faults.length === 0) return { id, group, title, outcome: 'passed', milliseconds };
  return { id, group, title, outcome: 'failed', milliseconds, message: faults.join('\n') };
}

async function within(milliseconds: number, what: string, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
