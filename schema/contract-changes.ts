/** What partners are told of a contract's changes: what came, went or became another, and what that breaks. */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isSpecifiedScalarType,
  isUnionType,
  printType,
} from 'graphql';

export interface ContractChange {
  readonly kind: 'ADDED' | 'REMOVED' | 'CHANGED' | 'DEPRECATED';
  /** As GraphQL's schema coordinates say it: `Query.fees`, `Query.fees(first:)`, `FeeType.PLATFORM`. */
  readonly what: string;
  /** True where a program that worked may work no more. */
  readonly breaking: boolean;
  /** From what to what, or why; null where `what` says it all. */
  readonly detail: string | null;
}

export interface ContractRelease {
  /** Calendar day in UTC. */
  readonly date: string;
  readonly note: string;
  readonly changes: readonly ContractChange[];
}

interface Element {
  /** Coordinate of what it belongs to: where that is new or gone, the element is not worth a line. */
  readonly owner: string | null;
  readonly signature: string;
  readonly deprecated: string | null;
  /** Whether what worked with this element works with its successor of the same name. */
  takes(successor: Element): boolean;
  /** True where programs that know nothing of it break. */
  readonly demanding: boolean;
  readonly type: GraphQLType | null;
}

/** Everything that differs, sorted by coordinate; without an older version everything is new. */
export function changesBetween(older: GraphQLSchema | null, newer: GraphQLSchema): ContractChange[] {
  const before: ReadonlyMap<string, Element> = older ? elementsOf(older) : new Map();
  const after = elementsOf(newer);
  const changes: ContractChange[] = [];
  for (const [what, element] of after) {
    const old = before.get(what);
    if (!old) {
      if (!element.owner || before.has(element.owner) || isRoot(newer, element.owner))
        changes.push({ kind: 'ADDED', what, breaking: element.demanding, detail: null });
      continue;
    }
    if (old.signature !== element.signature) {
      const detail = `from ${old.signature} to ${element.signature}`;
      changes.push({ kind: 'CHANGED', what, breaking: !old.takes(element), detail });
    }
    if (element.deprecated !== null && old.deprecated === null)
      changes.push({ kind: 'DEPRECATED', what, breaking: false, detail: element.deprecated });
  }
  for (const [what, element] of before)
    if (!after.has(what) && (!element.owner || after.has(element.owner)))
      changes.push({ kind: 'REMOVED', what, breaking: true, detail: null });
  return changes.sort((one, other) => (one.what < other.what ? -1 : one.what > other.what ? 1 : 0));
}

const isRoot = (schema: GraphQLSchema, name: string): boolean =>
  [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].some(
    (type) => type?.name === name,
  );

function elementsOf(schema: GraphQLSchema): Map<string, Element> {
  const elements = new Map<string, Element>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    elements.set(type.name, plain(kindOf(type), null));
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const each of type.getInterfaces())
        elements.set(`${type.name} implements ${each.name}`, plain('', type.name));
      for (const field of Object.values(type.getFields())) {
        elements.set(`${type.name}.${field.name}`, output(field, type.name));
        for (const argument of field.args)
          elements.set(
            `${type.name}.${field.name}(${argument.name}:)`,
            input(argument, `${type.name}.${field.name}`, isRequiredArgument(argument)),
          );
      }
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields()))
        elements.set(`${type.name}.${field.name}`, input(field, type.name, isRequiredInputField(field)));
    } else if (isEnumType(type)) {
      for (const value of type.getValues())
        elements.set(`${type.name}.${value.name}`, {
          ...plain('', type.name),
          deprecated: value.deprecationReason ?? null,
        });
    } else if (isUnionType(type)) {
      for (const member of type.getTypes())
        elements.set(`${type.name} | ${member.name}`, plain('', type.name));
    }
  }
  return elements;
}

/** `type`, `input`, `enum` and the like, as the language calls it. */
const kindOf = (type: GraphQLNamedType): string =>
  /^(type|interface|union|enum|input|scalar) /m.exec(printType(type))?.[1] ?? '';

const plain = (signature: string, owner: string | null): Element => ({
  owner,
  signature,
  deprecated: null,
  takes: () => false,
  demanding: false,
  type: null,
});

const output = (field: GraphQLField<unknown, unknown>, owner: string): Element => ({
  ...plain(String(field.type), owner),
  deprecated: field.deprecationReason ?? null,
  type: field.type,
  takes: (successor) => narrows(field.type, successor.type),
});

const input = (field: GraphQLArgument | GraphQLInputField, owner: string, required: boolean): Element => ({
  ...plain(
    field.defaultValue === undefined
      ? String(field.type)
      : `${field.type} = ${JSON.stringify(field.defaultValue)}`,
    owner,
  ),
  deprecated: field.deprecationReason ?? null,
  demanding: required,
  type: field.type,
  takes: (successor) => narrows(successor.type, field.type),
});

/** Whether every value of the second type is one of the first. */
function narrows(wide: GraphQLType | null, narrow: GraphQLType | null): boolean {
  if (isNonNullType(narrow)) return narrows(isNonNullType(wide) ? wide.ofType : wide, narrow.ofType);
  if (isNonNullType(wide)) return false;
  if (isListType(narrow)) return isListType(wide) && narrows(wide.ofType, narrow.ofType);
  return !isListType(wide) && String(wide) === String(narrow);
}
