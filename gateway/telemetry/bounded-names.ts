/** Names that others choose, made fit for labels: few of them, and of a known form. */

/** What does not fit. */
export const OTHER = 'other';

export class BoundedNames {
  readonly #form: RegExp;
  readonly #most: number;
  readonly #names: Set<string>;

  /** Only `names`; or, without any, the first `most` that come. */
  constructor(form: RegExp, { names, most }: { names?: Iterable<string>; most?: number }) {
    this.#form = form;
    this.#names = new Set(names);
    this.#most = most ?? 0;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#most || !this.#form.test(name)) return OTHER;
    this.#names.add(name);
    return name;
  }
}

const NAMED = /\b(?:query|mutation|subscription)\s+([_A-Za-z]\w*)/g;

/** Names of the operations in some documents. */
export const operationNames = (documents: Iterable<string>): string[] =>
  [...documents].flatMap((text) => [...text.matchAll(NAMED)].map(([, name]) => name ?? ''));
