/**
 * The supergraph file: loaded at start, loaded again when it changes. What cannot be used is told in the log
 * and the last good one stays in service. Live subscriptions keep the graph that they were planned on.
 */
import { createHash } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Schema, Supergraph as SupergraphModel } from '@apollo/federation-internals';
import { ApolloGateway } from '@apollo/gateway';
import { QueryPlanner } from '@apollo/query-planner';
import type { ApolloServerOptionsWithGateway } from '@apollo/server';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { toSpecification } from './executor/stock-executor.ts';
import { SubgraphDataSource } from './executor/subgraph-data-source.ts';
import { disableVendorTelemetry } from './gateway.config.ts';
import type { SubgraphClient } from './subgraph-client/subgraph-client.ts';

/** One version of the supergraph, complete and immutable. */
export interface Graph {
  readonly id: string;
  /** What clients see. */
  readonly schema: GraphQLSchema;
  /** The same in the planner's own model. */
  readonly apiSchema: Schema;
  readonly supergraphSchema: GraphQLSchema;
  readonly planner: QueryPlanner;
  readonly clients: ReadonlyMap<string, SubgraphClient>;
}

/** Makes the client of a subgraph from what the supergraph says of it. */
export type ConnectSubgraph = (subgraph: { name: string; url: string }) => SubgraphClient;

type ServerGateway = ApolloServerOptionsWithGateway<RequestFacts>['gateway'];

interface SupergraphOptions {
  readonly path: string;
  readonly pollInterval: number;
  readonly connect: ConnectSubgraph;
  readonly logger: Logger;
}

export class Supergraph implements AsyncDisposable {
  readonly #options: SupergraphOptions;
  readonly #gateway: ApolloGateway;
  readonly #clients = new Map<string, SubgraphClient>();
  #graph: Graph;
  #update: (sdl: string) => void = () => undefined;

  private constructor(options: SupergraphOptions, sdl: string) {
    this.#options = options;
    this.#graph = this.#build(sdl);
    disableVendorTelemetry();
    this.#gateway = new ApolloGateway({
      supergraphSdl: async ({ update }) => {
        this.#update = update;
        return { supergraphSdl: sdl };
      },
      buildService: ({ name, url }) => new SubgraphDataSource(this.#client(name, url ?? ''), options.logger),
      logger: options.logger,
      __exposeQueryPlanExperimental: false,
      validateSupergraph: true,
    });
  }

  /** Reads the file and begins to watch it; rejects where it is missing or no supergraph. */
  static async open(options: SupergraphOptions): Promise<Supergraph> {
    const supergraph = new Supergraph(options, await readFile(options.path, 'utf8'));
    watchFile(options.path, { interval: options.pollInterval, persistent: false }, supergraph.#onChange);
    return supergraph;
  }

  /** The version in service. */
  get graph(): Graph {
    return this.#graph;
  }

  /** What Apollo Server drives: the vendor's gateway, answering as the specification asks. */
  get forServer(): ServerGateway {
    const gateway = this.#gateway;
    return {
      onSchemaLoadOrUpdate: (listener) => gateway.onSchemaLoadOrUpdate(listener),
      load: async (options) => {
        const { executor } = await gateway.load(options);
        return { executor: async (request) => toSpecification(await executor(request)) };
      },
      stop: () => gateway.stop(),
    };
  }

  /** Reads the file again; rejects, and changes nothing, where it cannot be used. */
  async reload(): Promise<void> {
    const sdl = await readFile(this.#options.path, 'utf8');
    if (idOf(sdl) === this.#graph.id) return;
    const graph = this.#build(sdl);
    this.#update(sdl);
    this.#graph = graph;
    this.#options.logger.info({ supergraph: graph.id }, 'supergraph reloaded');
  }

  readonly #onChange = (): void => {
    this.reload().catch((err: unknown) =>
      this.#options.logger.error({ err }, 'the changed supergraph cannot be used; the last one stays'),
    );
  };

  #build(sdl: string): Graph {
    const model = SupergraphModel.build(sdl, { validateSupergraph: true });
    const apiSchema = model.apiSchema();
    return {
      id: idOf(sdl),
      apiSchema,
      schema: apiSchema.toGraphQLJSSchema(),
      supergraphSchema: model.schema.toGraphQLJSSchema(),
      planner: new QueryPlanner(model),
      clients: new Map(
        model.subgraphsMetadata().map(({ name, url }) => [name, this.#client(name, url)] as const),
      ),
    };
  }

  #client(name: string, url: string): SubgraphClient {
    const key = `${name} ${url}`;
    const client = this.#clients.get(key) ?? this.#options.connect({ name, url });
    this.#clients.set(key, client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    unwatchFile(this.#options.path, this.#onChange);
    await Promise.all([...this.#clients.values()].map((client) => client[Symbol.asyncDispose]()));
  }
}

const idOf = (sdl: string): string => createHash('sha256').update(sdl).digest('hex').slice(0, 16);
