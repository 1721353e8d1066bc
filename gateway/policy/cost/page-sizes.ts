/** Refuses pages that nobody may ask for, whether written in the document or given by a variable. */
import type { Variables } from './amount.ts';
import { type Reading, valueAt } from './arguments.ts';
import type { ListSize } from './list-sizes.ts';

export type PageCheck = (variables: Variables) => boolean;

export class PageSizes {
  readonly #greatest: number;

  constructor(greatest: number) {
    this.#greatest = greatest;
  }

  /** Whether a field's page sizes will do; `null` where it has none. */
  check({ pages, slicing, one }: ListSize, readings: ReadonlyMap<string, Reading>): PageCheck | null {
    if (pages.length === 0) return null;
    const paths = pages.map((path) => path.split('.'));
    const fits: PageCheck = (variables) => {
      const asked = paths.map((path) => valueAt(readings, path, variables) ?? null);
      // The slicing arguments come first among the pages.
      const slices = asked.slice(0, slicing.length).filter((each) => each !== null);
      if (one && slices.length !== 1) return false;
      return asked.every((each) => each === null || this.#fits(each));
    };
    const moves = paths.some(([name]) => readings.get(name!)?.fixed === false);
    if (moves) return fits;
    const always = fits({});
    return always ? null : () => false;
  }

  #fits(size: unknown): boolean {
    return typeof size === 'number' && size >= 0 && size <= this.#greatest;
  }
}
