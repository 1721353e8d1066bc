/**
 * Runs operations on one local subgraph, the same way in memory and behind HTTP: documents are parsed and
 * validated once, refusals become coded errors, everything else is logged here and told as an internal error.
 */
import {
  type DocumentNode,
  execute,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  parse,
  specifiedRules,
  subscribe,
  ValuesOfCorrectTypeRule,
  validate,
} from 'graphql';
import type { Logger } from 'pino';
import { Refusal } from '#shared/kernel/errors.ts';
import { Lru } from '#shared/runtime/lru.ts';
import { EventQueue } from '#shared/runtime/server/event-queue.ts';
import type { LocalSubgraph, RequestFacts } from '#shared/runtime/server/local-subgraph.ts';

export const INTERNAL_SERVER_ERROR = 'INTERNAL_SERVER_ERROR';
export const BAD_USER_INPUT = 'BAD_USER_INPUT';

export interface SubgraphOperation {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

export interface SubgraphCall extends SubgraphOperation, RequestFacts {}

/** Whether a planned operation changes something; the planner prints queries without or with their keyword. */
export const isMutation = (query: string): boolean => query.startsWith('mutation');

type Prepared = { readonly document: DocumentNode } | { readonly errors: readonly GraphQLFormattedError[] };

const DOCUMENTS = 1_000;
/** Events that a subscription may lie behind its source before it is cut off. */
const EVENTS_BEHIND = 256;

const shapeRules = specifiedRules.filter((rule) => rule !== ValuesOfCorrectTypeRule);

const coded = (error: GraphQLError, code: string): GraphQLFormattedError => ({
  ...error.toJSON(),
  extensions: { ...error.extensions, code },
});

export class SubgraphExecutor {
  readonly #local: LocalSubgraph;
  readonly #logger: Logger;
  readonly #documents = new Lru<string, Prepared>(DOCUMENTS);

  constructor(local: LocalSubgraph, logger: Logger) {
    this.#local = local;
    this.#logger = logger;
  }

  /** Answers a query or a mutation; never rejects. */
  async execute(call: SubgraphCall): Promise<FormattedExecutionResult> {
    try {
      const prepared = this.#prepare(call.query);
      if ('errors' in prepared) return prepared;
      return this.#toWire(await execute(this.#arguments(prepared.document, call)), call);
    } catch (error) {
      return { errors: [this.toWireError(error, call)] };
    }
  }

  /** The events of a subscription until the reader returns or `signal` aborts; fails with a coded error. */
  subscribe(call: SubgraphCall, eventsBehind = EVENTS_BEHIND): EventQueue<FormattedExecutionResult> {
    const stop = new AbortController();
    const signal = AbortSignal.any([call.signal, stop.signal]);
    const queue = new EventQueue<FormattedExecutionResult>(eventsBehind, () => stop.abort());
    signal.addEventListener('abort', () => queue.finish(), { once: true });
    this.#feed(queue, { ...call, signal }).catch((error) => {
      const { message, ...rest } = this.toWireError(error, call);
      queue.fail(new GraphQLError(message, rest));
    });
    return queue;
  }

  async #feed(queue: EventQueue<FormattedExecutionResult>, call: SubgraphCall): Promise<void> {
    const prepared = this.#prepare(call.query);
    if ('errors' in prepared) return queue.fail(toGraphQLError(prepared.errors[0]));
    const source = await subscribe(this.#arguments(prepared.document, call));
    if (!(Symbol.asyncIterator in source)) {
      return queue.fail(toGraphQLError(this.#toWire(source, call).errors?.[0]));
    }
    // A source that waits for its next event can't be awaited here: it ends by the signal it was given.
    const close = () => void source.return?.(undefined).catch(() => undefined);
    if (call.signal.aborted) return close();
    call.signal.addEventListener('abort', close, { once: true });
    for await (const event of source) queue.push(this.#toWire(event, call));
    queue.finish();
  }

  #prepare(query: string): Prepared {
    return this.#documents.getOrMake(query, () => {
      try {
        const document = parse(query);
        const shape = validate(this.#local.schema, document, shapeRules);
        if (shape.length > 0) return { errors: shape.map((error) => coded(error, INTERNAL_SERVER_ERROR)) };
        // Custom scalars are checked here and not at the gateway, which does not know how they are written.
        const values = validate(this.#local.schema, document, [ValuesOfCorrectTypeRule]);
        if (values.length > 0) return { errors: values.map((error) => coded(error, BAD_USER_INPUT)) };
        return { document };
      } catch (error) {
        if (error instanceof GraphQLError) return { errors: [coded(error, INTERNAL_SERVER_ERROR)] };
        throw error;
      }
    });
  }

  #arguments(document: DocumentNode, call: SubgraphCall) {
    const { viewer, requestId, signal } = call;
    return {
      schema: this.#local.schema,
      document,
      operationName: call.operationName,
      variableValues: call.variables,
      contextValue: this.#local.createContext({ viewer, requestId, signal }),
    };
  }

  #toWire(
    result: { data?: Record<string, unknown> | null; errors?: readonly GraphQLError[] },
    call: SubgraphCall,
  ): FormattedExecutionResult {
    if (!result.errors) return { data: result.data ?? null };
    const { errors } = result;
    // Neither data nor a path: nothing was executed, the variables did not fit.
    const toWire = (error: GraphQLError) =>
      'data' in result || error.path ? this.toWireError(error, call) : coded(error, BAD_USER_INPUT);
    return { ...('data' in result ? { data: result.data ?? null } : {}), errors: errors.map(toWire) };
  }

  /** How an error leaves the subgraph: refusals with code, kind and details, the unexpected logged and coded. */
  toWireError(error: unknown, call: { requestId: string }): GraphQLFormattedError {
    const located = error instanceof GraphQLError ? error : new GraphQLError(messageOf(error));
    const cause = error instanceof GraphQLError ? error.originalError : error;
    if (cause instanceof Refusal) {
      return { ...located.toJSON(), extensions: cause.extensions };
    }
    if (typeof located.extensions.code === 'string' && located.extensions.code !== INTERNAL_SERVER_ERROR)
      return located.toJSON();
    this.#logger.error(
      { err: cause ?? located, requestId: call.requestId, subgraph: this.#local.name, path: located.path },
      'a resolver failed',
    );
    return coded(located, INTERNAL_SERVER_ERROR);
  }
}

const messageOf = (error: unknown): string =>
  typeof error === 'object' && error && 'message' in error ? String(error.message) : String(error);

/** A formatted error as an error that can be thrown; its code and path stay. */
export function toGraphQLError(error: GraphQLFormattedError | undefined): GraphQLError {
  const { message, path, extensions } = error ?? { message: 'Unknown error' };
  return new GraphQLError(message, { path, extensions });
}
