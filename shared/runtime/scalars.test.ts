import { buildSchema, type GraphQLSchema, graphql } from 'graphql';
import { scalars } from './scalars.ts';

const schema: GraphQLSchema = buildSchema(`
  scalar DateTime
  scalar BigInt
  type Query { when(at: DateTime!): DateTime! count(of: BigInt!): BigInt! }
`);
for (const [name, { serialize, parseValue, parseLiteral }] of Object.entries(scalars))
  Object.assign(schema.getType(name)!, { serialize, parseValue, parseLiteral });
const rootValue = { when: ({ at }: { at: Date }) => at, count: ({ of }: { of: bigint }) => of };

const written = (field: string, literal: string) =>
  graphql({ schema, rootValue, source: `{ it: ${field}${literal}) }` });
const sent = (field: string, type: string, value: unknown) =>
  graphql({
    schema,
    rootValue,
    source: `query ($v: ${type}!) { it: ${field}$v) }`,
    variableValues: { v: value },
  });

const dates: [unknown, string][] = [
  ['2026-11-22T21:00:00Z', '2026-11-22T21:00:00.000Z'],
  ['2026-11-22T21:00:00.123456+05:30', '2026-11-22T15:30:00.123Z'],
  ['2026-11-22T21:00Z', '2026-11-22T21:00:00.000Z'],
  ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
];
const integers: [unknown, string][] = [
  ['9223372036854775807', '9223372036854775807'],
  ['-12', '-12'],
  [12, '12'],
];

test.each(dates)('the instant %j is read as %s, written or sent', async (value, read) => {
  expect(await written('when(at: ', JSON.stringify(value))).toEqual({ data: { it: read } });
  expect(await sent('when(at: ', 'DateTime', value)).toEqual({ data: { it: read } });
});

test.each(integers)('the integer %j is read as %s, written or sent', async (value, read) => {
  expect(await written('count(of: ', JSON.stringify(value))).toEqual({ data: { it: read } });
  expect(await sent('count(of: ', 'BigInt', value)).toEqual({ data: { it: read } });
});

const badDates = [
  'tomorrow',
  '',
  '2026-11-22',
  '2026-11-22T21:00:00',
  '2026-02-29T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-10T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-01-01T25:00:00Z',
  '2026-01-01T00:00:00+99:00',
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+01:00',
  1764979200,
  true,
  null,
  ['2026-11-22T21:00:00Z'],
];
const badIntegers = [
  '',
  '1.5',
  '1e3',
  '0x10',
  ' 1',
  1.5,
  '9223372036854775808',
  '9'.repeat(40),
  true,
  null,
  {},
];

const literal = (value: unknown) => (typeof value === 'object' && value ? '{a: 1}' : JSON.stringify(value));
const cases = [
  ...badDates.map((value) => ['DateTime', 'when(at: ', value] as const),
  ...badIntegers.map((value) => ['BigInt', 'count(of: ', value] as const),
];

test.each(cases)('no %s: %j%j is a coded error, written or sent', async (type, field, value) => {
  for (const { data, errors } of [await written(field, literal(value)), await sent(field, type, value)]) {
    expect(data).toBeUndefined();
    if (value !== null) expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
    else expect(errors).toHaveLength(1);
  }
});

test('a number that JSON may have rounded is refused, though its digits are not', async () => {
  expect(await written('count(of: ', '9007199254740993')).toEqual({ data: { it: '9007199254740993' } });
  const { errors } = await sent('count(of: ', 'BigInt', 2 ** 53);
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('an integer beyond what clients may send is still answered in full', () => {
  expect(scalars.BigInt.serialize(10n ** 25n)).toBe(`1${'0'.repeat(25)}`);
});
