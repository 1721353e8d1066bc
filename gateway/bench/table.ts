/** Figures of several rounds, as they are printed. */

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  };
}

/** `12.3 (11.9–13.0)`. */
export function shown({ median, least, most }: Figure, digits = 0): string {
  const [middle, from, to] = [median, least, most].map((each) => each.toFixed(digits));
  return `${middle} (${from}–${to})`;
}

/** Columns as wide as they need to be; the first to the left, figures to the right. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(`  ${cells.join('   ').trimEnd()}`);
  }
}

/** One line that says whether a figure is what it should be, where it should be anything. */
export function printVerdict(
  what: string,
  value: Figure,
  target: { most?: number; least?: number },
  digits = 2,
): void {
  const { most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = target;
  const met = value.median <= most && value.median >= least;
  const aims = [
    ...(target.most === undefined ? [] : [`at most ${most}`]),
    ...(target.least === undefined ? [] : [`at least ${least}`]),
  ];
  const mark = aims.length === 0 ? ' ' : met ? '✔' : '✘';
  console.log(
    `  ${mark} ${[`${what}: ${shown(value, digits)}`, ...aims.map((aim) => `aim: ${aim}`)].join(', ')}`,
  );
}
