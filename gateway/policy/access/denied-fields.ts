/**
 * Which fields of an operation a caller may not have: they become null with an error each, and the rest is
 * answered. What a document asks is worked out once; who asks decides.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Caller } from '../policy.ts';
import { type Requirement, Requirements } from './requirements.ts';

/** The policies of `@policy` that a caller meets. */
export type EvaluatePolicies = (caller: Caller) => readonly string[];

type Guarded = readonly { readonly field: FieldNode; readonly requirements: readonly Requirement[] }[];

const nothing: ReadonlySet<FieldNode> = new Set();

/** One supergraph's rules of access. */
export class FieldAccess {
  readonly #supergraph: GraphQLSchema;
  readonly #requirements: Requirements;
  readonly #policiesOf: EvaluatePolicies;
  readonly #guarded = new WeakMap<OperationDefinitionNode, Guarded>();

  constructor(supergraph: GraphQLSchema, policiesOf: EvaluatePolicies) {
    this.#supergraph = supergraph;
    this.#requirements = new Requirements(supergraph);
    this.#policiesOf = policiesOf;
  }

  denied(document: DocumentNode, operation: OperationDefinitionNode, caller: Caller): ReadonlySet<FieldNode> {
    if (this.#requirements.none) return nothing;
    const guarded = this.#guarded.get(operation) ?? this.#find(document, operation);
    this.#guarded.set(operation, guarded);
    if (guarded.length === 0) return nothing;
    const held = {
      scopes: new Set(caller.scopes),
      policies: new Set(this.#policiesOf(caller)),
      authenticated: caller.viewer.kind !== 'anonymous',
    };
    const meets = ({ kind, anyOf }: Requirement): boolean =>
      kind === 'authenticated'
        ? held.authenticated
        : anyOf.some((all) => all.every((each) => held[kind].has(each)));
    return new Set(
      guarded.filter(({ requirements }) => !requirements.every(meets)).map(({ field }) => field),
    );
  }

  #find(document: DocumentNode, operation: OperationDefinitionNode): Guarded {
    const fragments = new Map(
      document.definitions
        .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
        .map((each) => [each.name.value, each]),
    );
    const found = new Map<FieldNode, readonly Requirement[]>();
    const visited = new Set<string>();
    const walk = (set: SelectionSetNode, parent: GraphQLNamedType | undefined): void => {
      if (!isCompositeType(parent)) return;
      for (const node of set.selections) {
        if (node.kind === Kind.FIELD) {
          const { value: name } = node.name;
          const requirements = name === '__typename' ? [] : this.#requirements.of(parent, name);
          if (requirements.length > 0) found.set(node, requirements);
          const field =
            isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
          if (field && node.selectionSet) walk(node.selectionSet, getNamedType(field.type));
          continue;
        }
        if (node.kind === Kind.FRAGMENT_SPREAD) {
          // Its fields are those of its own type, wherever it is spread.
          if (visited.has(node.name.value)) continue;
          visited.add(node.name.value);
        }
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
        const condition = fragment?.typeCondition?.name.value;
        const type = condition === undefined ? parent : this.#supergraph.getType(condition);
        if (fragment) walk(fragment.selectionSet, type);
      }
    };
    walk(operation.selectionSet, this.#supergraph.getRootType(operation.operation) ?? undefined);
    return [...found].map(([field, requirements]) => ({ field, requirements }));
  }
}
