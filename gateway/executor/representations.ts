/** What a fetch has to send of an entity for its subgraph to know it: key, and fields that it requires. */
import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { isOfType } from './rewrites.ts';

type Json = Record<string, unknown>;

/** The representation of an object; `undefined` where the object has nothing to be known by. */
export type Represent = (object: Readonly<Json>) => Json | undefined;

export function compileRepresentation(
  requires: readonly QueryPlanSelectionNode[],
  schema: GraphQLSchema,
): Represent {
  const select = compileSelection(requires, schema);
  return (object) => {
    const representation: Json = {};
    select(object, representation);
    if (!representation.__typename) return undefined;
    for (const name in representation) if (name !== '__typename') return representation;
    return undefined;
  };
}

/** The names at the top of a representation. */
export function requiredFields(requires: readonly QueryPlanSelectionNode[]): string[] {
  return requires.flatMap((each) =>
    each.kind === 'Field' ? [each.alias ?? each.name] : requiredFields(each.selections),
  );
}

/**
 * Copies into `into`. What the object does not have is left out: a plan names all keys and required fields that any
 * of the fetch's objects has, and some come under a condition or for one type alone.
 */
type Select = (object: Readonly<Json>, into: Json) => void;

function compileSelection(selections: readonly QueryPlanSelectionNode[], schema: GraphQLSchema): Select {
  const each = selections.map((selection): Select => {
    if (selection.kind === 'Field') {
      const name = selection.alias ?? selection.name;
      const inner = selection.selections && compileSelection(selection.selections, schema);
      return (object, into) => {
        const value = Object.hasOwn(object, name) ? object[name] : undefined;
        if (value === undefined) return;
        const copied = inner ? copy(value, inner) : value;
        into[name] = name in into ? combine(into[name], copied) : copied;
      };
    }
    const inner = compileSelection(selection.selections, schema);
    const { typeCondition } = selection;
    if (typeCondition === undefined) return inner;
    return (object, into) => {
      if (isOfType(schema, object, typeCondition)) inner(object, into);
    };
  });
  const [only] = each;
  if (only && each.length === 1) return only;
  return (object, into) => {
    for (const select of each) select(object, into);
  };
}

function copy(value: unknown, select: Select): unknown {
  if (Array.isArray(value)) return value.map((entry) => copy(entry, select));
  if (typeof value !== 'object' || value === null) return null;
  const into: Json = {};
  select(value as Json, into);
  return into;
}

/** One field selected at two places, by fragments on several types. */
function combine(one: unknown, other: unknown): unknown {
  if (Array.isArray(one) && Array.isArray(other))
    return one.map((each, index) => combine(each, other[index]));
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return other;
  return { ...one, ...other };
}
