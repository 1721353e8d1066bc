/**
 * Stage 1: one operation in one form. Given a valid document, it keeps the operation that runs and the fragments
 * that it uses, and settles what depends on the request and not on the data: denied fields are taken out, and
 * `@defer` is kept, with a label on each, or taken out. Documents that mean the same get the same `key`.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  stripIgnoredCharacters,
  visit,
} from 'graphql';

export interface NormalOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly key: string;
}

export interface Settled {
  readonly denied: ReadonlySet<FieldNode>;
  /** Whether deferred fragments come later; their `if` is read from the variables. */
  readonly defer: boolean;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Labels that we give to the deferred fragments of an operation, in the order of the document. */
export const DEFER_LABEL = 'deferred_';

/** The operation with the fragments that it reaches, and nothing else of the document. */
export function normalise(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  settled: Settled,
): NormalOperation {
  const reached = reachedFragments(document, operation);
  const whole: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation, ...reached] };
  const settledDocument = settleDefer(withoutDenied(whole, settled.denied), operation, settled);
  const kept = settledDocument.definitions[0] as OperationDefinitionNode;
  return {
    document: settledDocument,
    operation: kept,
    key: stripIgnoredCharacters(print(settledDocument)),
  };
}

function reachedFragments(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): FragmentDefinitionNode[] {
  const fragments = fragmentsOf(document);
  const reached = new Set<FragmentDefinitionNode>();
  const walk = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (selection.kind !== Kind.FRAGMENT_SPREAD) {
        if (selection.selectionSet) walk(selection.selectionSet);
        continue;
      }
      const fragment = fragments.get(selection.name.value);
      if (!fragment || reached.has(fragment)) continue;
      reached.add(fragment);
      walk(fragment.selectionSet);
    }
  };
  walk(operation.selectionSet);
  return [...reached].sort((one, other) => (one.name.value < other.name.value ? -1 : 1));
}

export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  return new Map(
    document.definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each]),
  );
}

function withoutDenied(document: DocumentNode, denied: ReadonlySet<FieldNode>): DocumentNode {
  if (denied.size === 0) return document;
  const lean = visit(document, { Field: (field) => (denied.has(field) ? null : undefined) });
  // A selection must not be empty; what stands in for it is not shaped.
  return visit(lean, {
    SelectionSet: {
      leave: (set): SelectionSetNode | undefined =>
        set.selections.length > 0 ? undefined : { ...set, selections: [typenameField] },
    },
  });
}

const typenameField: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/**
 * Writes each deferred fragment as an inline fragment with a label of its own, so that parts of the plan can be
 * told apart. A fragment spread is written out, since each place where it is deferred is another part.
 */
function settleDefer(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  settled: Settled,
): DocumentNode {
  if (!usesDefer(document)) return document;
  let count = 0;
  const fragments = fragmentsOf(document);
  const write = (set: SelectionSetNode): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FIELD)
        return selection.selectionSet
          ? { ...selection, selectionSet: write(selection.selectionSet) }
          : selection;
      const fragment =
        selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (!fragment) return selection;
      const defer = selection.directives?.find(({ name }) => name.value === 'defer');
      const others = selection.directives?.filter((each) => each !== defer) ?? [];
      const label = defer && settled.defer && isOn(defer, operation, settled.variables);
      return {
        kind: Kind.INLINE_FRAGMENT,
        ...(fragment.typeCondition ? { typeCondition: fragment.typeCondition } : {}),
        directives: label ? [...others, labelled(defer, `${DEFER_LABEL}${count++}`)] : others,
        selectionSet: write(fragment.selectionSet),
      };
    }),
  });
  const [first] = document.definitions as [OperationDefinitionNode];
  return {
    kind: Kind.DOCUMENT,
    definitions: [{ ...first, selectionSet: write(first.selectionSet) }],
  };
}

export function usesDefer(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Directive: ({ name }) => {
      if (name.value === 'defer') found = true;
    },
  });
  return found;
}

function isOn(
  defer: DirectiveNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): boolean {
  const condition = defer.arguments?.find(({ name }) => name.value === 'if')?.value;
  if (!condition) return true;
  if (condition.kind === Kind.BOOLEAN) return condition.value;
  return condition.kind !== Kind.VARIABLE || booleanOf(condition.name.value, operation, variables);
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

function labelled(defer: DirectiveNode, ours: string): DirectiveNode {
  const label = {
    kind: Kind.ARGUMENT,
    name: { kind: Kind.NAME, value: 'label' },
    value: { kind: Kind.STRING, value: ours },
  } as const;
  // What the client called it travels along in our label, for it to see its own again.
  const own = defer.arguments?.find(({ name }) => name.value === 'label')?.value;
  const value = own?.kind === Kind.STRING ? `${ours}:${own.value}` : ours;
  return { ...defer, arguments: [{ ...label, value: { ...label.value, value } }] };
}

/** What the client called a deferred fragment, from the label that we gave it. */
export function clientLabel(label: string): string | undefined {
  const colon = label.indexOf(':');
  return colon < 0 ? undefined : label.slice(colon + 1);
}
