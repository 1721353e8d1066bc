/** One subgraph as its runner sees it: executed in memory by the gateway, or behind `serveSubgraph`. */
import type { GraphQLSchema } from 'graphql';
import type { Viewer } from '#shared/kernel/viewer.ts';

/** Who is asking, under which request id, and until when. */
export interface RequestFacts {
  readonly viewer: Viewer;
  readonly requestId: string;
  /**
   * Aborted when nobody waits for the answer any more. Never aborted for mutations, which run to their end.
   * A subscription's event source must stop when it is.
   */
  readonly signal: AbortSignal;
}

export interface LocalSubgraph {
  /** The name under which the supergraph knows it. */
  readonly name: string;
  readonly schema: GraphQLSchema;
  /** The resolvers' context, made once per fetch (queries, mutations) or per subscription. */
  createContext(facts: RequestFacts): object;
  /**
   * Answers a raw HTTP request: a vendor's webhook, an upload, a small page. The URL's path is relative to the
   * subgraph: `/services/<name>/hooks/x` at the gateway is `/hooks/x` here. Bodies stream both ways.
   */
  fetchRoute?(request: Request, facts: RequestFacts): Promise<Response>;
  /** Rejects while the subgraph can't serve; asked by the readiness probe. */
  ready?(): Promise<void>;
}
