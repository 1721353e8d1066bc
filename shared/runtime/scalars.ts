/** The scalars of schema/common.graphql, for every subgraph's resolver map. */
import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';

const bad = (what: string): GraphQLError =>
  new GraphQLError(what, { extensions: { code: 'BAD_USER_INPUT' } });

function parseInstant(value: unknown): Date {
  const date =
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(value)
      ? new Date(value)
      : undefined;
  if (!date || Number.isNaN(date.getTime()))
    throw bad('A DateTime is ISO 8601 with a zone, for example 2026-11-22T21:00:00.000Z');
  return date;
}

function parseBigInt(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d{1,30}$/.test(value)) return BigInt(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw bad('A BigInt is a string of decimal digits');
}

export const scalars = {
  DateTime: new GraphQLScalarType<Date, string>({
    name: 'DateTime',
    serialize: (value) => (value instanceof Date ? value : new Date(String(value))).toISOString(),
    parseValue: parseInstant,
    parseLiteral: (node) => parseInstant(node.kind === Kind.STRING ? node.value : undefined),
  }),
  BigInt: new GraphQLScalarType<bigint, string>({
    name: 'BigInt',
    serialize: (value) => BigInt(value as bigint | number | string).toString(),
    parseValue: parseBigInt,
    parseLiteral: (node) =>
      parseBigInt(node.kind === Kind.STRING || node.kind === Kind.INT ? node.value : undefined),
  }),
};
