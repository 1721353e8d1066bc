/** What every way over HTTP does with an operation that policy has admitted. */
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { Logger } from 'pino';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { refusal } from '../errors.ts';
import type { ExecutionResult } from '../executor/executor.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import type { AdmittedOperation } from '../pipeline/operation.ts';
import type { Caller } from '../policy/policy.ts';
import type { RequestObserver } from '../telemetry/observer.ts';

export interface Context extends RequestFacts {
  readonly caller: Caller;
  readonly observer: RequestObserver | undefined;
  /** A signed-in caller who sends `X-Cost: 1` is told what its operation was reckoned at. */
  readonly wantsCost: boolean;
}

/**
 * Runs what policy has admitted, as one result; `undefined` for a subscription, which has none.
 */
export async function runOnce(
  { config, logger }: { config: GatewayConfig; logger: Logger },
  admitted: Omit<AdmittedOperation, 'source'>,
  context: Context,
): Promise<(ExecutionResult & { readonly extensions?: object }) | undefined> {
  const { operation, graph, cost } = admitted;
  const { observer, requestId, wantsCost } = context;
  if (operation.operation === OperationTypeNode.SUBSCRIPTION) return undefined;
  observer?.admitted(operation);
  const budget = budgetOf(config, operation.operation);
  const result = await graph.executor.execute(admitted, { facts: context, budget, observer });
  observer?.stage('shape');
  logFaults(result, requestId, logger);
  return wantsCost ? { ...result, extensions: { cost: { requested: cost } } } : result;
}

export const withStatus = (error: GraphQLError, status: number): GraphQLError =>
  error.extensions.http
    ? error
    : new GraphQLError(error.message, { ...error, extensions: { ...error.extensions, http: { status } } });

export const budgetOf = (config: GatewayConfig, operation: OperationTypeNode): number =>
  operation === OperationTypeNode.MUTATION ? config.MUTATION_TIMEOUT : config.REQUEST_TIMEOUT;

export const overHttp = (): GraphQLError =>
  refusal(
    'SUBSCRIPTION_NEEDS_STREAM',
    'Subscribe over graphql-transport-ws, or with Accept: text/event-stream, at this address',
    400,
  );

function logFaults({ errors }: ExecutionResult, requestId: string, logger: Logger): void {
  for (const err of errors ?? []) {
    const { code } = err.extensions;
    if (code === undefined || code === INTERNAL_SERVER_ERROR)
      logger.error({ err: err.originalError ?? err, path: err.path, requestId }, 'operation failed');
  }
}
