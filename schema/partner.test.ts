/** The partners' contract as it is committed: what the gateway loads for whoever shows an API key. */
import { readdirSync, readFileSync } from 'node:fs';
import { operationFromDocument, Supergraph } from '@apollo/federation-internals';
import { QueryPlanner } from '@apollo/query-planner';
import {
  type ASTNode,
  type GraphQLField,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  parse,
  validate,
} from 'graphql';
import { projectRoot } from '#shared/runtime/rover.ts';
import { contractApi, contractOf } from './contract.ts';
import type { ContractRelease } from './contract-changes.ts';

const read = (path: string): string => readFileSync(`${projectRoot}schema/${path}`, 'utf8');

const contract = read('partner.graphql');
const api = contractApi(contract);
const seen: GraphQLSchema = api.toGraphQLJSSchema();
const whole = parse(read('supergraph.graphql'));
const operations = parse(read('operations/partner.graphql'));

const named = Object.values(seen.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);
const fieldsOf = (type: (typeof named)[number]): GraphQLField<unknown, unknown>[] =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];

const isTagged = (node: ASTNode): boolean =>
  'directives' in node &&
  (node.directives ?? []).some(
    ({ name, arguments: given }) =>
      name.value === 'tag' && given?.some(({ value }) => 'value' in value && value.value === 'partner'),
  );

test('it is what the supergraph says', () => {
  expect(contract.trim()).toBe(contractOf(read('supergraph.graphql'), 'partner').trim());
});

test.each(named.map((type) => [type.name, type] as const))(
  '%s and all that is seen of it was tagged for partners',
  (name, type) => {
    const node = whole.definitions.find(
      (each) => 'name' in each && each.name?.value === name && each.kind.endsWith('TypeDefinition'),
    )!;
    const own = 'fields' in node ? (node.fields ?? []) : [];
    if (fieldsOf(type).length === 0) expect(isTagged(node)).toBe(true);
    for (const { name: field } of fieldsOf(type))
      expect(isTagged(node) || isTagged(own.find((each) => each.name.value === field)!)).toBe(true);
  },
);

test('everything in it is described', () => {
  const bare: string[] = [];
  const note = (what: string, { description }: { description?: string | null | undefined }): void => {
    if (!description?.trim()) bare.push(what);
  };
  for (const type of named) {
    const isRoot = [seen.getQueryType(), seen.getSubscriptionType()].includes(type as never);
    if (!isRoot) note(type.name, type);
    for (const field of fieldsOf(type)) {
      note(`${type.name}.${field.name}`, field);
      for (const argument of field.args) note(`${type.name}.${field.name}(${argument.name}:)`, argument);
    }
    if (isInputObjectType(type))
      for (const field of Object.values(type.getFields())) note(`${type.name}.${field.name}`, field);
    if (isEnumType(type)) for (const value of type.getValues()) note(`${type.name}.${value.name}`, value);
  }
  expect(bare).toEqual([]);
});

test('nobody’s person, money, messages or papers are in it, and nothing can be changed', () => {
  expect(seen.getMutationType()).toBeUndefined();
  for (const type of [
    'User',
    'Payment',
    'Payout',
    'EscrowEntry',
    'PayeeBalance',
    'LedgerEntry',
    'Notification',
    'File',
    'Recipient',
    'ContactDetails',
    'CustomsDeclaration',
    'QrCode',
    'HandoffStep',
    'Partner',
    'ApiKey',
    'Session',
  ]) {
    expect(whole.definitions.some((node) => 'name' in node && node.name?.value === type)).toBe(true);
    expect(seen.getType(type)).toBeUndefined();
  }
});

test('it says nothing of fields that partners do not see', () => {
  const mentioned = named
    .flatMap((type) => fieldsOf(type).flatMap((field) => [field, ...field.args]))
    .flatMap(({ description }) => [...(description ?? '').matchAll(/`([a-z][A-Za-z]+)`/g)])
    .map(([, word]) => word!);
  const known = new Set(
    named
      .flatMap((type) => fieldsOf(type))
      .flatMap((field) => [field.name, ...field.args.map(({ name }) => name)]),
  );
  expect(mentioned.filter((word) => !known.has(word))).toEqual([]);
});

test('a live subscription is in it, and can be resumed', () => {
  const { trackingEvents } = seen.getSubscriptionType()!.getFields();
  expect(trackingEvents!.args.map(({ name }) => name)).toContain('after');
  expect(Object.keys((seen.getType('TrackingEvent') as { getFields(): object }).getFields())).toContain(
    'cursor',
  );
});

test('the example operations fit it, and no other operation of a client application slips through with them', () => {
  expect(validate(seen, operations)).toEqual([]);
  const others = readdirSync(`${projectRoot}schema/operations`)
    .filter((file) => file.endsWith('.graphql') && file !== 'partner.graphql')
    .map((file) => parse(read(`operations/${file}`)));
  for (const document of others) expect(validate(seen, document)).not.toEqual([]);
});

test.each(
  operations.definitions.flatMap((node) => (node.kind === 'OperationDefinition' ? [node.name!.value] : [])),
)('%s can be planned', (operationName) => {
  const supergraph = Supergraph.build(contract);
  const operation = operationFromDocument(api, operations, { operationName });
  const { node } = new QueryPlanner(supergraph).buildQueryPlan(operation);
  expect(node).toBeDefined();
});

test('its change log begins with its first version, newest first, each with a note and a day', () => {
  const releases = JSON.parse(read('partner-changes.json')) as ContractRelease[];
  expect(releases.length).toBeGreaterThan(0);
  for (const { date, note, changes } of releases) {
    expect(date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(note.trim()).not.toBe('');
    expect(changes.length).toBeGreaterThan(0);
  }
  const dates = releases.map(({ date }) => date);
  expect(dates).toEqual(dates.toSorted().toReversed());
  const first = releases.at(-1)!.changes.map(({ what }) => what);
  expect(first).toContain('Query.searchRoutes');
  expect(first).toContain('Subscription.trackingEvents');
});
