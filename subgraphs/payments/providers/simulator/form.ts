/** Stripe's request encoding: form fields whose names nest, `metadata[operation]=…`, `expand[]=…`, `items[0][id]=…`. */
export type FormValue = string | FormTree;
/** A map and not an object, so that no field name can reach a prototype. */
export type FormTree = Map<string, FormValue>;

/** Reads a query string or a form body into a tree; `a[]` counts up as `a[0]`, `a[1]`, …; a repeated name keeps its last value. */
export function parseForm(encoded: string): FormTree {
  const tree: FormTree = new Map();
  for (const [name, value] of new URLSearchParams(encoded)) place(tree, pathOf(name), value);
  return tree;
}

function pathOf(name: string): string[] {
  const open = name.indexOf('[');
  if (open <= 0 || !name.endsWith(']')) return [name];
  return [name.slice(0, open), ...name.slice(open + 1, -1).split('][')];
}

function place(tree: FormTree, [head, ...rest]: string[], value: string): void {
  const key = head === '' ? String(tree.size) : (head ?? '');
  if (rest.length === 0) {
    tree.set(key, value);
    return;
  }
  const existing = tree.get(key);
  const branch: FormTree = existing instanceof Map ? existing : new Map();
  tree.set(key, branch);
  place(branch, rest, value);
}

/** One text for equal trees whatever the order of their fields, for comparing a repeated request with its first. */
export function canonicalForm(value: FormValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  const fields = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalForm(inner)}`).join(',')}}`;
}
