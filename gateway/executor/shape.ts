/**
 * Stage 5: the answer as the client asked for it. Given the merged data of all fetches, it keeps the selected
 * fields in their order, checks each value against its type, and applies the specification's rules for nulls and
 * errors. What went wrong on the way was noted on the objects that it cost (`notes.ts`) and becomes errors here,
 * where the client's own paths are known; a null whose reason was told is not told again.
 */
import {
  type FieldNode,
  type GraphQLError,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import {
  type Complete,
  completeFields,
  denied,
  isObject,
  LOST,
  leaf,
  list,
  nonNull,
  type ShapedField,
  type Shaping,
  wrong,
} from './complete.ts';
import { booleanOf, type NormalOperation } from './normalise.ts';
import type { Notes } from './notes.ts';

type Json = Record<string, unknown>;

/** A field as the client calls it, and as the data does. */
export interface FieldName {
  readonly name: string;
  readonly dataName: string;
}

/** A deferred part of the selection: where it lies and how it is shaped. */
export interface DeferredShape {
  readonly label: string;
  /** The fields from the root to the fragment; lists in between are walked. */
  readonly path: readonly FieldName[];
  /** Whether the fragment is on this object's type. */
  appliesTo(object: Readonly<Record<string, unknown>>): boolean;
  readonly shape: Shape;
}

export interface Shaped {
  readonly data: Json | null;
  readonly errors: GraphQLError[];
}

export interface Shape {
  /** Parts that were left out because they are deferred; of this level and, through them, of those below. */
  readonly deferred: readonly DeferredShape[];
  /** `path` is where the object lies in the response. */
  apply(object: unknown, notes: Notes, path?: readonly (string | number)[]): Shaped;
}

export interface ShapeSource {
  readonly schema: GraphQLSchema;
  readonly normal: NormalOperation;
}

/** The shapes of one operation: one for each combination of the variables of its `@include` and `@skip`. */
export class Shapes {
  readonly #source: ShapeSource;
  readonly #conditions: readonly string[];
  readonly #shapes = new Map<string, Shape>();

  constructor(source: ShapeSource) {
    this.#source = source;
    this.#conditions = conditionsOf(source.normal.selections);
  }

  for(variables: Readonly<Record<string, unknown>>): Shape {
    const { operation } = this.#source.normal;
    let key = '';
    for (const name of this.#conditions) key += booleanOf(name, operation, variables) ? '1' : '0';
    let shape = this.#shapes.get(key);
    if (!shape) {
      if (this.#shapes.size >= MAX_SHAPES) this.#shapes.clear();
      const on = new Set(this.#conditions.filter((_, index) => key[index] === '1'));
      shape = new ShapeCompiler(this.#source, on).root();
      this.#shapes.set(key, shape);
    }
    return shape;
  }
}

const MAX_SHAPES = 64;

/** Names of the variables that decide on `@include` and `@skip`. */
function conditionsOf(selections: SelectionSetNode): string[] {
  const names = new Set<string>();
  const walk = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      for (const directive of selection.directives ?? []) {
        if (directive.name.value !== 'include' && directive.name.value !== 'skip') continue;
        const value = directive.arguments?.[0]?.value;
        if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
      }
      if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet) walk(selection.selectionSet);
    }
  };
  walk(selections);
  return [...names].sort();
}

/** The fields of one object type, in the order of the response, each with all places that select it. */
type Collected = Map<string, FieldNode[]>;

interface DeferredPart {
  readonly label: string;
  /** Names of the types in which it was met. */
  readonly types: Set<unknown>;
  readonly path: readonly FieldName[];
  readonly set: SelectionSetNode;
  readonly type: GraphQLNamedType;
}

class ShapeCompiler {
  readonly #source: ShapeSource;
  readonly #on: ReadonlySet<string>;
  /** By the names of the data, for paths below what is null; where a client has several names, one of them. */
  readonly #clientNames: ReadonlyMap<string, string>;

  constructor(source: ShapeSource, on: ReadonlySet<string>) {
    this.#source = source;
    this.#on = on;
    this.#clientNames = new Map(
      [...source.normal.responseNames].map(([{ alias, name }, client]) => [(alias ?? name).value, client]),
    );
  }

  root(): Shape {
    const { schema, normal } = this.#source;
    const type = schema.getRootType(normal.operation.operation);
    if (!type) throw new Error(`The schema has no ${normal.operation.operation} type`);
    return this.#shape([normal.selections], type, []);
  }

  #shape(sets: readonly SelectionSetNode[], type: GraphQLNamedType, path: readonly FieldName[]): Shape {
    const parts: DeferredPart[] = [];
    const complete = this.#object(sets, type, path, parts);
    const clientNames = this.#clientNames;
    const deferred = parts.map(({ label, types, path: at, set, type: of }) => ({
      label,
      path: at,
      appliesTo: ({ __typename }: Json) => __typename === undefined || types.has(__typename),
      shape: this.#shape([set], of, at),
    }));
    return {
      deferred,
      apply(object, notes, at = []) {
        const shaping: Shaping = { notes, errors: [], clientNames, path: [...at] };
        const data = complete(object, shaping);
        return { data: data === LOST ? null : (data as Json | null), errors: shaping.errors };
      },
    };
  }

  /** Completes an object of a type known now, or by its `__typename` where the type is abstract. */
  #object(
    sets: readonly SelectionSetNode[],
    type: GraphQLNamedType,
    path: readonly FieldName[],
    parts: DeferredPart[],
  ): Complete {
    const { schema } = this.#source;
    if (isObjectType(type)) {
      const fields = this.#fields(sets, type, type, path, parts);
      return (value, shaping) =>
        isObject(value) ? completeFields(value, fields, shaping) : wrong(type.name, shaping);
    }
    const byType = new Map<unknown, readonly ShapedField[]>();
    // Compiled at once, not when first met: deferred parts have to be known before anything runs.
    for (const possible of isAbstractType(type) ? schema.getPossibleTypes(type) : [])
      byType.set(possible.name, this.#fields(sets, possible, type, path, parts));
    // Where only the interface matters, subgraphs may know nothing below it (`@interfaceObject`).
    if (isInterfaceType(type)) byType.set(type.name, this.#fields(sets, type, type, path, parts));
    const anyType = isInterfaceType(type) && !sets.some((set) => this.#asksForType(set, type));
    return (value, shaping) => {
      if (!isObject(value)) return wrong(type.name, shaping);
      const fields = byType.get(anyType ? (value.__typename ?? type.name) : value.__typename);
      // None for a type that this schema does not show.
      return fields ? completeFields(value, fields, shaping) : wrong(type.name, shaping);
    };
  }

  /** Whether what is selected depends on which type of the interface it is. */
  #asksForType({ selections }: SelectionSetNode, type: GraphQLInterfaceType): boolean {
    return selections.some((each) => {
      if (each.kind === Kind.FIELD) return each.name.value === '__typename';
      if (each.kind === Kind.FRAGMENT_SPREAD) return true;
      return (
        !this.#applies(each.typeCondition?.name.value, type) || this.#asksForType(each.selectionSet, type)
      );
    });
  }

  /** `declared` is the type of the position, which may be abstract; `type` one that its objects can have. */
  #fields(
    sets: readonly SelectionSetNode[],
    type: GraphQLObjectType | GraphQLInterfaceType,
    declared: GraphQLNamedType,
    path: readonly FieldName[],
    parts: DeferredPart[],
  ): readonly ShapedField[] {
    const collected: Collected = new Map();
    for (const set of sets) this.#collect(set, type, declared, path, parts, collected);
    return [...collected].map(([name, nodes]) => {
      const [{ alias, name: own }] = nodes as [FieldNode];
      const dataName = alias?.value ?? own.value;
      const at = [...path, { name, dataName }];
      return {
        name,
        dataName,
        guarded: dataName in Object.prototype || name === '__proto__',
        complete: this.#field(nodes, type, at, parts),
      };
    });
  }

  #field(
    nodes: readonly FieldNode[],
    parent: GraphQLObjectType | GraphQLInterfaceType,
    path: readonly FieldName[],
    parts: DeferredPart[],
  ): Complete {
    const [node] = nodes as [FieldNode];
    const field = node.name.value;
    if (field === '__typename') return () => parent.name;
    // Introspection was executed as a whole and is complete.
    if (field === '__schema' || field === '__type') return (value) => value ?? null;
    const definition = parent.getFields()[field];
    if (!definition) throw new Error(`${parent.name} has no field ${field}`);
    if (nodes.some((each) => this.#source.normal.denied.has(each))) return denied(definition.type);
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    return this.#type(definition.type, `${parent.name}.${field}`, sets, path, parts);
  }

  #type(
    type: GraphQLOutputType,
    coordinate: string,
    sets: readonly SelectionSetNode[],
    path: readonly FieldName[],
    parts: DeferredPart[],
  ): Complete {
    if (isNonNullType(type))
      return nonNull(this.#bare(type.ofType, coordinate, sets, path, parts), coordinate);
    const complete = this.#bare(type, coordinate, sets, path, parts);
    return (value, shaping) => {
      if (value === null || value === undefined) return null;
      const done = complete(value, shaping);
      return done === LOST ? null : done;
    };
  }

  /** Of a value that is there, whether or not it may be null. */
  #bare(
    type: GraphQLOutputType,
    coordinate: string,
    sets: readonly SelectionSetNode[],
    path: readonly FieldName[],
    parts: DeferredPart[],
  ): Complete {
    if (isListType(type)) return list(this.#type(type.ofType, coordinate, sets, path, parts), coordinate);
    if (isLeafType(type)) return leaf(type);
    return this.#object(sets, type as GraphQLNamedType, path, parts);
  }

  #collect(
    set: SelectionSetNode,
    type: GraphQLObjectType | GraphQLInterfaceType,
    declared: GraphQLNamedType,
    path: readonly FieldName[],
    parts: DeferredPart[],
    collected: Collected,
  ): void {
    for (const selection of set.selections) {
      if (!this.#included(selection)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = this.#source.normal.responseNames.get(selection) ?? selection.name.value;
        const nodes = collected.get(name);
        if (nodes) nodes.push(selection);
        else collected.set(name, [selection]);
        continue;
      }
      if (selection.kind === Kind.FRAGMENT_SPREAD) throw new Error('Fragments are written out before');
      const { typeCondition, selectionSet } = selection;
      const condition = typeCondition?.name.value;
      if (!this.#applies(condition, type)) continue;
      const narrowed = (condition && this.#source.schema.getType(condition)) || declared;
      const label = deferLabel(selection.directives);
      if (label === undefined) {
        this.#collect(selectionSet, type, narrowed, path, parts, collected);
        continue;
      }
      const known = parts.find((part) => part.label === label);
      if (known) known.types.add(type.name);
      else parts.push({ label, types: new Set([type.name]), path, set: selectionSet, type: narrowed });
    }
  }

  #applies(condition: string | undefined, type: GraphQLObjectType | GraphQLInterfaceType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const { schema } = this.#source;
    const of = schema.getType(condition);
    return isAbstractType(of) && schema.isSubType(of, type);
  }

  #included({ directives }: { readonly directives?: FieldNode['directives'] }): boolean {
    for (const directive of directives ?? []) {
      const wanted = { include: true, skip: false }[directive.name.value];
      if (wanted === undefined) continue;
      const value = directive.arguments?.[0]?.value;
      const is = value?.kind === Kind.VARIABLE ? this.#on.has(value.name.value) : booleanLiteral(value);
      if (is !== wanted) return false;
    }
    return true;
  }
}

const booleanLiteral = (value: { readonly kind: Kind; readonly value?: unknown } | undefined): boolean =>
  value?.value === true;

function deferLabel(directives: FieldNode['directives']): string | undefined {
  const defer = directives?.find(({ name }) => name.value === 'defer');
  const label = defer?.arguments?.find(({ name }) => name.value === 'label')?.value;
  return label?.kind === Kind.STRING ? label.value : undefined;
}
