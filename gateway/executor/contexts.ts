/**
 * `@context` and `@fromContext`: arguments of a fetch that come from objects above its entities. Entities are
 * grouped by the values that they see, since a fetch has one value for each of its variables.
 */
import type { FetchDataKeyRenamer } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { isOfType } from './rewrites.ts';

type Json = Record<string, unknown>;

interface Seen {
  readonly objects: Json[];
  /** Values by the names of the fetch's variables. */
  readonly variables: Readonly<Json>;
}

export type Context = (root: Json) => readonly Seen[];

export function compileContexts(
  renamers: readonly FetchDataKeyRenamer[] | undefined,
  path: readonly (string | number)[],
  schema: GraphQLSchema,
): Context | undefined {
  if (!renamers || renamers.length === 0) return undefined;
  const names = path.map(String).filter((step) => !step.startsWith('@') && !step.startsWith('|'));
  const readers = renamers.map((renamer) => ({
    name: renamer.renameKeyTo,
    up: renamer.path.filter((step) => step === '..').length,
    read: compileRead(
      renamer.path.filter((step) => step !== '..'),
      schema,
    ),
  }));
  return (root) => {
    const groups = new Map<string, Seen>();
    eachWithAncestors(root, names, [root], (object, ancestors) => {
      const variables: Json = {};
      for (const { name, up, read } of readers) {
        const value = read(ancestors[ancestors.length - 1 - up]);
        if (value !== undefined && variables[name] === undefined) variables[name] = value;
      }
      const key = JSON.stringify(variables);
      const group = groups.get(key);
      if (group) group.objects.push(object);
      else groups.set(key, { objects: [object], variables });
    });
    return [...groups.values()];
  };
}

/** `ancestors` ends with the object itself. */
function eachWithAncestors(
  value: unknown,
  names: readonly string[],
  ancestors: readonly Json[],
  visit: (object: Json, ancestors: readonly Json[]) => void,
): void {
  const [name, ...rest] = names;
  if (name === undefined) {
    visit(value as Json, ancestors);
    return;
  }
  const [bare = ''] = name.split('|', 1);
  const descend = (inner: unknown): void => {
    if (Array.isArray(inner)) for (const each of inner) descend(each);
    else if (typeof inner === 'object' && inner !== null)
      eachWithAncestors(inner, rest, [...ancestors, inner as Json], visit);
  };
  if (Object.hasOwn(value as Json, bare)) descend((value as Json)[bare]);
}

const FRAGMENT = '... on ';

function compileRead(path: readonly string[], schema: GraphQLSchema): (value: unknown) => unknown {
  return path.reduceRight<(value: unknown) => unknown>(
    (inner, step) => {
      const read = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(read);
        if (typeof value !== 'object' || value === null) return value === null ? null : undefined;
        if (step.startsWith(FRAGMENT))
          return isOfType(schema, value as Json, step.slice(FRAGMENT.length), true)
            ? inner(value)
            : undefined;
        return Object.hasOwn(value, step) ? inner((value as Json)[step]) : undefined;
      };
      return read;
    },
    (value) => value,
  );
}
