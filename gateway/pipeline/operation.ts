/** From the text of an operation to a validated document, for transports that Apollo Server does not serve. */
import {
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  Kind,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  specifiedRules,
  validate,
} from 'graphql';
import { BAD_USER_INPUT } from '#shared/runtime/server/subgraph-executor.ts';
import type { Graph } from '../supergraph.ts';
import { MAX_TOKENS, selectionLimit } from './limits.ts';

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

const coded = (error: GraphQLError, code: string): GraphQLError =>
  new GraphQLError(error.message, { nodes: error.nodes, extensions: { code } });

/** The operation, ready to be planned, or the errors for the client; the codes are those of HTTP. */
export function prepareOperation(
  graph: Graph,
  request: OperationRequest,
  production: boolean,
): Operation | readonly GraphQLError[] {
  let document: DocumentNode;
  try {
    document = parse(request.query, { maxTokens: MAX_TOKENS });
  } catch (error) {
    return [coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')];
  }
  if (hasConditionalSubscription(document)) {
    return [
      new GraphQLError("A subscription's root field cannot carry @include or @skip", {
        extensions: { code: 'SUBSCRIPTION_ROOT_CONDITION' },
      }),
    ];
  }
  const rules = [...specifiedRules, selectionLimit, ...(production ? [NoSchemaIntrospectionCustomRule] : [])];
  const faults = validate(graph.schema, document, rules, { maxErrors: 20 });
  if (faults.length > 0) return faults.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED'));
  const operation = getOperationAST(document, request.operationName);
  if (!operation) {
    return [
      new GraphQLError('No such operation in the document', {
        extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
      }),
    ];
  }
  const variables = request.variables ?? {};
  const { errors } = getVariableValues(graph.schema, operation.variableDefinitions ?? [], variables, {
    maxErrors: 20,
  });
  if (errors) return errors.map((error) => coded(error, BAD_USER_INPUT));
  return { document, operation, variables };
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
export function isConditionalSubscription(source: unknown): boolean {
  if (typeof source !== 'string' || !/\bsubscription\b/.test(source) || !/@(include|skip)\b/.test(source))
    return false;
  try {
    return hasConditionalSubscription(parse(source, { maxTokens: MAX_TOKENS, noLocation: true }));
  } catch {
    return false;
  }
}
