/** GraphiQL's way to the gateway: queries and mutations over HTTP with their cost, subscriptions live. */
import type { Fetcher, FetcherReturnType } from '@graphiql/toolkit';
import { getOperationAST, OperationTypeNode, parse } from 'graphql';
import { ask, isSignedOut } from './api.ts';
import type { Credentials } from './credentials.ts';
import { follow } from './live.ts';
import type { Runs } from './runs.ts';

export function createFetcher(credentials: Credentials, runs: Runs, onSignedOut: () => void): Fetcher {
  return ({ query, operationName, variables }) => {
    const body = {
      query,
      ...(operationName ? { operationName } : {}),
      ...(variables ? { variables: variables as Record<string, unknown> } : {}),
    };
    if (kindOf(query, operationName) === OperationTypeNode.SUBSCRIPTION)
      return printed(follow(credentials, body, runs, onSignedOut));
    return printed(run(credentials, body, runs, onSignedOut));
  };
}

/** GraphiQL calls for errors as a server makes them, and prints them as they came. */
const printed = (results: AsyncIterable<unknown> | Promise<unknown>): FetcherReturnType =>
  results as FetcherReturnType;

/** `undefined` for what does not parse: the gateway says what is wrong with it. */
function kindOf(query: string, operationName: string | null | undefined): OperationTypeNode | undefined {
  try {
    return getOperationAST(parse(query), operationName)?.operation;
  } catch {
    return undefined;
  }
}

async function run(credentials: Credentials, body: object, runs: Runs, onSignedOut: () => void) {
  const { result, ...answer } = await ask(credentials, body);
  const cost = result.extensions?.cost?.requested ?? null;
  runs.ran({ ...answer, cost, failed: Boolean(result.errors?.length) });
  if (isSignedOut(result)) onSignedOut();
  return result;
}
