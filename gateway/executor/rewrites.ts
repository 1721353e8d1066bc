/** Renames and constants that the planner asks for on what goes to a subgraph or comes from it. */
import type { FetchDataRewrite } from '@apollo/query-planner';
import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql';

type Json = Record<string, unknown>;
export type Rewrite = (value: unknown) => void;

/** Whether an object, by its `__typename`, is of a type; `otherwise` where it does not say. */
export function isOfType(
  schema: GraphQLSchema,
  object: Readonly<Json>,
  name: string,
  otherwise = false,
): boolean {
  const typename = object.__typename;
  if (typename === undefined || typename === null) return otherwise;
  if (typename === name) return true;
  const type = schema.getType(String(typename));
  const condition = schema.getType(name);
  return isAbstractType(condition) && (isObjectType(type) || isInterfaceType(type))
    ? schema.isSubType(condition, type)
    : false;
}

/** One function for all rewrites of a fetch; `undefined` where there is none. */
export function compileRewrites(
  rewrites: readonly FetchDataRewrite[] | undefined,
  schema: GraphQLSchema,
): Rewrite | undefined {
  if (!rewrites || rewrites.length === 0) return undefined;
  const each = rewrites.map((rewrite) => compileRewrite(rewrite, schema));
  return (value) => {
    for (const rewrite of each) rewrite(value);
  };
}

const FRAGMENT = '... on ';

function compileRewrite(rewrite: FetchDataRewrite, schema: GraphQLSchema): Rewrite {
  const field = rewrite.path.at(-1) ?? '';
  const at: Rewrite = (value) => {
    const object = value as Json;
    if (rewrite.kind === 'ValueSetter') object[field] = rewrite.setValueTo;
    else if (Object.hasOwn(object, field)) {
      object[rewrite.renameKeyTo] = object[field];
      delete object[field];
    }
  };
  return rewrite.path.slice(0, -1).reduceRight<Rewrite>((inner, step) => {
    const below: Rewrite = step.startsWith(FRAGMENT)
      ? (value) => {
          if (isOfType(schema, value as Json, step.slice(FRAGMENT.length), true)) inner(value);
        }
      : (value) => {
          if (Object.hasOwn(value as Json, step)) inner((value as Json)[step]);
        };
    return throughLists(below);
  }, throughLists(at));
}

function throughLists(rewrite: Rewrite): Rewrite {
  const through: Rewrite = (value) => {
    if (Array.isArray(value)) for (const each of value) through(each);
    else if (typeof value === 'object' && value !== null) rewrite(value);
  };
  return through;
}
