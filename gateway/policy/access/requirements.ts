/**
 * What `@authenticated`, `@requiresScopes` and `@policy` of one supergraph ask of whoever selects a field: all
 * that is said of the field, of what it returns, and of the type it is in. Where a field is selected of an
 * interface, each of its objects may be the one that answers, and all of theirs is asked.
 */
import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isUnionType,
} from 'graphql';
import { type DirectiveReader, directiveReader } from '../core-directives.ts';

/** One directive: of the sets in `anyOf` one must be held whole. */
export interface Requirement {
  readonly kind: 'authenticated' | 'scopes' | 'policies';
  readonly anyOf: readonly (readonly string[])[];
}

type Annotated = Parameters<DirectiveReader>[0];

const authenticated: Requirement = { kind: 'authenticated', anyOf: [] };

export class Requirements {
  readonly #supergraph: GraphQLSchema;
  readonly #authenticated: DirectiveReader | null;
  readonly #scopes: DirectiveReader | null;
  readonly #policies: DirectiveReader | null;
  readonly #known = new Map<string, readonly Requirement[]>();

  constructor(supergraph: GraphQLSchema) {
    this.#supergraph = supergraph;
    this.#authenticated = directiveReader(supergraph, 'authenticated');
    this.#scopes = directiveReader(supergraph, 'requiresScopes');
    this.#policies = directiveReader(supergraph, 'policy');
  }

  /** Whether the supergraph asks nothing of anybody. */
  get none(): boolean {
    return !this.#authenticated && !this.#scopes && !this.#policies;
  }

  /** Of a field that is selected of `parent`. */
  of(parent: GraphQLCompositeType, name: string): readonly Requirement[] {
    const key = `${parent.name}.${name}`;
    const known = this.#known.get(key) ?? this.#of(parent, name);
    this.#known.set(key, known);
    return known;
  }

  #of(parent: GraphQLCompositeType, name: string): Requirement[] {
    const own = [...this.#said(parent), ...this.#ofField(parent, name)];
    if (!isAbstractType(parent)) return own;
    const objects = this.#supergraph.getPossibleTypes(parent);
    return [...own, ...objects.flatMap((each) => [...this.#said(each), ...this.#ofField(each, name)])];
  }

  #ofField(parent: GraphQLCompositeType, name: string): Requirement[] {
    const field = fieldOf(parent, name);
    return field ? [...this.#said(field), ...this.#said(getNamedType(field.type))] : [];
  }

  #said(annotated: GraphQLNamedType | GraphQLField<unknown, unknown>): Requirement[] {
    return [
      ...(this.#authenticated?.(annotated as Annotated) ? [authenticated] : []),
      ...sets('scopes', this.#scopes?.(annotated as Annotated)?.scopes),
      ...sets('policies', this.#policies?.(annotated as Annotated)?.policies),
    ];
  }
}

const fieldOf = (parent: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined =>
  isUnionType(parent) ? undefined : parent.getFields()[name];

const sets = (kind: 'scopes' | 'policies', anyOf: unknown): Requirement[] =>
  Array.isArray(anyOf) ? [{ kind, anyOf: anyOf as string[][] }] : [];
