/** A GraphQL response as it comes over the wire. */
export interface Result {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly ResultError[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface ResultError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface Request {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null;
  readonly operationName?: string | null;
  readonly extensions?: Readonly<Record<string, unknown>> | null;
}

export const codeOf = (errors: readonly ResultError[] | undefined): unknown => errors?.[0]?.extensions?.code;

/** What is wrong with the form of a response, if anything. */
export function faultOfResult(value: unknown): string | undefined {
  if (!isObject(value)) return 'a result is no object';
  const unknown = Object.keys(value).filter((key) => !['data', 'errors', 'extensions'].includes(key));
  if (unknown.length > 0) return `a result has ${unknown.join(', ')}`;
  if (!('data' in value) && !('errors' in value)) return 'a result has neither data nor errors';
  if ('data' in value && value.data !== null && !isObject(value.data)) return 'data is no object';
  if ('extensions' in value && !isObject(value.extensions)) return 'extensions are no object';
  return 'errors' in value ? faultOfErrors(value.errors) : undefined;
}

export function faultOfErrors(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return 'errors are no list of at least one';
  for (const error of value) {
    if (!isObject(error) || typeof error.message !== 'string') return 'an error has no message';
    if ('path' in error && !Array.isArray(error.path)) return 'the path of an error is no list';
    if ('extensions' in error && !isObject(error.extensions)) return 'extensions of an error are no object';
  }
  return undefined;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
