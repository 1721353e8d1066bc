/**
 * How one value of an answer is completed: checked against its type, with the specification's rules for nulls. A
 * value that cannot be is `LOST`: null where it may be null, and otherwise the loss of what holds it.
 */
import {
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLOutputType,
  isEnumType,
  isNonNullType,
} from 'graphql';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { MAX_ERRORS, type Notes } from './notes.ts';

export const SUBGRAPH_RESPONSE_INVALID = 'SUBGRAPH_RESPONSE_INVALID';
export const UNAUTHORIZED_FIELD_OR_TYPE = 'UNAUTHORIZED_FIELD_OR_TYPE';

type Json = Record<string, unknown>;

/** A value that must be null and whose error is told already. */
export const LOST = Symbol('lost');

/** State of one shaping. */
export interface Shaping {
  readonly notes: Notes;
  readonly errors: GraphQLError[];
  readonly clientNames: ReadonlyMap<string, string>;
  /** Of the value at hand, from the root of the response. */
  readonly path: (string | number)[];
}

export type Complete = (value: unknown, shaping: Shaping) => unknown;

export interface ShapedField {
  /** What the client calls it. */
  readonly name: string;
  /** Where its value lies in the data. */
  readonly dataName: string;
  readonly complete: Complete;
  /** Its name means something on every object, so only an own property is the value. */
  readonly guarded: boolean;
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const ownProperty = { enumerable: true, configurable: true, writable: true };

export function completeFields(value: Json, fields: readonly ShapedField[], shaping: Shaping): unknown {
  const { path, notes } = shaping;
  const noted = notes.of(value);
  const depth = path.length;
  const shaped: Json = {};
  for (let index = 0; index < fields.length; index += 1) {
    const { name, dataName, complete, guarded } = fields[index] as ShapedField;
    const given = guarded && !Object.hasOwn(value, dataName) ? undefined : value[dataName];
    path[depth] = name;
    if (noted) noted.tell(dataName, given, path, shaping);
    const done = complete(given, shaping);
    path.length = depth;
    if (done === LOST) return LOST;
    if (guarded) Object.defineProperty(shaped, name, { value: done, ...ownProperty });
    else shaped[name] = done;
  }
  return shaped;
}

export function nonNull(complete: Complete, coordinate: string): Complete {
  return (value, shaping) => {
    if (value !== null && value !== undefined) {
      const done = complete(value, shaping);
      if (done !== null) return done;
    }
    if (!isTold(shaping))
      tell(shaping, `Cannot return null for non-nullable field ${coordinate}.`, INTERNAL_SERVER_ERROR);
    return LOST;
  };
}

/** Whether an error says already why the value at hand is null: one at its path or below. */
function isTold({ errors, path }: Shaping): boolean {
  return errors.some(({ path: of }) => path.every((step, index) => of?.[index] === step));
}

export function list(complete: Complete, coordinate: string): Complete {
  return (value, shaping) => {
    if (!Array.isArray(value)) return wrong(`a list at ${coordinate}`, shaping);
    const { path } = shaping;
    const depth = path.length;
    const shaped = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index += 1) {
      path[depth] = index;
      const done = complete(value[index], shaping);
      path.length = depth;
      if (done === LOST) return LOST;
      shaped[index] = done;
    }
    return shaped;
  };
}

const INT_LIMIT = 2 ** 31;
const scalars: Record<string, (value: unknown) => boolean> = {
  String: (value) => typeof value === 'string',
  ID: (value) => typeof value === 'string',
  Boolean: (value) => typeof value === 'boolean',
  Int: (value) => Number.isInteger(value) && (value as number) >= -INT_LIMIT && (value as number) < INT_LIMIT,
  Float: (value) => typeof value === 'number' && Number.isFinite(value),
};

export function leaf(type: GraphQLNamedType): Complete {
  const { name } = type;
  if (isEnumType(type)) {
    const values = new Set<unknown>(type.getValues().map((each) => each.name));
    return (value, shaping) => (values.has(value) ? value : wrong(name, shaping));
  }
  const isRight = scalars[name];
  // What a scalar of the schema's own looks like is its subgraph's to know.
  if (!isRight) return (value) => value;
  if (name !== 'ID') return (value, shaping) => (isRight(value) ? value : wrong(name, shaping));
  return (value, shaping) => {
    if (typeof value === 'string') return value;
    return Number.isSafeInteger(value) ? String(value) : wrong(name, shaping);
  };
}

export function denied(type: GraphQLOutputType): Complete {
  return (_value, shaping) => {
    tell(shaping, 'The field is not for this caller', UNAUTHORIZED_FIELD_OR_TYPE);
    return isNonNullType(type) ? LOST : null;
  };
}

export function wrong(expected: string, shaping: Shaping): typeof LOST {
  tell(shaping, `A subgraph answered with something else than ${expected}`, SUBGRAPH_RESPONSE_INVALID);
  return LOST;
}

function tell({ errors, path }: Shaping, message: string, code: string): void {
  if (errors.length >= MAX_ERRORS) return;
  errors.push(new GraphQLError(message, { path: [...path], extensions: { code } }));
}
