/**
 * Every command of the schema as somebody would send it who has learned ids that are not theirs, written from
 * schema/api.graphql itself, so that a command that is added tomorrow is tried too.
 */
import {
  GraphQLID,
  GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
} from 'graphql';
import { newId } from '#shared/kernel/ids.ts';
import { DAY } from '#shared/kernel/time.ts';
import type { Question } from './hops.ts';
import { type Json, write } from './private-parcel.ts';

export interface Command {
  readonly name: string;
  readonly document: Question;
  readonly input: GraphQLInputObjectType;
}

/** Commands that name somebody's thing by an id. */
export function commandsWithIds(schema: GraphQLSchema): Command[] {
  return commands(schema).filter(({ input }) => Object.values(input.getFields()).some(isSomebodysId));
}

/** Commands with one `input`, which is all of them by the conventions of the schema. */
export function commands(schema: GraphQLSchema): Command[] {
  return Object.values(schema.getMutationType()!.getFields()).flatMap((field) => {
    const input = getNamedType(field.args.find(({ name }) => name === 'input')?.type);
    if (!isInputObjectType(input)) return [];
    const type = getNamedType(field.type);
    const body = isObjectType(type) || 'getTypes' in type ? '{ __typename }' : '';
    const document = write(`mutation ($input: ${input.name}!) { ${field.name}(input: $input) ${body} }`);
    return [{ name: field.name, document, input }];
  });
}

/** Places are everybody's. */
const isSomebodysId = ({ name, type }: { name: string; type: GraphQLInputType }): boolean =>
  getNamedType(type) === GraphQLID && !/location|place/i.test(name);

const samples: Record<string, () => unknown> = {
  Int: () => 1,
  Float: () => 1,
  Boolean: () => true,
  BigInt: () => '1',
  DateTime: () => new Date(Date.now() + DAY).toISOString(),
};

const texts: Record<string, () => string> = {
  email: () => 'forger@attacks.baton.test',
  phone: () => '+33155550100',
  currency: () => 'EUR',
  idempotencyKey: () => newId(),
  deviceFingerprint: () => 'the-device-of-a-forger',
  hsCode: () => '640399',
  returnUrl: () => 'https://app.baton.test/paid',
  originCountry: () => 'FR',
  address: () => '1 rue de Rivoli, 75001 Paris',
};

/** An input with every field given; `idOf` says what stands in the place of an id. */
export function forged(type: GraphQLInputObjectType, idOf: (field: string) => string): Json {
  return Object.fromEntries(
    Object.values(type.getFields()).map(({ name, type: of }) => [name, sampleOf(name, of, idOf)]),
  );
}

function sampleOf(name: string, type: GraphQLInputType, idOf: (field: string) => string): unknown {
  const nullable = getNullableType(type);
  if (isListType(nullable)) return [sampleOf(name, nullable.ofType, idOf)];
  if (nullable instanceof GraphQLInputObjectType) return forged(nullable, idOf);
  if (isEnumType(nullable)) return nullable.getValues()[0]!.name;
  if (nullable === GraphQLID) return idOf(name);
  return (samples[nullable.name] ?? texts[name] ?? (() => 'forged'))();
}
