/** From the text of an operation to a validated document, for transports that Apollo Server does not serve. */
import {
  type DocumentNode,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  parse,
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
