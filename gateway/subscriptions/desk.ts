/** Where every transport brings its subscriptions: admitted by policy, compiled, and handed to the hub. */
import { GraphQLError, type GraphQLFormattedError, OperationTypeNode } from 'graphql';
import type { Logger } from 'pino';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { formatClientError, withoutRepetition } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { type AdmittedOperation, admitOperation, prepareOperation } from '../pipeline/operation.ts';
import type { Caller, Policy } from '../policy/policy.ts';
import type { Graph } from '../supergraph.ts';
import type { RequestObserver } from '../telemetry/observer.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { noLongerValid } from './endings.ts';
import type { LiveFigures } from './figures.ts';
import type { Follower, Outlet } from './follower.ts';
import { type LiveRequest, SubscriptionHub } from './hub.ts';
import type { LiveVersion } from './lane.ts';
import type { LiveLimits } from './topic.ts';

/** A subscription as a client sends it, over whatever transport. */
export interface SubscribeRequest {
  readonly query?: string | undefined;
  /** Hash of a trusted document. */
  readonly documentId?: string | undefined;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly lastEventId?: string | undefined;
  readonly requestId: string;
  readonly observer?: RequestObserver | undefined;
}

/** What it takes to compile a subscription for another version of the supergraph. */
interface Source extends Pick<AdmittedOperation, 'source' | 'variables'> {
  readonly operationName: string | undefined;
  readonly caller: Caller;
}

export interface AdmittedSubscription extends LiveRequest<Source> {
  readonly graph: Graph;
}

export interface DeskOptions {
  readonly config: GatewayConfig;
  readonly policy: Policy;
  /** The version of the supergraph in service, as the caller may see it. */
  readonly graphFor: (caller: Caller) => Graph;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
}

export class SubscriptionDesk implements Disposable {
  readonly #options: DeskOptions;
  readonly #hub: SubscriptionHub<Source>;

  constructor(options: DeskOptions) {
    this.#options = options;
    const { config, logger } = options;
    this.#hub = new SubscriptionHub({ limits: limitsOf(config), format: this.format, logger });
  }

  /** How errors leave the gateway. */
  readonly format = (error: GraphQLFormattedError): GraphQLFormattedError =>
    formatClientError(error, this.#options.config.PRODUCTION);

  /**
   * May this caller follow that? Answers with what `follow` takes, or with the errors for the client. A transport
   * that has asked policy already says what came of it.
   */
  async admit(
    request: SubscribeRequest,
    caller: Caller,
    before?: AdmittedOperation | readonly GraphQLError[],
  ): Promise<AdmittedSubscription | readonly GraphQLFormattedError[]> {
    const { policy, graphFor, telemetry, logger } = this.#options;
    const { requestId, observer } = request;
    try {
      const admitted = before ?? (await admitOperation(policy, graphFor(caller), request, caller));
      if ('length' in admitted)
        return withoutRepetition(admitted.map((error) => this.format(error.toJSON())));
      const { operation, source, variables, denied } = admitted;
      observer?.admitted(operation);
      if (operation.operation !== OperationTypeNode.SUBSCRIPTION)
        return this.#refused('SUBSCRIPTIONS_ONLY', 'Send queries and mutations over HTTP');
      const operationName = operation.name?.value;
      logger.info({ requestId, operation: operationName }, 'subscribe');
      return {
        graph: admitted.graph,
        version: compile(admitted, telemetry),
        variables,
        viewer: caller.viewer,
        audience: audienceOf(caller, denied.size > 0),
        requestId,
        lastEventId: request.lastEventId,
        source: { source, operationName, variables, caller },
      };
    } catch (error) {
      if (error instanceof GraphQLError && error.extensions.code) return [this.format(error.toJSON())];
      logger.error({ err: error, requestId }, 'a subscription could not be admitted');
      return this.#refused(INTERNAL_SERVER_ERROR, 'Internal error');
    }
  }

  #refused(code: string, message: string): readonly GraphQLFormattedError[] {
    return [this.format({ message, extensions: { code } })];
  }

  /** Events that are at hand are sent before this returns. */
  follow(subscription: AdmittedSubscription, outlet: Outlet): Follower | undefined {
    const { graph, source, requestId } = subscription;
    try {
      // While it was admitted the supergraph may have changed, and its topics with it.
      const changed = graph !== this.#options.graphFor(source.caller);
      const version = changed ? this.#compileAgain(source) : subscription.version;
      if (version) return this.#hub.follow({ ...subscription, version }, outlet);
      outlet.fail([this.format(noLongerValid)]);
    } catch (err) {
      this.#options.logger.error({ err, requestId }, 'a subscription could not begin');
      outlet.fail(this.#refused(INTERNAL_SERVER_ERROR, 'Internal error'));
    }
    return undefined;
  }

  /** The supergraph in service has changed: every subscription goes on with the new one, or is told why not. */
  reload(): Promise<void> {
    return this.#hub.reload((source) => this.#compileAgain(source));
  }

  /** For the supergraph in service; `undefined` where that does not know the operation any more. */
  #compileAgain({ source: query, operationName, variables, caller }: Source): LiveVersion | undefined {
    const { policy, graphFor, telemetry, logger } = this.#options;
    try {
      const graph = graphFor(caller);
      const prepared = prepareOperation(policy, graph, { query, operationName, variables });
      if ('length' in prepared) return undefined;
      const valid = { graph, ...prepared };
      return compile({ ...valid, denied: policy.deniedFields(valid, caller) }, telemetry);
    } catch (err) {
      logger.warn({ err, operation: operationName }, 'a subscription cannot be served any more');
      return undefined;
    }
  }

  get figures(): LiveFigures {
    return this.#hub.figures;
  }

  [Symbol.dispose](): void {
    this.#hub[Symbol.dispose]();
  }
}

/** Throws a coded `GraphQLError` where the operation cannot be served. */
function compile(admitted: Omit<AdmittedOperation, 'cost' | 'source'>, telemetry: Telemetry): LiveVersion {
  const operation = telemetry.watchEvents(admitted.graph.executor.live(admitted));
  const client = admitted.graph.clients.get(operation.upstream.subgraph);
  if (!client) throw new Error(`The plan names an unknown subgraph ${operation.upstream.subgraph}`);
  return { operation, client };
}

/** Beside the viewer, what decides on what a caller is shown. */
const audienceOf = ({ contract, scopes }: Caller, someDenied: boolean): string =>
  JSON.stringify([contract, someDenied ? [...scopes].sort() : []]);

const limitsOf = (config: GatewayConfig): LiveLimits => ({
  log: {
    events: config.SUBSCRIPTION_BUFFER,
    size: config.SUBSCRIPTION_BUFFER_SIZE,
    sizePerFollower: 16 * 1024,
  },
  unsent: config.CLIENT_BACKLOG,
  linger: config.SUBSCRIPTION_LINGER,
  drainCheck: 50,
  recovery: { within: config.SUBSCRIPTION_RECOVERY, firstDelay: 100, longestDelay: 3_000 },
});
