/** Where in the gathered data a fetch reads its keys and puts its answer: a path through objects and lists. */
import type { GraphQLSchema } from 'graphql';
import { isOfType } from './rewrites.ts';

type Json = Record<string, unknown>;

/** Adds every object at the end of the path to `found`. */
export type FindTargets = (root: Json, found: Json[]) => void;

/**
 * A path as planners write it: response names, `@` for each list, and where a step is meant for some types only
 * `name|[A,B]` or `|[A,B]`.
 */
export function compilePath(path: readonly (string | number)[], schema: GraphQLSchema): FindTargets {
  return path.reduceRight<FindTargets>((next, step) => {
    const [, name = '', types] = /^([^|]*)(?:\|\[(.*)\])?$/.exec(String(step)) ?? [];
    const onlyFor = types?.split(',').map((each) => each.trim());
    const typed: FindTargets = onlyFor
      ? (object, found) => {
          if (onlyFor.some((type) => isOfType(schema, object, type))) next(object, found);
        }
      : next;
    // Lists are walked wherever they are, so `@` itself has nothing left to do.
    if (name === '' || name === '@') return typed;
    return (object, found) => {
      if (Object.hasOwn(object, name)) descend(object[name], typed, found);
    };
  }, collect);
}

const collect: FindTargets = (object, found) => {
  found.push(object);
};

function descend(value: unknown, next: FindTargets, found: Json[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) for (const each of value) descend(each, next, found);
  else next(value as Json, found);
}
