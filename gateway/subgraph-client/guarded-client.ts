/**
 * Keeps one bad subgraph from costing more than its own fields: at most so many requests at once, none for a
 * while after many failed in a row, and identical queries of one viewer that are on their way are sent once.
 */
import type { FormattedExecutionResult } from 'graphql';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import type { SubgraphCall } from '#shared/runtime/server/subgraph-executor.ts';
import { clone } from '../executor/merge.ts';
import { Gate, GateClosed } from './gate.ts';
import {
  type RouteRequest,
  type SubgraphClient,
  SubgraphFailure,
  type SubgraphRequest,
} from './subgraph-client.ts';

export interface Guards {
  /** Requests at once; as many again, times ten, may wait. */
  readonly concurrency: number;
  /** So many failures in a row and nothing is sent for `restAfterFailures`. */
  readonly failuresInARow: number;
  /** Milliseconds. */
  readonly restAfterFailures: number;
}

/** What it has done and is doing, for whoever observes the gateway. */
export interface ClientFigures {
  /** Queries that were answered together with an equal one on its way. */
  readonly shared: number;
  readonly running: number;
  readonly waiting: number;
  readonly breaker: 'closed' | 'half-open' | 'open';
}

interface InFlight {
  readonly waiting: PromiseWithResolvers<FormattedExecutionResult>[];
}

/** Times the requests at once, that may wait. */
const QUEUE = 10;

export class GuardedClient implements SubgraphClient {
  readonly name: string;
  readonly #client: SubgraphClient;
  readonly #gate: Gate;
  readonly #inFlight = new Map<string, InFlight>();
  #shared = 0;

  constructor(client: SubgraphClient, guards: Guards) {
    this.name = client.name;
    this.#client = client;
    this.#gate = new Gate({ ...guards, queue: guards.concurrency * QUEUE });
  }

  execute(request: SubgraphRequest): Promise<FormattedExecutionResult> {
    if (request.operation.mutation) {
      // What is asked after a change must not share an answer from before it.
      return this.#guarded(request).finally(() => this.#inFlight.clear());
    }
    const key = `${request.operation.id} ${scopeOf(request.facts.viewer)} ${request.variablesText}`;
    const known = this.#inFlight.get(key);
    if (known) {
      const waiting = Promise.withResolvers<FormattedExecutionResult>();
      this.#shared += 1;
      known.waiting.push(waiting);
      return waiting.promise;
    }
    return this.#first(key, request);
  }

  /** Sends, and answers everybody who asked the same meanwhile. */
  async #first(key: string, request: SubgraphRequest): Promise<FormattedExecutionResult> {
    const flight: InFlight = { waiting: [] };
    const { waiting } = flight;
    this.#inFlight.set(key, flight);
    const landed = () => this.#inFlight.get(key) === flight && this.#inFlight.delete(key);
    try {
      const answer = await this.#guarded(request);
      landed();
      // Each merges its answer into its own data, so each needs a copy, made before the first begins.
      for (const each of waiting) each.resolve(clone(answer));
      return answer;
    } catch (error) {
      landed();
      // Those that still wait must not suffer when the first client leaves: one of them asks anew.
      if (request.facts.signal.aborted && waiting.length > 0) this.#again(waiting, request);
      else for (const each of waiting) each.reject(error);
      throw error;
    }
  }

  #again(waiting: InFlight['waiting'], request: SubgraphRequest): void {
    const signal = new AbortController().signal;
    this.execute({ ...request, facts: { ...request.facts, signal } }).then(
      (answer) => {
        for (const each of waiting) each.resolve(clone(answer));
      },
      (error: unknown) => {
        for (const each of waiting) each.reject(error);
      },
    );
  }

  async #guarded(request: SubgraphRequest): Promise<FormattedExecutionResult> {
    const turn = this.#enter();
    if (turn) await turn;
    try {
      const answer = await this.#client.execute(request);
      this.#gate.leave('answered');
      return answer;
    } catch (error) {
      const abandoned = error instanceof SubgraphFailure && error.abandoned;
      this.#gate.leave(abandoned ? 'abandoned' : 'failed');
      throw error;
    }
  }

  #enter(): Promise<void> | undefined {
    try {
      return this.#gate.enter();
    } catch (error) {
      if (error instanceof GateClosed) throw new SubgraphFailure('SUBGRAPH_UNAVAILABLE', this.name, error);
      throw error;
    }
  }

  get figures(): ClientFigures {
    const { running, waiting, state } = this.#gate;
    return { shared: this.#shared, running, waiting, breaker: state };
  }

  subscribe(call: SubgraphCall) {
    return this.#client.subscribe(call);
  }

  fetchRoute(request: RouteRequest, facts: RequestFacts): Promise<Response> {
    return this.#client.fetchRoute(request, facts);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]() as Promise<void>;
  }
}

const scopes = new WeakMap<Viewer, string>();

/** What of a viewer reaches subgraphs: answers may be shared only where it is equal. */
function scopeOf(viewer: Viewer): string {
  const known = scopes.get(viewer);
  if (known !== undefined) return known;
  const scope = JSON.stringify(viewer, Object.keys(viewer).sort());
  scopes.set(viewer, scope);
  return scope;
}
