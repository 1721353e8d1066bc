/**
 * A subscription compiled for the hub. The client's cursor is taken out of the operation, so that clients with
 * different cursors can share, and the cursor of each event is asked for in any case, under a name of ours.
 */
import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parseType,
  print,
  type SelectionSetNode,
  type TypeNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import type { LiveEvent, LiveOperation } from '../subscriptions/live-operation.ts';
import type { RunObserver } from '../telemetry/observer.ts';
import { errorsOf, failureOf, pathOf } from './answers.ts';
import type { ExecutorSource } from './executor.ts';
import { pickVariables, type Run } from './fetch.ts';
import { merge } from './merge.ts';
import type { NormalOperation } from './normalise.ts';
import { Notes } from './notes.ts';
import { type Overrides, planSubscription } from './plan.ts';
import { compileRewrites } from './rewrites.ts';
import { Shapes } from './shape.ts';

type Json = Record<string, unknown>;

const AFTER = 'after';
const CURSOR = 'cursor';
/** Names that a client's operation does not use. */
const AFTER_VARIABLE = 'hub_after';
const CURSOR_ALIAS = 'hub_cursor';
/** Of the tag that marks a field of which the last event is enough. */
const LAST_VALUE_WINS = 'last-value-wins';
/** Milliseconds that completing one event may take. */
const EVENT_BUDGET = 10_000;

export function compileLive(
  source: ExecutorSource,
  normal: NormalOperation,
  overrides: Overrides,
): LiveOperation {
  const root = rootField(normal.operation);
  const resumable = isResumable(source.clientSchema, root);
  const { document, afterOf } = resumable
    ? withCursor(normal.document, root, afterType(source.clientSchema, root))
    : { document: normal.document, afterOf: () => undefined };
  const operation = document.definitions[0] as OperationDefinitionNode;
  const plan = planSubscription(source, { ...normal, document, operation }, overrides);
  const { primary } = plan;
  const shapes = new Shapes({ schema: source.clientSchema, normal });
  const field = root.alias?.value ?? root.name.value;
  const output = compileRewrites(primary.outputRewrites, source.schema);
  const names = (primary.variableUsages ?? []).filter((name) => name !== AFTER_VARIABLE);
  const declared = (operation.variableDefinitions ?? [])
    .map(({ variable }) => variable.name.value)
    .filter((name) => name !== AFTER_VARIABLE)
    .sort();

  const complete = async (
    event: FormattedExecutionResult,
    variables: Readonly<Json>,
    facts: RequestFacts,
    observer?: RunObserver,
  ): Promise<LiveEvent> => {
    const notes = new Notes();
    const run: Run = {
      root: {},
      variables,
      facts,
      deadline: performance.now() + EVENT_BUDGET,
      notes,
      onFailure: source.onFailure,
      asked: new Map(),
      observer,
    };
    const { data } = event;
    if (data) {
      output?.(data);
      merge(run.root, data as Json, source.interfaces);
    }
    for (const error of errorsOf(event)) {
      const path = pathOf(error);
      notes.place(run.root, path.length > 0 ? path : [field], failureOf(error));
    }
    await plan.rest?.(run);
    observer?.gathered();
    const shaped = shapes.for(variables).apply(run.root, notes);
    const unplaced = notes.unplaced.map((each) => ({ message: each.message, extensions: each.extensions }));
    const errors = [...shaped.errors.map((error) => error.toJSON()), ...unplaced];
    return errors.length > 0 ? { data: shaped.data, errors } : { data: shaped.data };
  };

  return {
    // Clients may call the same subscription what they like.
    key: print({
      ...document,
      definitions: [{ ...operation, name: undefined }, ...document.definitions.slice(1)],
    }),
    field,
    resumable,
    lastValueWins: isTagged(source.schema, root, LAST_VALUE_WINS),
    upstream: {
      subgraph: primary.serviceName,
      query: primary.operation,
      ...(primary.operationName === undefined ? {} : { operationName: primary.operationName }),
    },
    afterOf,
    upstreamVariables: (variables, after) => ({
      ...pickVariables(names, variables),
      ...(resumable && after !== undefined ? { [AFTER_VARIABLE]: after } : {}),
    }),
    variablesKey: (variables) => JSON.stringify(declared.map((name) => canonical(variables[name]))),
    cursorOf: ({ data }) => {
      const cursor = resumable ? (data?.[field] as Json | null | undefined)?.[CURSOR_ALIAS] : undefined;
      return typeof cursor === 'string' ? cursor : undefined;
    },
    complete,
  };
}

function rootField({ selectionSet }: OperationDefinitionNode): FieldNode {
  const find = (set: SelectionSetNode): FieldNode | undefined => {
    for (const each of set.selections) {
      if (each.kind === Kind.FIELD) return each;
      const found = each.kind === Kind.INLINE_FRAGMENT ? find(each.selectionSet) : undefined;
      if (found) return found;
    }
    return undefined;
  };
  const field = find(selectionSet);
  if (!field || field.name.value.startsWith('__'))
    throw new GraphQLError('This subscription cannot be served', {
      extensions: { code: 'SUBSCRIPTION_NOT_PLANNED' },
    });
  return field;
}

const isText = (type: { readonly name: string }): boolean => type.name === 'String' || type.name === 'ID';

function isResumable(schema: GraphQLSchema, { name }: FieldNode): boolean {
  const field = schema.getSubscriptionType()?.getFields()[name.value];
  const after = field?.args.find((argument) => argument.name === AFTER);
  const event = field && getNamedType(field.type);
  if (!after || !isText(getNamedType(after.type))) return false;
  if (!isObjectType(event) && !isInterfaceType(event)) return false;
  const cursor = event.getFields()[CURSOR];
  return cursor !== undefined && isText(getNamedType(cursor.type));
}

/** As the field declares its cursor, for the variable that takes its place. */
function afterType(schema: GraphQLSchema, { name }: FieldNode): TypeNode {
  const field = schema.getSubscriptionType()?.getFields()[name.value];
  return parseType(String(field?.args.find((argument) => argument.name === AFTER)?.type ?? 'String'));
}

/** Tags of the supergraph are directives on its own definitions. */
function isTagged(supergraph: GraphQLSchema, { name }: FieldNode, tag: string): boolean {
  const field = supergraph.getSubscriptionType()?.getFields()[name.value];
  return (field?.astNode?.directives ?? []).some(
    (directive) =>
      directive.name.value === 'tag' &&
      directive.arguments?.some(({ value }) => value.kind === Kind.STRING && value.value === tag),
  );
}

const named = (value: string) => ({ kind: Kind.NAME, value }) as const;

function withCursor(
  document: DocumentNode,
  root: FieldNode,
  type: TypeNode,
): { document: DocumentNode; afterOf: LiveOperation['afterOf'] } {
  const operation = document.definitions[0] as OperationDefinitionNode;
  const given = root.arguments?.find(({ name }) => name.value === AFTER)?.value;
  const afterVariable = given?.kind === Kind.VARIABLE ? given.name.value : undefined;
  const literal = given?.kind === Kind.STRING ? given.value : undefined;
  const argument: ArgumentNode = {
    kind: Kind.ARGUMENT,
    name: named(AFTER),
    value: { kind: Kind.VARIABLE, name: named(AFTER_VARIABLE) },
  };
  const cursor: FieldNode = { kind: Kind.FIELD, alias: named(CURSOR_ALIAS), name: named(CURSOR) };
  const field: FieldNode = {
    ...root,
    arguments: [...(root.arguments ?? []).filter(({ name }) => name.value !== AFTER), argument],
    ...(root.selectionSet
      ? { selectionSet: { ...root.selectionSet, selections: [cursor, ...root.selectionSet.selections] } }
      : {}),
  };
  const definition: VariableDefinitionNode = {
    kind: Kind.VARIABLE_DEFINITION,
    variable: { kind: Kind.VARIABLE, name: named(AFTER_VARIABLE) },
    type,
  };
  const rewritten = visit(document, { Field: (each) => (each === root ? field : undefined) });
  const [first] = rewritten.definitions as [OperationDefinitionNode];
  const kept = (operation.variableDefinitions ?? []).filter(
    ({ variable }) => variable.name.value !== afterVariable || isUsed(rewritten, variable.name.value),
  );
  const defaultOf = operation.variableDefinitions?.find(
    ({ variable }) => variable.name.value === afterVariable,
  )?.defaultValue;
  return {
    document: {
      kind: Kind.DOCUMENT,
      definitions: [{ ...first, variableDefinitions: [...kept, definition] }],
    },
    afterOf: (variables) => {
      if (afterVariable === undefined) return literal;
      const value = variables[afterVariable];
      if (typeof value === 'string') return value;
      return value === undefined && defaultOf?.kind === Kind.STRING ? defaultOf.value : undefined;
    },
  };
}

function isUsed(document: DocumentNode, name: string): boolean {
  let used = false;
  visit(document, {
    VariableDefinition: () => false,
    Variable: (variable) => {
      if (variable.name.value === name) used = true;
    },
  });
  return used;
}

/** Equal values, whatever the order of their fields, become equal JSON. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, inner]) => [name, canonical(inner)]),
  );
}
