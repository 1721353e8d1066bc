/** What a fetch has to send of an entity for its subgraph to know it: key, and fields that it requires. */
import type { QueryPlanSelectionNode } from '@apollo/query-planner';
import type { GraphQLSchema } from 'graphql';
import { isOfType } from './rewrites.ts';

type Json = Record<string, unknown>;

/** The representation of an object; `undefined` where the object lacks what it needs. */
export type Represent = (object: Readonly<Json>) => Json | undefined;

export function compileRepresentation(
  requires: readonly QueryPlanSelectionNode[],
  schema: GraphQLSchema,
): Represent {
  const select = compileSelection(requires, schema);
  return (object) => {
    const representation: Json = {};
    return select(object, representation) && representation.__typename ? representation : undefined;
  };
}

/** The names at the top of a representation. */
export function requiredFields(requires: readonly QueryPlanSelectionNode[]): string[] {
  return requires.flatMap((each) =>
    each.kind === 'Field' ? [each.alias ?? each.name] : requiredFields(each.selections),
  );
}

/** Copies into `into`; false where something is missing. */
type Select = (object: Readonly<Json>, into: Json) => boolean;

function compileSelection(selections: readonly QueryPlanSelectionNode[], schema: GraphQLSchema): Select {
  const each = selections.map((selection): Select => {
    if (selection.kind === 'Field') {
      const name = selection.alias ?? selection.name;
      const inner = selection.selections && compileSelection(selection.selections, schema);
      return (object, into) => {
        const value = Object.hasOwn(object, name) ? object[name] : undefined;
        if (value === undefined) return false;
        const copied = inner ? copy(value, inner) : value;
        if (copied === undefined) return false;
        into[name] = name in into ? combine(into[name], copied) : copied;
        return true;
      };
    }
    const inner = compileSelection(selection.selections, schema);
    const { typeCondition } = selection;
    if (typeCondition === undefined) return inner;
    return (object, into) => !isOfType(schema, object, typeCondition) || inner(object, into);
  });
  return (object, into) => {
    for (const select of each) if (!select(object, into)) return false;
    return true;
  };
}

function copy(value: unknown, select: Select): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) {
    const list = value.map((entry) => copy(entry, select));
    return list.includes(undefined) ? undefined : list;
  }
  const into: Json = {};
  return typeof value === 'object' && select(value as Json, into) ? into : undefined;
}

/** One field selected at two places, by fragments on several types. */
function combine(one: unknown, other: unknown): unknown {
  if (Array.isArray(one) && Array.isArray(other))
    return one.map((each, index) => combine(each, other[index]));
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return other;
  return { ...one, ...other };
}
