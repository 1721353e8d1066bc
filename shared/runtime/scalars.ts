/** The scalars of schema/common.graphql, for every subgraph's resolver map. */
import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';

const bad = (what: string): GraphQLError =>
  new GraphQLError(what, { extensions: { code: 'BAD_USER_INPUT' } });

const written = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

function parseInstant(value: unknown): Date {
  const [, year, month, day] = (typeof value === 'string' && written.exec(value)) || [];
  // `Date` would take the 30th of February for the 2nd of March; PostgreSQL knows no year 0.
  const exists =
    Number(day) <= new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  const date = new Date(exists ? String(value) : Number.NaN);
  if (!(date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999))
    throw bad('A DateTime is ISO 8601 with a zone, for example 2026-11-22T21:00:00.000Z');
  return date;
}

const largest = 2n ** 63n - 1n;

/** What clients send must fit PostgreSQL's `bigint`; what we send may be of any size. */
function parseBigInt(value: unknown): bigint {
  const digits = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  const number = typeof digits === 'string' && /^-?\d{1,19}$/.test(digits) ? BigInt(digits) : undefined;
  if (number === undefined || number > largest || number < -largest)
    throw bad('A BigInt is a string of decimal digits, at most 9223372036854775807 either way');
  return number;
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
