/**
 * A supergraph file: loaded at start, loaded again when it changes. What cannot be used is told in the log and
 * the last good version stays in service. A new version comes into service warm: what clients ask most is planned
 * before the switch.
 */
import { createHash } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import {
  ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
  type Schema,
  Supergraph as SupergraphModel,
} from '@apollo/federation-internals';
import { ApolloGateway } from '@apollo/gateway';
import { QueryPlanner } from '@apollo/query-planner';
import { type GraphQLSchema, specifiedRules, validate } from 'graphql';
import type { Logger } from 'pino';
import { Executor, type OperationSource } from './executor/executor.ts';
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
  readonly executor: Executor;
  readonly clients: ReadonlyMap<string, SubgraphClient>;
}

/** The client of a subgraph, by what the supergraph says of it; the same one for the same. */
export type ConnectSubgraph = (subgraph: { name: string; url: string }) => SubgraphClient;

interface SupergraphOptions {
  readonly path: string;
  readonly pollInterval: number;
  readonly connect: ConnectSubgraph;
  readonly logger: Logger;
}

/** What became of new versions since the gateway began. */
export interface ReloadFigures {
  /** Versions that came into service, and those that could not be used. */
  reloaded: number;
  refused: number;
  /** The longest time, in milliseconds, that a reload kept everything else waiting. */
  longestPause: number;
}

/** Operations that are planned again before a new version comes into service. */
const WARM = 100;

export class Supergraph implements AsyncDisposable {
  readonly #options: SupergraphOptions;
  readonly #gateway: ApolloGateway;
  readonly #listeners = new Set<(graph: Graph) => void>();
  readonly #figures: ReloadFigures = { reloaded: 0, refused: 0, longestPause: 0 };
  #update: (sdl: string) => void = () => undefined;
  #graph: Graph | undefined;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(options: SupergraphOptions, sdl: string) {
    this.#options = options;
    disableVendorTelemetry();
    this.#gateway = new ApolloGateway({
      supergraphSdl: async ({ update }) => {
        this.#update = update;
        return { supergraphSdl: forVendor(sdl) };
      },
      // The vendor's gateway says which subgraphs there are; our executor asks them through clients of our own.
      buildService: ({ name, url }) => {
        options.connect({ name, url: url ?? '' });
        return { process: () => Promise.reject(new Error('Plans are run by our own executor')) };
      },
      logger: options.logger,
      __exposeQueryPlanExperimental: false,
      validateSupergraph: true,
    });
  }

  /** Reads the file and begins to watch it; rejects where it is missing or no supergraph. */
  static async open(options: SupergraphOptions): Promise<Supergraph> {
    const sdl = await readFile(options.path, 'utf8');
    const supergraph = new Supergraph(options, sdl);
    await supergraph.#gateway.load();
    supergraph.#graph = supergraph.#build(sdl);
    watchFile(options.path, { interval: options.pollInterval, persistent: false }, supergraph.#onChange);
    return supergraph;
  }

  /** The version in service. */
  get graph(): Graph {
    if (!this.#graph) throw new Error('The supergraph is not open yet');
    return this.#graph;
  }

  /** Calls back with each new version as it comes into service; returns what ends that. */
  onChange(listener: (graph: Graph) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the file again; rejects, and changes nothing, where it cannot be used. One at a time. */
  reload(): Promise<void> {
    const next = this.#reloading.catch(() => undefined).then(() => this.#reload());
    this.#reloading = next.catch((error: unknown) => {
      this.#figures.refused += 1;
      throw error;
    });
    return this.#reloading;
  }

  async #reload(): Promise<void> {
    const sdl = await readFile(this.#options.path, 'utf8');
    const before = this.graph;
    if (idOf(sdl) === before.id) return;
    const graph = this.#pausing(() => this.#build(sdl));
    await breathe();
    this.#pausing(() => this.#update(forVendor(sdl)));
    for (const operation of before.executor.hottest(WARM)) {
      // Requests are served between two plans.
      await breathe();
      this.#pausing(() => warm(graph, operation));
    }
    this.#graph = graph;
    this.#figures.reloaded += 1;
    this.#options.logger.info({ supergraph: graph.id }, 'supergraph reloaded');
    for (const listener of this.#listeners) listener(graph);
  }

  /** Does what keeps everything else waiting. */
  #pausing<Result>(work: () => Result): Result {
    const began = performance.now();
    try {
      return work();
    } finally {
      this.#figures.longestPause = Math.max(this.#figures.longestPause, performance.now() - began);
    }
  }

  get figures(): Readonly<ReloadFigures> {
    return this.#figures;
  }

  readonly #onChange = (): void => {
    this.reload().catch((err: unknown) =>
      this.#options.logger.error({ err }, 'the changed supergraph cannot be used; the last one stays'),
    );
  };

  #build(sdl: string): Graph {
    const model = SupergraphModel.build(sdl, {
      supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
      validateSupergraph: true,
    });
    const apiSchema = model.apiSchema();
    const schema = apiSchema.toGraphQLJSSchema({ includeDefer: true });
    const supergraphSchema = model.schema.toGraphQLJSSchema();
    const { connect, logger } = this.#options;
    const clients = new Map(
      model.subgraphsMetadata().map(({ name, url }) => [name, connect({ name, url })] as const),
    );
    const executor = new Executor({
      schema: supergraphSchema,
      clientSchema: schema,
      apiSchema,
      planner: new QueryPlanner(model, { incrementalDelivery: { enableDefer: true } }),
      clients,
      typesOf: new Map(
        [...model.subgraphs()].map(({ name, schema: of }) => [
          name,
          new Set(of.types().map((type) => type.name)),
        ]),
      ),
      interfaces: new Set(model.schema.interfaceTypes().map(({ name }) => name)),
      overrideShares: overrideShares(sdl),
      onFailure: (subgraph, err, requestId) =>
        logger.warn({ err, subgraph, requestId }, 'a subgraph gave no answer'),
    });
    return { id: idOf(sdl), apiSchema, schema, supergraphSchema, executor, clients };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    unwatchFile(this.#options.path, this.#onChange);
    await this.#gateway.stop();
  }
}

/** Plans ahead; what is not valid any more is left out. */
function warm({ schema, executor }: Graph, operation: OperationSource): void {
  if (validate(schema, operation.document, specifiedRules, { maxErrors: 1 }).length === 0)
    executor.prepare(operation);
}

/**
 * The vendor's gateway refuses supergraphs with features that it does not carry out itself (`@context`,
 * `@authenticated` and the like). Those are our executor's and our policy's to carry out, so it is not asked to.
 */
const forVendor = (sdl: string): string => sdl.replaceAll(/, for: (?:SECURITY|EXECUTION)\)/g, ')');

const idOf = (sdl: string): string => createHash('sha256').update(sdl).digest('hex').slice(0, 16);

/** Progressive overrides carry labels like `percent(5)`; other labels need somebody to say when they are on. */
function overrideShares(sdl: string): ReadonlyMap<string, number> {
  const labels = [...sdl.matchAll(/overrideLabel: "([^"]+)"/g)].map(([, label]) => label ?? '');
  return new Map(
    labels.map((label) => [label, Number(/^percent\((\d+(?:\.\d+)?)\)$/.exec(label)?.[1] ?? 0)] as const),
  );
}
