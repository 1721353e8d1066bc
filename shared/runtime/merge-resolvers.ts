import type { Resolvers } from './graph.ts';

/** Joins the resolver maps of a subgraph's services; two answers to one field are a fault of the code. */
export function mergeResolvers(...maps: readonly object[]): Resolvers {
  const merged: Record<string, unknown> = {};
  for (const map of maps) {
    for (const [type, fields] of Object.entries(map)) {
      const known = merged[type];
      if (known === undefined) {
        merged[type] = fields;
        continue;
      }
      const twice = Object.keys(fields).find((field) => Object.hasOwn(known as object, field));
      if (twice) throw new Error(`${type}.${twice} is resolved twice`);
      merged[type] = { ...(known as object), ...fields };
    }
  }
  return merged;
}
