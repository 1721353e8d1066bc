/** From the text of an operation to a validated document, for transports that Apollo Server does not serve. */
import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  specifiedRules,
  validate,
} from 'graphql';
import { Lru } from '#shared/runtime/lru.ts';
import { BAD_USER_INPUT } from '#shared/runtime/server/subgraph-executor.ts';
import { GRAPHQL_VALIDATION_FAILED } from '../errors.ts';
import type { Caller, DocumentRequest, Policy, ValidOperation } from '../policy/policy.ts';
import type { Graph } from '../supergraph.ts';

export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

export interface Operation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Record<string, unknown>;
}

const MAX_ERRORS = 20;
const MAX_VARIABLE_DEPTH = 50;

const coded = (error: GraphQLError, code: string): GraphQLError =>
  new GraphQLError(error.message, { nodes: error.nodes, extensions: { code } });

/** An operation that its caller may run now. */
export interface AdmittedOperation extends ValidOperation {
  /** The document's text, as it is planned by. */
  readonly source: string;
  readonly denied: ReadonlySet<FieldNode>;
  readonly cost: number;
}

const DOCUMENTS = 1_000;
const documentsOf = new WeakMap<Graph, Lru<string, DocumentNode>>();

class OperationRefused extends Error {
  readonly errors: readonly GraphQLError[];
  constructor(errors: readonly GraphQLError[]) {
    super('refused');
    this.errors = errors;
  }
}

/**
 * From a request to an operation that the caller may run now, or the errors for the client: the document's text,
 * its validity, its variables, and what policy says of all of it. Texts that were found valid for a version of
 * the supergraph are neither parsed nor validated again.
 */
export async function admitOperation(
  policy: Policy,
  graph: Graph,
  request: DocumentRequest & Omit<OperationRequest, 'query'>,
  caller: Caller,
): Promise<AdmittedOperation | readonly GraphQLError[]> {
  try {
    const source = policy.documentOf(request, caller);
    const document = validDocument(graph, source, policy);
    const valid = { graph, ...operationOf(graph, document, request) };
    return { ...(await admitted(policy, valid, caller)), source };
  } catch (error) {
    return refusalsOf(error);
  }
}

/** The last part of the same, for a transport that has parsed and validated by itself. */
export async function admitValidDocument(
  policy: Policy,
  graph: Graph,
  document: DocumentNode,
  request: Pick<OperationRequest, 'operationName' | 'variables'>,
  caller: Caller,
): Promise<Omit<AdmittedOperation, 'source'> | readonly GraphQLError[]> {
  try {
    return await admitted(policy, { graph, ...operationOf(graph, document, request) }, caller);
  } catch (error) {
    return refusalsOf(error);
  }
}

async function admitted(
  policy: Policy,
  valid: ValidOperation,
  caller: Caller,
): Promise<Omit<AdmittedOperation, 'source'>> {
  const { cost } = await policy.admit(valid, caller);
  return { ...valid, cost, denied: policy.deniedFields(valid, caller) };
}

function refusalsOf(error: unknown): readonly GraphQLError[] {
  if (error instanceof OperationRefused) return error.errors;
  if (error instanceof GraphQLError && error.extensions.code) return [error];
  throw error;
}

/** Throws `OperationRefused`. */
function validDocument(graph: Graph, source: string, policy: Policy): DocumentNode {
  const documents = documentsOf.get(graph) ?? new Lru<string, DocumentNode>(DOCUMENTS);
  documentsOf.set(graph, documents);
  return documents.getOrMake(source, () => {
    const document = parsed(source, policy.maxTokens);
    // Cheap limits before the language's own rules, some of which take long on what the limits refuse.
    for (const rules of [policy.rulesFor(graph), specifiedRules]) {
      const faults = validate(graph.schema, document, rules, { maxErrors: MAX_ERRORS });
      if (faults.length > 0)
        throw new OperationRefused(faults.map((each) => coded(each, GRAPHQL_VALIDATION_FAILED)));
    }
    return document;
  });
}

/** Throws `OperationRefused` for what is no document, or a subscription that nothing behind here would survive. */
function parsed(source: string, maxTokens: number): DocumentNode {
  let document: DocumentNode;
  try {
    document = parse(source, { maxTokens });
  } catch (error) {
    throw new OperationRefused([coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')]);
  }
  if (hasConditionalSubscription(document)) {
    throw new OperationRefused([
      new GraphQLError("A subscription's root field cannot carry @include or @skip", {
        extensions: { code: 'SUBSCRIPTION_ROOT_CONDITION' },
      }),
    ]);
  }
  return document;
}

/** Throws `OperationRefused` where there is no such operation, or a variable is wrong. */
function operationOf(
  graph: Graph,
  document: DocumentNode,
  request: Pick<OperationRequest, 'operationName' | 'variables'>,
): Operation {
  const operation = getOperationAST(document, request.operationName);
  if (!operation) {
    throw new OperationRefused([
      new GraphQLError('No such operation in the document', {
        extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
      }),
    ]);
  }
  const variables = request.variables ?? {};
  if (isDeeperThan(MAX_VARIABLE_DEPTH, variables)) {
    throw new OperationRefused([
      new GraphQLError('A variable is nested too deeply', { extensions: { code: BAD_USER_INPUT } }),
    ]);
  }
  const { errors } = getVariableValues(graph.schema, operation.variableDefinitions ?? [], variables, {
    maxErrors: MAX_ERRORS,
  });
  if (errors) throw new OperationRefused(errors.map((error) => coded(error, BAD_USER_INPUT)));
  return { document, operation, variables };
}

/** JSON may nest more deeply than those who walk it, here and in subgraphs, have stack for. */
function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isDeeperThan(levels - 1, (value as Record<string, unknown>)[key])) return true;
  return false;
}

/** The same for what was admitted before, on another version of the supergraph: it is not paid for again. */
export function prepareOperation(
  policy: Policy,
  graph: Graph,
  request: OperationRequest,
): Operation | readonly GraphQLError[] {
  try {
    return operationOf(graph, validDocument(graph, request.query, policy), request);
  } catch (error) {
    if (error instanceof OperationRefused) return error.errors;
    throw error;
  }
}

/**
 * Whether a subscription of the document carries `@include` or `@skip` at its root, which neither the planner
 * nor, with a variable, the validation of `graphql` survives: it has to be found before both.
 */
export function hasConditionalSubscription(document: DocumentNode): boolean {
  const fragments = new Map(
    document.definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each.selectionSet]),
  );
  const visited = new Set<string>();
  const conditional = (set: SelectionSetNode): boolean =>
    set.selections.some((each) => {
      if (each.directives?.some(({ name }) => name.value === 'include' || name.value === 'skip')) return true;
      if (each.kind === Kind.FIELD) return false;
      if (each.kind === Kind.INLINE_FRAGMENT) return conditional(each.selectionSet);
      const fragment = fragments.get(each.name.value);
      if (!fragment || visited.has(each.name.value)) return false;
      visited.add(each.name.value);
      return conditional(fragment);
    });
  return document.definitions.some(
    (each) =>
      each.kind === Kind.OPERATION_DEFINITION &&
      each.operation === OperationTypeNode.SUBSCRIPTION &&
      conditional(each.selectionSet),
  );
}

/** The same for a text; false where it is no document. */
export function isConditionalSubscription(source: unknown, maxTokens = 1_000): boolean {
  if (typeof source !== 'string' || !/\bsubscription\b/.test(source) || !/@(include|skip)\b/.test(source))
    return false;
  try {
    return hasConditionalSubscription(parse(source, { maxTokens, noLocation: true }));
  } catch {
    return false;
  }
}
