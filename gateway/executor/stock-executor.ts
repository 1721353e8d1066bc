/** Plan execution by the vendor's executor, with its answers put right where they leave the specification. */
import { executeQueryPlan } from '@apollo/gateway';
import type { FetchNode, PlanNode } from '@apollo/query-planner';
import {
  type FormattedExecutionResult,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLFormattedError,
  type OperationDefinitionNode,
} from 'graphql';
import type { Logger } from 'pino';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import type { Graph } from '../supergraph.ts';
import { type PlanRequestContext, SubgraphDataSource } from './subgraph-data-source.ts';

export interface ExecutionResult {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly GraphQLError[];
}

interface StockResult {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly GraphQLError[] | undefined;
  extensions?: Record<string, unknown> | undefined;
}

/** The vendor tells of forbidden nulls in `extensions.valueCompletion`; the specification in `errors`. */
export function toSpecification({ data, errors, extensions }: StockResult): ExecutionResult {
  const completion = (extensions?.valueCompletion ?? []) as readonly GraphQLFormattedError[];
  const all = [
    ...(errors ?? []),
    ...completion.map(
      ({ message, path }) => new GraphQLError(message, { path, extensions: { code: INTERNAL_SERVER_ERROR } }),
    ),
  ];
  return { ...(data === undefined ? {} : { data }), ...(all.length > 0 ? { errors: all } : {}) };
}

export interface PlannedEvent {
  readonly graph: Graph;
  readonly operation: OperationDefinitionNode;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly primary: FetchNode;
  readonly rest: PlanNode | undefined;
  /** What the primary's subgraph said. */
  readonly event: FormattedExecutionResult;
  readonly facts: RequestFacts;
  readonly logger: Logger;
}

const EVENT_SERVICE = '@event';

/**
 * One event of a subscription through the rest of its plan. The executor knows no subscriptions: it gets a
 * sequence whose first fetch is answered by the event, and whose second part is the rest.
 */
export async function executeEvent(planned: PlannedEvent): Promise<ExecutionResult> {
  const { graph, operation, fragments, variables, primary, rest, event, facts, logger } = planned;
  const first: FetchNode = {
    kind: 'Fetch',
    serviceName: EVENT_SERVICE,
    operation: primary.operation,
    operationName: primary.operationName,
    operationKind: primary.operationKind,
    ...(primary.outputRewrites ? { outputRewrites: primary.outputRewrites } : {}),
  };
  const services = Object.fromEntries(
    [...graph.clients].map(([name, client]) => [name, new SubgraphDataSource(client, logger)]),
  );
  const context: Pick<PlanRequestContext, 'request' | 'context' | 'logger' | 'metrics'> = {
    request: { variables: { ...variables } },
    context: facts,
    logger,
    metrics: {},
  };
  return toSpecification(
    await executeQueryPlan(
      { kind: 'QueryPlan', node: { kind: 'Sequence', nodes: rest ? [first, rest] : [first] } },
      { ...services, [EVENT_SERVICE]: { process: async () => event } },
      context as PlanRequestContext,
      { schema: graph.schema, operation, fragments: { ...fragments } },
      graph.supergraphSchema,
      graph.apiSchema,
    ),
  );
}
