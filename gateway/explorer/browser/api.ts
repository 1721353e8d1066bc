/** The gateway, as this page asks it. */
import {
  buildClientSchema,
  type GraphQLSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
} from 'graphql';
import type { ExplorerSession } from '../session.ts';
import { type Credentials, headersOf } from './credentials.ts';

const WITHIN_MS = 35_000;

export interface Answered {
  readonly status: number;
  readonly milliseconds: number;
  readonly bytes: number;
  readonly result: GraphqlResult;
}

export interface GraphqlResult {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
  readonly extensions?: { readonly cost?: { readonly requested?: number }; readonly cursor?: string };
}

/** The gateway refused, in its own words. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const addressOf = (path: string): string => new URL(path, document.baseURI).href;

/** Rejects where nobody answers, or what answers is not the gateway. */
export async function ask(credentials: Credentials, body: object): Promise<Answered> {
  const began = performance.now();
  const response = await fetch(addressOf('graphql'), {
    method: 'POST',
    headers: {
      ...headersOf(credentials),
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      'x-cost': '1',
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(WITHIN_MS),
    referrerPolicy: 'no-referrer',
  });
  const text = await response.text();
  return {
    status: response.status,
    milliseconds: Math.round(performance.now() - began),
    bytes: new Blob([text]).size,
    result: JSON.parse(text) as GraphqlResult,
  };
}

/** Rejects with `Refused` where the credentials are not good (any more). */
export async function openSession(credentials: Credentials): Promise<ExplorerSession> {
  const response = await fetch(addressOf('explorer/session'), {
    headers: headersOf(credentials),
    signal: AbortSignal.timeout(WITHIN_MS),
    referrerPolicy: 'no-referrer',
  });
  const answer = (await response.json()) as ExplorerSession & GraphqlResult;
  throwRefusal(answer);
  return answer;
}

/** What the viewer may see, and no more. */
export async function readSchema(credentials: Credentials): Promise<GraphQLSchema> {
  const query = getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true });
  const { result } = await ask(credentials, { query, operationName: 'IntrospectionQuery' });
  throwRefusal(result);
  return buildClientSchema(result.data as unknown as IntrospectionQuery);
}

function throwRefusal({ errors }: GraphqlResult): void {
  const [error] = errors ?? [];
  if (error) throw new Refused(error.extensions?.code ?? '', error.message);
}

export const isSignedOut = ({ errors = [] }: GraphqlResult): boolean =>
  errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED');
