/** Puts what a subgraph answered into what is known already. */

type Json = Record<string, unknown>;

/**
 * Deep merge into `target`. Objects merge field by field, lists of one length entry by entry; a null never takes
 * the place of a value, since two subgraphs may share a field that only one of them knows here. Nor does the name of
 * an interface take the place of an object's type: a subgraph may know no more of it (`@interfaceObject`).
 */
export function merge(target: Json, source: Readonly<Json>, interfaces: ReadonlySet<unknown>): void {
  for (const key in source) {
    // Would reach the prototype, in a merge below even everybody's.
    if (key === '__proto__') continue;
    const incoming = source[key];
    const present = target[key];
    if (key === '__typename' && present !== undefined && !interfaces.has(present)) continue;
    if (typeof present !== 'object' || present === null) target[key] = incoming;
    else if (typeof incoming === 'object' && incoming !== null)
      target[key] = mergeValues(present, incoming, interfaces);
    else if (incoming !== null && incoming !== undefined) target[key] = incoming;
  }
}

function mergeValues(present: object, incoming: object, interfaces: ReadonlySet<unknown>): object {
  if (!Array.isArray(present)) {
    if (Array.isArray(incoming)) return incoming;
    merge(present as Json, incoming as Json, interfaces);
    return present;
  }
  if (!Array.isArray(incoming) || incoming.length !== present.length) return incoming;
  for (const [index, value] of incoming.entries()) {
    const before: unknown = present[index];
    if (typeof before !== 'object' || before === null) present[index] = value ?? before;
    else if (typeof value === 'object' && value !== null)
      present[index] = mergeValues(before, value, interfaces);
  }
  return present;
}

/** A copy that shares nothing with the original. */
export function clone<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone) as Value;
  const copy: Json = {};
  for (const key in value) if (key !== '__proto__') copy[key] = clone((value as Json)[key]);
  return copy as Value;
}
