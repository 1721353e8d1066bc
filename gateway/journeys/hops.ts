/**
 * Every question that the schema lets anybody ask: from each field of Query through every federated hop, written
 * from schema/api.graphql itself, so that a field that is added tomorrow is asked too.
 */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  parse,
} from 'graphql';

export type Question = TypedDocumentNode<Record<string, unknown>, Record<string, unknown>>;

export interface Asked {
  readonly name: string;
  readonly document: Question;
  readonly variables: Record<string, unknown>;
}

/** Levels of objects below the first; deep enough for `itinerary.legs.booking`. */
const DEPTH = 2;
/** Of one document, well below what the gateway takes. */
const FIELDS = 250;

/** Public reference data, and what is no object of the trade. */
const dull = new Set(['Location', 'Money', 'PageInfo', 'CourierSegment']);

/** `args` gives values by `field.argument`; a field whose arguments are not all there is named in `left`. */
export function questions(
  schema: GraphQLSchema,
  args: Readonly<Record<string, unknown>>,
): { asked: Asked[]; left: string[] } {
  const left: string[] = [];
  const asked: Asked[] = [];
  for (const field of Object.values(schema.getQueryType()!.getFields())) {
    const given = field.args.filter(({ name }) => `${field.name}.${name}` in args);
    if (field.args.some((arg) => isRequiredArgument(arg) && !given.includes(arg))) {
      left.push(field.name);
      continue;
    }
    const head = given.length > 0 ? `(${given.map((arg) => `$${arg.name}: ${arg.type}`).join(', ')})` : '';
    const call = given.length > 0 ? `(${given.map(({ name }) => `${name}: $${name}`).join(', ')})` : '';
    const variables = Object.fromEntries(given.map(({ name }) => [name, args[`${field.name}.${name}`]]));
    const type = getNamedType(field.type);
    const bodies = isObjectType(type) ? selections(type) : [''];
    for (const body of bodies) {
      const document = parse(`query ${head} { ${field.name}${call} ${body} }`) as Question;
      asked.push({ name: field.name, document, variables });
    }
  }
  return { asked, left };
}

/** Selections that together cover everything below a type, none of them much longer than `FIELDS`. */
function selections(type: GraphQLObjectType, path: readonly string[] = []): string[] {
  const fields = Object.values(type.getFields()).filter(({ args }) => !args.some(isRequiredArgument));
  const leaves = fields.filter(({ type: of }) => isLeafType(getNamedType(of))).map(({ name }) => name);
  const own = ['__typename', ...leaves].join(' ');
  const bodies = [own];
  for (const part of fields.flatMap((field) => below(field, [...path, type.name]))) {
    const longer = `${bodies.at(-1)} ${part}`;
    if (longer.split(' ').length > FIELDS && bodies.at(-1) !== own) bodies.push(`${own} ${part}`);
    else bodies[bodies.length - 1] = longer;
  }
  return bodies.map((body) => `{ ${body} }`);
}

/** A field of objects with what is below it; nothing where the way leads back or too far. */
function below(field: GraphQLField<unknown, unknown>, path: readonly string[]): string[] {
  const type = getNamedType(field.type);
  if (!isObjectType(type) || dull.has(type.name) || path.includes(type.name) || path.length > DEPTH)
    return [];
  return selections(type, path).map((body) => `${field.name} ${body}`);
}
