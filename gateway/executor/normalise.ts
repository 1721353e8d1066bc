/**
 * Stage 1: one operation in one form. Given a valid document, it
 * - keeps the operation that runs, with its fragments written out where they are used,
 * - settles what depends on the request and not on the data: denied fields, and `@defer`,
 * - gives every field a name in the data that no other has (`dataNameOf`). The planner adds keys and required fields
 *   under their own names; a client's alias would take the place of one.
 *
 * Documents that mean the same get the same `key`. The shape of the answer is made from the same nodes, with the
 * client's names.
 */

import { createHash } from 'node:crypto';
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  stripIgnoredCharacters,
} from 'graphql';

export interface NormalOperation {
  /** What is planned: with names of the data, without denied fields. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** What is shaped: the same nodes with the denied ones among them. */
  readonly selections: SelectionSetNode;
  /** What the client calls a field, by its node. */
  readonly responseNames: ReadonlyMap<FieldNode, string>;
  readonly denied: ReadonlySet<FieldNode>;
  readonly key: string;
}

export interface Settled {
  readonly schema: GraphQLSchema;
  readonly denied: ReadonlySet<FieldNode>;
  /** Whether deferred fragments come later; their `if` is read from the variables. */
  readonly defer: boolean;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Labels that we give to the deferred fragments of an operation, in the order of the document. */
const DEFER_LABEL = 'deferred_';

export function normalise(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  settled: Settled,
): NormalOperation {
  const writing = new Writing(document, operation, settled);
  const root = settled.schema.getRootType(operation.operation);
  if (!root) throw new Error(`The schema has no ${operation.operation} type`);
  const selections = writing.write(operation.selectionSet, root, root);
  const planned = { ...operation, selectionSet: forPlanner(withoutDenied(selections, writing.denied)) };
  const plannedDocument: DocumentNode = { kind: Kind.DOCUMENT, definitions: [planned] };
  const names = [...writing.responseNames.values()].join();
  return {
    document: plannedDocument,
    operation: planned,
    selections,
    responseNames: writing.responseNames,
    denied: writing.denied,
    key: `${stripIgnoredCharacters(print({ ...operation, selectionSet: selections }))} ${names}`,
  };
}

const introspectionTypes: Record<string, string> = { __schema: '__Schema', __type: '__Type' };

/** One writing of an operation in its normal form. */
class Writing {
  readonly responseNames = new Map<FieldNode, string>();
  readonly denied = new Set<FieldNode>();
  readonly #operation: OperationDefinitionNode;
  readonly #settled: Settled;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  #deferred = 0;

  constructor(document: DocumentNode, operation: OperationDefinitionNode, settled: Settled) {
    this.#operation = operation;
    this.#settled = settled;
    this.#fragments = new Map(
      document.definitions
        .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
        .map((each) => [each.name.value, each]),
    );
  }

  /** `parent` is the type of the selections, `declared` that of the field which they are on. */
  write(set: SelectionSetNode, parent: GraphQLNamedType, declared: GraphQLNamedType): SelectionSetNode {
    return {
      kind: Kind.SELECTION_SET,
      selections: set.selections.map((selection) =>
        selection.kind === Kind.FIELD
          ? this.#field(selection, parent, declared)
          : this.#fragment(selection, parent, declared),
      ),
    };
  }

  #field(node: FieldNode, parent: GraphQLNamedType, declared: GraphQLNamedType): FieldNode {
    const name = node.name.value;
    const field = fieldOf(parent, name);
    const meta = Object.hasOwn(introspectionTypes, name) ? introspectionTypes[name] : undefined;
    const responseName = node.alias?.value ?? name;
    const dataName = this.#keepsAlias(parent, name)
      ? responseName
      : dataNameOf(node, field, declared, this.#settled.schema);
    const { alias: _, ...bare } = node;
    const inner = meta ? this.#settled.schema.getType(meta) : field && getNamedType(field.type);
    const written: FieldNode = {
      ...bare,
      ...(dataName === name ? {} : { alias: { kind: Kind.NAME, value: dataName } }),
      ...(node.selectionSet
        ? { selectionSet: inner ? this.write(node.selectionSet, inner, inner) : node.selectionSet }
        : {}),
    };
    this.responseNames.set(written, responseName);
    if (this.#settled.denied.has(node)) this.denied.add(written);
    return written;
  }

  /** Each field of a mutation is done, however often it is the same; introspection is answered as it is asked. */
  #keepsAlias(parent: GraphQLNamedType, name: string): boolean {
    const { schema } = this.#settled;
    const mutation = this.#operation.operation === OperationTypeNode.MUTATION;
    return (
      (mutation && parent === schema.getMutationType()) ||
      Object.hasOwn(introspectionTypes, name) ||
      parent.name.startsWith('__')
    );
  }

  #fragment(
    selection: Exclude<SelectionNode, FieldNode>,
    parent: GraphQLNamedType,
    declared: GraphQLNamedType,
  ): SelectionNode {
    const fragment =
      selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection;
    if (!fragment) throw new Error('The document spreads a fragment that it does not define');
    const { typeCondition } = fragment;
    const type = (typeCondition && this.#settled.schema.getType(typeCondition.name.value)) || parent;
    return {
      kind: Kind.INLINE_FRAGMENT,
      ...(typeCondition ? { typeCondition } : {}),
      directives: this.#directives(selection.directives ?? []),
      selectionSet: this.write(fragment.selectionSet, type, declared),
    };
  }

  /** With `@defer` under a label of ours, for its part of the plan to be known again, or taken out. */
  #directives(directives: readonly DirectiveNode[]): DirectiveNode[] {
    return directives.flatMap((each) => {
      if (each.name.value !== 'defer') return [each];
      if (!this.#settled.defer || !this.#isOn(each)) return [];
      return [labelled(each, `${DEFER_LABEL}${this.#deferred++}`)];
    });
  }

  #isOn(defer: DirectiveNode): boolean {
    const condition = defer.arguments?.find(({ name }) => name.value === 'if')?.value;
    if (!condition) return true;
    if (condition.kind === Kind.BOOLEAN) return condition.value;
    const { variables } = this.#settled;
    return condition.kind !== Kind.VARIABLE || booleanOf(condition.name.value, this.#operation, variables);
  }
}

export function fieldOf(parent: GraphQLNamedType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
}

/**
 * The name of a field in the data: its own, where nothing else can have that. A field with arguments may be there
 * several times; so may an object under several aliases, and a null below one of them must not reach the others; and
 * among the possible types of an abstract one, fields of one name may differ in type.
 */
function dataNameOf(
  node: FieldNode,
  field: GraphQLField<unknown, unknown> | undefined,
  declared: GraphQLNamedType,
  schema: GraphQLSchema,
): string {
  const name = node.name.value;
  if (!field) return name;
  const differs = isAbstractType(declared) && typesDiffer(declared, name, schema);
  const alias = node.selectionSet && node.alias ? node.alias.value : name;
  if (field.args.length === 0 && !differs && alias === name) return name;
  const given = [...(node.arguments ?? [])]
    .sort((one, other) => (one.name.value < other.name.value ? -1 : 1))
    .map((each) => print(each));
  const identity = JSON.stringify([given, differs ? String(field.type) : '', alias]);
  return `${name}_${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`;
}

function typesDiffer(declared: GraphQLNamedType, name: string, schema: GraphQLSchema): boolean {
  if (!isAbstractType(declared)) return false;
  const types = schema.getPossibleTypes(declared).map((type) => fieldOf(type, name));
  return new Set(types.flatMap((field) => (field ? [String(field.type)] : []))).size > 1;
}

function withoutDenied(set: SelectionSetNode, denied: ReadonlySet<FieldNode>): SelectionSetNode {
  if (denied.size === 0) return set;
  const selections = set.selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD && denied.has(selection)) return [];
    if (selection.kind === Kind.FRAGMENT_SPREAD || !selection.selectionSet) return [selection];
    return [{ ...selection, selectionSet: withoutDenied(selection.selectionSet, denied) }];
  });
  // A selection must not be empty; what stands in for it is not shaped.
  return { ...set, selections: selections.length > 0 ? selections : [typenameField] };
}

/** The planner fails on some deferred fragments with a type condition; a fragment within them may have one. */
function forPlanner(set: SelectionSetNode): SelectionSetNode {
  return {
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FRAGMENT_SPREAD || !selection.selectionSet) return selection;
      const inner = { ...selection, selectionSet: forPlanner(selection.selectionSet) };
      if (inner.kind === Kind.FIELD || !inner.typeCondition) return inner;
      const { directives = [], ...bare } = inner;
      if (!directives.some(({ name }) => name.value === 'defer')) return inner;
      const { typeCondition: _, ...unconditional } = inner;
      return { ...unconditional, selectionSet: { kind: Kind.SELECTION_SET, selections: [bare] } };
    }),
  };
}

const typenameField: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

function labelled(defer: DirectiveNode, ours: string): DirectiveNode {
  // What the client called it travels along in our label, for it to see its own again.
  const own = defer.arguments?.find(({ name }) => name.value === 'label')?.value;
  const value = own?.kind === Kind.STRING ? `${ours}:${own.value}` : ours;
  return {
    ...defer,
    arguments: [
      { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: 'label' }, value: { kind: Kind.STRING, value } },
    ],
  };
}

/** What the client called a deferred fragment, from the label that we gave it. */
export function clientLabel(label: string): string | undefined {
  const colon = label.indexOf(':');
  return colon < 0 ? undefined : label.slice(colon + 1);
}

export function usesDefer(document: DocumentNode): boolean {
  const uses = (set: SelectionSetNode): boolean =>
    set.selections.some(
      (each) =>
        each.directives?.some(({ name }) => name.value === 'defer') ||
        (each.kind !== Kind.FRAGMENT_SPREAD && each.selectionSet !== undefined && uses(each.selectionSet)),
    );
  return document.definitions.some((each) => 'selectionSet' in each && uses(each.selectionSet));
}

/** The value of a variable of a condition: as given, or its default. */
export function booleanOf(
  name: string,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): boolean {
  const given = variables[name];
  if (given !== undefined) return given === true;
  const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
  return definition?.defaultValue?.kind === Kind.BOOLEAN && definition.defaultValue.value;
}
