/** A subgraph of this process: executed in memory on cached documents, without HTTP. */
import type { Logger } from 'pino';
import type { LocalSubgraph, RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { type SubgraphCall, SubgraphExecutor } from '#shared/runtime/server/subgraph-executor.ts';
import { toWebRequest } from '#shared/runtime/server/web-bridge.ts';
import {
  type RouteRequest,
  type SubgraphClient,
  SubgraphFailure,
  type SubgraphLimits,
  type SubgraphRequest,
} from './subgraph-client.ts';

export class LocalClient implements SubgraphClient {
  readonly name: string;
  readonly #local: LocalSubgraph;
  readonly #executor: SubgraphExecutor;
  readonly #limits: SubgraphLimits;

  constructor(local: LocalSubgraph, limits: SubgraphLimits, logger: Logger) {
    this.name = local.name;
    this.#local = local;
    this.#executor = new SubgraphExecutor(local, logger);
    this.#limits = limits;
  }

  execute({ operation, variables, facts, deadline }: SubgraphRequest) {
    const { viewer, requestId } = facts;
    const { query, operationName, mutation } = operation;
    const call = { query, operationName, variables, viewer, requestId };
    if (mutation) {
      const lasting = { ...call, signal: new AbortController().signal };
      return this.#within(this.#limits.mutation, this.#executor.execute(lasting));
    }
    const late = new AbortController();
    const stopped = AbortSignal.any([facts.signal, late.signal]);
    const left = Math.min(this.#limits.query, deadline - performance.now());
    return this.#within(left, this.#executor.execute({ ...call, signal: stopped }), late);
  }

  subscribe(call: SubgraphCall) {
    return this.#executor.subscribe(call, this.#limits.eventsBehind);
  }

  async fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response> {
    if (!this.#local.fetchRoute) return Response.json({ code: 'NOT_FOUND' }, { status: 404 });
    const late = new AbortController();
    const signal = AbortSignal.any([facts.signal, late.signal]);
    const url = `http://${this.name}${request.target}`;
    const answer = this.#local.fetchRoute(toWebRequest({ ...request, url, signal }), { ...facts, signal });
    return this.#within(this.#limits.route, answer, late);
  }

  async #within<Answer>(
    milliseconds: number,
    answer: Promise<Answer>,
    late?: AbortController,
  ): Promise<Answer> {
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new SubgraphFailure('SUBGRAPH_TIMEOUT', this.name));
      late?.abort();
    }, milliseconds);
    try {
      return await Promise.race([answer, timedOut]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
