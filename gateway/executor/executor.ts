/**
 * Runs operations on one version of a supergraph. The way of an operation, once: `normalise` (one form), `plan`
 * (the vendor's planner; compiled into one function). The way of a request, each time: run the compiled plan's
 * fetches (`fetch.ts`), then `shape` the answer. A request of a document that came before does no work on it,
 * unless fields of it are denied or deferred: then it is normalised again, to find the plan by its key.
 */
import {
  type DocumentNode,
  executeSync,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { Lru } from '#shared/runtime/lru.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import type { LiveOperation } from '../subscriptions/live-operation.ts';
import type { RunObserver } from '../telemetry/observer.ts';
import type { Run } from './fetch.ts';
import { type IncrementalResult, runIncrementally } from './incremental.ts';
import { compileLive } from './live.ts';
import { type NormalOperation, normalise, usesDefer } from './normalise.ts';
import { Notes } from './notes.ts';
import { type CompiledPlan, type Overrides, type PlanSource, planOperation } from './plan.ts';
import { Shapes } from './shape.ts';

type Json = Record<string, unknown>;

export interface ExecutionResult {
  readonly data?: Json | null;
  readonly errors?: readonly GraphQLError[];
}

export interface ExecutorSource extends PlanSource {
  /** The schema that clients see, for introspection and for the types of answers. */
  readonly apiSchema: PlanSource['apiSchema'];
  readonly clientSchema: GraphQLSchema;
  /** Labels of progressive `@override`, each with the share of requests, 0 to 100, for which it is on. */
  readonly overrideShares: ReadonlyMap<string, number>;
  readonly onFailure: Run['onFailure'];
}

/** A valid operation of a document, as the pipeline hands it over. */
export interface OperationSource {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Json>;
  /** Fields that the caller may not see: null, with an error each. */
  readonly denied: ReadonlySet<FieldNode>;
}

export interface RunOptions {
  readonly facts: RequestFacts;
  /** Milliseconds that the answer may take. */
  readonly budget: number;
  readonly observer?: RunObserver | undefined;
}

/** An operation that was planned and can run. */
interface Prepared {
  readonly source: OperationSource;
  /** How often it was run. */
  runs: number;
  readonly plan: CompiledPlan;
  readonly shapes: Shapes;
  readonly introspection: DocumentNode | undefined;
}

const OPERATIONS = 2_000;
const noOverrides: Overrides = new Map();

export class Executor {
  readonly #source: ExecutorSource;
  /** By what the operation means. */
  readonly #prepared = new Lru<string, Prepared>(OPERATIONS);
  readonly #live = new Lru<string, LiveOperation>(OPERATIONS);
  /** Short cuts past normalisation, for documents that come again. */
  readonly #known = new WeakMap<OperationDefinitionNode, Prepared>();
  /** Plans that were made. */
  #planned = 0;

  constructor(source: ExecutorSource) {
    this.#source = source;
  }

  /** Answers a query or a mutation; rejects only where the operation cannot be planned. */
  async execute(source: OperationSource, options: RunOptions): Promise<ExecutionResult> {
    const { prepared, run } = this.#begin(source, options);
    const step = prepared.plan.step?.(run);
    if (step) await step;
    run.observer?.gathered();
    const { data, errors } = prepared.shapes.for(source.variables).apply(run.root, run.notes);
    for (const { message, extensions } of run.notes.unplaced)
      errors.push(new GraphQLError(message, { extensions }));
    return errors.length > 0 ? { data, errors } : { data };
  }

  /** The same, with deferred fragments as later results. */
  executeIncrementally(source: OperationSource, options: RunOptions): AsyncGenerator<IncrementalResult> {
    const { prepared, run } = this.#begin(source, options, this.#canDefer(source));
    return runIncrementally(run, prepared.plan, prepared.shapes.for(source.variables));
  }

  /** Whether the planner can plan it in parts; otherwise all of it comes at once, as a server may choose. */
  #canDefer(source: OperationSource): boolean {
    if (!usesDefer(source.document)) return false;
    try {
      this.#prepare(source, true);
      return true;
    } catch {
      return false;
    }
  }

  /** A subscription for the hub; throws a coded `GraphQLError` where it cannot be served. */
  live(source: Omit<OperationSource, 'variables'>): LiveOperation {
    // Its name is the client's own affair: whoever asks for the same shares it.
    const { name: _, ...operation } = source.operation;
    const normal = normalise(source.document, operation, {
      ...source,
      schema: this.#source.clientSchema,
      defer: false,
      variables: {},
    });
    return this.#live.getOrMake(`${normal.key} ${deniedKey(normal)}`, () =>
      compileLive(this.#source, normal, this.#overrides()),
    );
  }

  /** Plans the operation, so that the first request need not. */
  prepare(source: OperationSource): void {
    this.#prepare(source);
  }

  /** The operations that were run most often, at most `count`. */
  hottest(count: number): OperationSource[] {
    return [...this.#prepared.values()]
      .sort((one, other) => other.runs - one.runs)
      .slice(0, count)
      .map(({ source }) => source);
  }

  #prepare(source: OperationSource, defer = false): Prepared {
    const overrides = this.#overrides();
    const plain = !defer && source.denied.size === 0 && overrides.size === 0;
    const known = plain ? this.#known.get(source.operation) : undefined;
    if (known) return known;
    const schema = this.#source.clientSchema;
    const normal = normalise(source.document, source.operation, { ...source, schema, defer });
    const key = `${normal.key} ${deniedKey(normal)} ${[...overrides].filter(([, on]) => on).join()}`;
    const prepared = this.#prepared.getOrMake(key, () => {
      this.#planned += 1;
      const { operation, introspection } = withoutIntrospection(normal.operation);
      const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: [operation] };
      return {
        source,
        runs: 0,
        plan: planOperation(this.#source, { ...normal, document, operation }, overrides),
        shapes: new Shapes({ schema, normal }),
        introspection,
      };
    });
    if (plain) this.#known.set(source.operation, prepared);
    return prepared;
  }

  #begin(
    source: OperationSource,
    { facts, budget, observer }: RunOptions,
    defer = false,
  ): { readonly prepared: Prepared; readonly run: Run } {
    const planned = this.#planned;
    const prepared = this.#prepare(source, defer);
    observer?.planned(planned === this.#planned);
    prepared.runs += 1;
    const { introspection } = prepared;
    const root: Json = introspection ? this.#introspect(introspection, source) : {};
    const run: Run = {
      root,
      variables: source.variables,
      facts,
      deadline: performance.now() + budget,
      notes: new Notes(),
      onFailure: this.#source.onFailure,
      observer,
      asked: source.operation.operation === OperationTypeNode.MUTATION ? undefined : new Map(),
    };
    return { prepared, run };
  }

  #introspect(document: DocumentNode, { variables }: OperationSource): Json {
    const { data, errors } = executeSync({
      schema: this.#source.clientSchema,
      document,
      rootValue: {},
      variableValues: variables,
    });
    if (errors) throw errors[0];
    return { ...data };
  }

  /** Which progressive overrides are on for this request. */
  #overrides(): Overrides {
    const { overrideShares } = this.#source;
    if (overrideShares.size === 0) return noOverrides;
    return new Map([...overrideShares].map(([label, share]) => [label, Math.random() * 100 < share]));
  }
}

/** Tells apart the sets of fields that callers of one document are denied. */
function deniedKey({ denied, responseNames }: NormalOperation): string {
  if (denied.size === 0) return '';
  return [...responseNames.keys()].flatMap((field, index) => (denied.has(field) ? [index] : [])).join();
}

const introspective = (selection: SelectionNode): boolean =>
  selection.kind === Kind.FIELD && (selection.name.value === '__schema' || selection.name.value === '__type');

/** What the schema itself answers, apart from what subgraphs do; both are at the root only. */
function withoutIntrospection(operation: OperationDefinitionNode): {
  operation: OperationDefinitionNode;
  introspection: DocumentNode | undefined;
} {
  const reaches = ({ selections }: SelectionSetNode): boolean =>
    selections.some(
      (each) => introspective(each) || (each.kind === Kind.INLINE_FRAGMENT && reaches(each.selectionSet)),
    );
  if (!reaches(operation.selectionSet)) return { operation, introspection: undefined };
  const part = (wanted: boolean): OperationDefinitionNode => {
    const keep = (set: SelectionSetNode): SelectionSetNode => ({
      ...set,
      selections: set.selections.flatMap((each): SelectionNode[] => {
        if (each.kind !== Kind.INLINE_FRAGMENT) return introspective(each) === wanted ? [each] : [];
        const selectionSet = keep(each.selectionSet);
        return selectionSet.selections.length > 0 ? [{ ...each, selectionSet }] : [];
      }),
    });
    return { ...operation, selectionSet: keep(operation.selectionSet) };
  };
  return {
    operation: part(false),
    introspection: { kind: Kind.DOCUMENT, definitions: [part(true)] },
  };
}
