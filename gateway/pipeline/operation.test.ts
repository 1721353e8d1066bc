import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { buildSchema, type GraphQLSchema, getIntrospectionQuery, parse, validate } from 'graphql';
import type { Environment } from '#shared/runtime/config.ts';
import { projectRoot } from '#shared/runtime/rover.ts';
import { readGatewayConfig } from '../gateway.config.ts';
import { policyOf } from '../policy/testing/policy.ts';
import { supergraphOf } from '../policy/testing/supergraph.ts';
import type { Graph } from '../supergraph.ts';
import { documentLimits } from './limits.ts';
import { type AdmittedOperation, admitOperation } from './operation.ts';

const schema = supergraphOf(`
  type Query {
    a: Int
    b(first: Int): [B!]! @listSize(slicingArguments: ["first"], assumedSize: 5, requireOneSlicingArgument: false)
    mine: Int @authenticated
  }
  type B { b(first: Int): [B!]!  c: Int }
  type Mutation { m(of: Int): Int }
  type Subscription { s: Int }
`);
const graphOf = (supergraphSchema: GraphQLSchema) =>
  ({ id: 'g', schema: supergraphSchema, supergraphSchema }) as unknown as Graph;
const graph = graphOf(schema);

type Asked = Parameters<typeof admitOperation>[2];

async function admit(request: Asked, env: Environment = {}): Promise<AdmittedOperation | string[]> {
  await using policy = policyOf({ env });
  const caller = await policy.identify({ authorization: undefined, apiKey: undefined, address: '::1' });
  const answer = await admitOperation(policy, graph, request, caller);
  return 'operation' in answer ? answer : answer.map(({ extensions }) => String(extensions.code));
}

test('a valid request is an operation with its cost and what is denied of it', async () => {
  const answer = await admit({
    query: 'query One { a } query Two($n: Int) { b(first: $n) { c } mine }',
    operationName: 'Two',
    variables: { n: 3 },
  });
  expect(answer).toMatchObject({ cost: 3, variables: { n: 3 }, operation: { name: { value: 'Two' } } });
  const { denied } = answer as AdmittedOperation;
  expect([...denied].map(({ name }) => name.value)).toEqual(['mine']);
});

const deep = (depth: number) => `{ ${'b { '.repeat(depth - 1)}c${' }'.repeat(depth - 1)} }`;
const bomb = `query { ...F0 } ${Array.from(
  { length: 25 },
  (_, index) => `fragment F${index} on Query { ...F${index + 1} ...F${index + 1} }`,
).join(' ')} fragment F25 on Query { a }`;
const wide = Array.from({ length: 31 }, (_, index) => `x${index}: a`).join(' ');

test.each<[string, Asked, string]>([
  ['no document', {}, 'DOCUMENT_MISSING'],
  ['a syntax error', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
  ['too many tokens', { query: `{ ${'a '.repeat(1_000)} }` }, 'GRAPHQL_PARSE_FAILED'],
  ['an unknown field', { query: '{ z }' }, 'GRAPHQL_VALIDATION_FAILED'],
  ['an unknown operation', { query: '{ a }', operationName: 'X' }, 'OPERATION_RESOLUTION_FAILURE'],
  ['a wrong variable', { query: 'query ($n: Int!) { b(first: $n) { c } }' }, 'BAD_USER_INPUT'],
  [
    'a conditional subscription',
    { query: 'subscription { s @skip(if: true) }' },
    'SUBSCRIPTION_ROOT_CONDITION',
  ],
  ['depth', { query: deep(16) }, 'GRAPHQL_VALIDATION_FAILED'],
  ['a fragment bomb', { query: bomb }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'fragments in a circle',
    { query: '{ ...F } fragment F on Query { a ...F }' },
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['aliases', { query: `{ ${wide} }` }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'aliases of nothing',
    { query: `{ ${wide.replaceAll(': a', ': __typename')} }` },
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'root fields of a mutation',
    { query: 'mutation { a: m b: m c: m d: m e: m f: m g: m h: m i: m j: m k: m }' },
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['directives', { query: `{ a ${'@include(if: true) '.repeat(21)} }` }, 'GRAPHQL_VALIDATION_FAILED'],
  ['unknown directives', { query: `{ a ${'@x'.repeat(30)} }` }, 'GRAPHQL_VALIDATION_FAILED'],
  ['a page too long', { query: '{ b(first: 101) { c } }' }, 'BAD_USER_INPUT'],
  ['a page of less than nothing', { query: '{ b(first: -1) { c } }' }, 'BAD_USER_INPUT'],
  ['a page beyond 32 bits', { query: '{ b(first: 2147483648) { c } }' }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'a page too long in a variable',
    { query: 'query ($n: Int) { b(first: $n) { c } }', variables: { n: 101 } },
    'BAD_USER_INPUT',
  ],
  [
    'lists in lists',
    { query: '{ b(first: 100) { b(first: 100) { b(first: 100) { c } } } }' },
    'OPERATION_TOO_EXPENSIVE',
  ],
])('%s is refused with a code', async (_, request, code) => {
  const started = performance.now();
  expect(new Set((await admit(request)) as string[])).toEqual(new Set([code]));
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('what is at the limit will do', async () => {
  for (const query of [
    deep(15),
    `{ ${wide.replace('x30: a', '')} }`,
    'mutation { a: m b: m c: m d: m e: m f: m g: m h: m i: m j: m }',
  ])
    expect(await admit({ query }, { MAX_COST: '1000000000000000' })).toMatchObject({ denied: new Set() });
});

test('the schema can be asked for outside production, and not in it', async () => {
  const query = getIntrospectionQuery();
  expect(await admit({ query })).toMatchObject({ cost: 0 });
  expect(await admit({ query }, { PRODUCTION: 'true' })).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  const hidden = '{ a ...F } fragment F on Query { x: __type(name: "B") { name } }';
  expect(await admit({ query: hidden }, { PRODUCTION: 'true' })).toEqual(['GRAPHQL_VALIDATION_FAILED']);
});

test('one too many in a minute is told when to come back', async () => {
  await using policy = policyOf({
    env: { ANONYMOUS_REQUESTS_PER_MINUTE: '3', ANONYMOUS_COST_PER_MINUTE: '1000' },
  });
  const caller = await policy.identify({ authorization: undefined, apiKey: undefined, address: '::1' });
  const ask = () => admitOperation(policy, graph, { query: '{ nonsense }' }, caller);
  for (let count = 0; count < 3; count += 1) {
    expect(await ask()).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
    await breathe();
  }
  expect(await ask()).toMatchObject([
    {
      extensions: {
        code: 'RATE_LIMITED',
        details: { retryAfterSeconds: expect.any(Number) },
        http: { status: 429, headers: new Map([['retry-after', expect.stringMatching(/^\d+$/)]]) },
      },
    },
  ]);
});

test('what costs more than is left in the minute is refused', async () => {
  await using policy = policyOf({ env: { ANONYMOUS_COST_PER_MINUTE: '100' } });
  const caller = await policy.identify({ authorization: undefined, apiKey: undefined, address: '::1' });
  const ask = () => admitOperation(policy, graph, { query: '{ b(first: 60) { c } }' }, caller);
  expect(await ask()).toMatchObject({ cost: 60 });
  expect(await ask()).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
});

test('a known text is neither parsed nor validated again, and another version of the schema does both', async () => {
  await using policy = policyOf();
  const caller = await policy.identify({ authorization: undefined, apiKey: undefined, address: '::1' });
  const ask = async (from: Graph) => {
    const answer = await admitOperation(policy, from, { query: '{ a }' }, caller);
    return (answer as AdmittedOperation).document;
  };
  expect(await ask(graph)).toBe(await ask(graph));
  expect(await ask(graphOf(schema))).not.toBe(await ask(graph));
});

test('what client applications send uses less than half of each limit', () => {
  const { MAX_TOKENS, ...limits } = readGatewayConfig({});
  const half = documentLimits({
    MAX_DEPTH: limits.MAX_DEPTH / 2,
    MAX_ALIASES: limits.MAX_ALIASES / 2,
    MAX_DIRECTIVES: limits.MAX_DIRECTIVES / 2,
    MAX_SELECTIONS: limits.MAX_SELECTIONS / 2,
    MAX_MUTATION_FIELDS: limits.MAX_MUTATION_FIELDS / 2,
  });
  const api = buildSchema(readFileSync(join(projectRoot, 'schema/api.graphql'), 'utf8'));
  const file = readFileSync(join(projectRoot, 'schema/trusted-documents.json'), 'utf8');
  const texts = Object.values(JSON.parse(file) as Record<string, string>);
  expect(texts.length).toBeGreaterThan(50);
  for (const text of texts)
    expect(validate(api, parse(text, { maxTokens: MAX_TOKENS / 2 }), [half])).toEqual([]);
});
