/** How errors leave the gateway, the same over every transport. */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { BAD_USER_INPUT, INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';

export const UNAUTHENTICATED = 'UNAUTHENTICATED';
export const SUBSCRIPTION_INTERRUPTED = 'SUBSCRIPTION_INTERRUPTED';
export const GRAPHQL_VALIDATION_FAILED = 'GRAPHQL_VALIDATION_FAILED';
export const RATE_LIMITED = 'RATE_LIMITED';

/** A refusal for the client, with the status that HTTP gives it; other transports tell the rest. */
export function refusal(code: string, message: string, status: number, details?: object): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code, ...(details ? { details } : {}), http: { status } },
  });
}

/** Too much within a minute. */
export const rateLimited = (retryAfterSeconds: number): GraphQLError =>
  new GraphQLError('Too much at once: try again later', {
    extensions: {
      code: RATE_LIMITED,
      details: { retryAfterSeconds },
      http: { status: 429, headers: new Map([['retry-after', String(retryAfterSeconds)]]) },
    },
  });

/** The vendor's names for our own faults: never shown in production. */
const internal = new Set<unknown>([
  undefined,
  INTERNAL_SERVER_ERROR,
  'DOWNSTREAM_SERVICE_ERROR',
  'INVALID_GRAPHQL',
]);

/** Refusals of the language itself would name types and fields; in production they say only this. */
const opaque: Record<string, string> = {
  GRAPHQL_PARSE_FAILED: 'The operation is not valid',
  [GRAPHQL_VALIDATION_FAILED]: 'The operation is not valid',
  OPERATION_RESOLUTION_FAILURE: 'The operation is not valid',
  [BAD_USER_INPUT]: 'A variable or an argument has a wrong value',
};

/**
 * An error as the client may see it. In production: refusals keep message, code, kind and details; refused
 * documents say nothing about the schema; everything else is an internal error.
 */
export function formatClientError(error: GraphQLFormattedError, production: boolean): GraphQLFormattedError {
  const { http: _, ...told } = error.extensions ?? {};
  const { code, kind, details } = told;
  if (!production) return { ...error, extensions: { ...told, code: code ?? INTERNAL_SERVER_ERROR } };
  const where = error.path ? { path: error.path } : {};
  if (internal.has(code))
    return { message: 'Internal error', ...where, extensions: { code: INTERNAL_SERVER_ERROR } };
  const message = opaque[String(code)] ?? error.message;
  const extensions = { code, ...(kind ? { kind } : {}), ...(details ? { details } : {}) };
  return { message, ...where, extensions };
}

/** Equal errors are told once: their number would tell who guesses how many guesses were wrong. */
export const withoutRepetition = (errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] => [
  ...new Map(errors.map((error) => [JSON.stringify(error), error])).values(),
];
