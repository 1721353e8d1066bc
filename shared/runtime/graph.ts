/** What resolvers see: the viewer, and one batched loader per service method and operation. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import DataLoader from 'dataloader';
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse } from 'graphql';
import type { Logger } from 'pino';
import { Refusal } from '../kernel/errors.ts';
import type { Viewer } from '../kernel/viewer.ts';
import type { RequestFacts } from './server/local-subgraph.ts';
import { isTransient } from './transient.ts';

/** Answers many keys at once, in their order: the thing, `null` for none that the viewer may see, or an error. */
export type Batch<Key, Value> = (viewer: Viewer, keys: readonly Key[]) => Promise<(Value | null | Error)[]>;

export interface GraphContext {
  readonly viewer: Viewer;
  readonly requestId: string;
  readonly signal: AbortSignal | undefined;
  /**
   * Loads one key through the batch: all keys that an operation asks of the same batch go in one call.
   * Bind batches once (a field of the service, not a lambda in the resolver), since the loader is kept by identity.
   */
  load<Key, Value>(batch: Batch<Key, Value>, key: Key): Promise<Value | null>;
  /** Loads everything anew from here on: the guard calls it after each mutation and before each event. */
  forget(): void;
}

/** A resolver's parent where no service declares a view: what is known of it so far, its id at least. */
export type Stub<T> = Partial<T> & (T extends { id: string } ? { id: string } : unknown);

export function createGraphContext({ viewer, requestId, signal }: RequestFacts): GraphContext {
  const loaders = new Map<unknown, DataLoader<never, never>>();
  return {
    viewer,
    requestId,
    signal,
    load(batch, key) {
      let loader = loaders.get(batch);
      if (!loader) {
        loader = new DataLoader((keys) => batch(viewer, keys) as Promise<never[]>);
        loaders.set(batch, loader);
      }
      return loader.load(key as never);
    },
    forget() {
      for (const loader of loaders.values()) loader.clearAll();
    },
  };
}

/** Puts batch results into the order of the keys. */
export function inOrder<Key, Value>(
  keys: readonly Key[],
  values: readonly Value[],
  keyOf: (value: Value) => Key,
): (Value | null)[] {
  const byKey = new Map(values.map((value) => [keyOf(value), value]));
  return keys.map((key) => byKey.get(key) ?? null);
}

/** Groups batch results per key, for lists. */
export function groupedBy<Key, Value>(
  keys: readonly Key[],
  values: readonly Value[],
  keyOf: (value: Value) => Key,
): Value[][] {
  const groups = new Map<Key, Value[]>(keys.map((key) => [key, []]));
  for (const value of values) groups.get(keyOf(value))?.push(value);
  return keys.map((key) => groups.get(key)!);
}

type Resolver = (...args: never[]) => unknown;
export type Resolvers = Record<string, unknown>;

/**
 * Builds the executable schema. Whatever a resolver throws that is no refusal is logged and shown as internal,
 * or as `UNAVAILABLE` where the same request may succeed later.
 */
export function executableSchema(
  typeDefs: string | DocumentNode,
  resolvers: Resolvers,
  logger: Logger,
): GraphQLSchema {
  const guarded = Object.fromEntries(
    Object.entries(resolvers).map(([type, fields]) => [
      type,
      isPlain(fields)
        ? Object.fromEntries(
            Object.entries(fields).map(([field, value]) => [
              field,
              guardField(value, `${type}.${field}`, logger),
            ]),
          )
        : fields,
    ]),
  );
  const document = typeof typeDefs === 'string' ? parse(typeDefs) : typeDefs;
  return buildSubgraphSchema([{ typeDefs: document, resolvers: guarded as never }]);
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function guardField(value: unknown, path: string, logger: Logger): unknown {
  if (typeof value === 'function') return guard(value as Resolver, path, logger);
  if (!isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([role, each]) => [
      role,
      typeof each === 'function' ? guard(each as Resolver, path, logger) : each,
    ]),
  );
}

function guard(resolve: Resolver, path: string, logger: Logger): Resolver {
  const changes = path.startsWith('Mutation.');
  return (...args) => {
    // Resolvers get (parent, args, context, info), reference resolvers (reference, context, info).
    const context = (args as unknown[]).find((each) => typeof (each as GraphContext)?.load === 'function') as
      | GraphContext
      | undefined;
    const fail = (error: unknown): never => {
      if (error instanceof Refusal || error instanceof GraphQLError) throw error;
      logger.error({ err: error, path, requestId: context?.requestId }, 'resolver failed');
      if (isTransient(error))
        throw new GraphQLError('Try again later', {
          extensions: { code: 'UNAVAILABLE', kind: 'UNAVAILABLE' },
        });
      throw new GraphQLError('Internal error', { extensions: { code: 'INTERNAL_SERVER_ERROR' } });
    };
    const done = <T>(value: T): T => {
      if (changes) context?.forget();
      return isEventSource(value) ? (eachAnew(value, context, fail) as T) : value;
    };
    try {
      const value = resolve(...args);
      return isPromise(value) ? value.then(done).catch(fail) : done(value);
    } catch (error) {
      return fail(error);
    }
  };
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as Promise<unknown> | null | undefined)?.then === 'function';

const isEventSource = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function';

/** A subscription has one context for all its events; no generator, since `return` must reach a waiting source. */
function eachAnew(
  source: AsyncIterable<unknown>,
  context: GraphContext | undefined,
  fail: (error: unknown) => never,
): AsyncIterableIterator<unknown> {
  const events = source[Symbol.asyncIterator]();
  const forget = <T>(event: T): T => {
    context?.forget();
    return event;
  };
  return {
    next: () => events.next().then(forget).catch(fail),
    return: async (value) => (await events.return?.(value)) ?? { done: true, value },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
