/** Results in words: a table per group, and what failed. */
import type { CaseResult, Outcome } from './runner.ts';

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly 'not applicable': number;
}

export function totalsOf(results: readonly CaseResult[]): Totals {
  const count = (outcome: Outcome) => results.filter((result) => result.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), 'not applicable': count('not applicable') };
}

export function tableOf(results: readonly CaseResult[]): string {
  const groups = [...new Set(results.map(({ group }) => group))];
  const rows = groups.map((name) => [name, totalsOf(results.filter(({ group }) => group === name))] as const);
  const line = (name: string, passed: unknown, failed: unknown, other: unknown) =>
    `${name.padEnd(14)}${[passed, failed, other].map((cell) => String(cell).padStart(16)).join('')}`;
  return [
    line('group', 'passed', 'failed', 'not applicable'),
    ...[...rows, ['total', totalsOf(results)] as const].map(([name, totals]) =>
      line(name, totals.passed, totals.failed, totals['not applicable']),
    ),
  ].join('\n');
}

export function lineOf({ id, title, outcome, milliseconds, message }: CaseResult): string {
  const sign = { passed: 'ok  ', failed: 'FAIL', 'not applicable': ' -  ' }[outcome];
  const why =
    outcome === 'passed' || !message ? '' : `\n       ${message.split('\n').slice(0, 12).join('\n       ')}`;
  return `${sign} ${id} (${milliseconds} ms): ${title}${why}`;
}
