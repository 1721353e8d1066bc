/**
 * Subscriptions over graphql-transport-ws. What is cut is taken up again at the cursor of its last event; what the
 * gateway ends for good ends here with its reason.
 */
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { createClient, type SubscribePayload } from 'graphql-ws';
import { addressOf } from './api.ts';
import { type Credentials, connectionParamsOf } from './credentials.ts';
import type { Runs } from './runs.ts';

const ATTEMPTS = 20;
const BEFORE_RESUMING = 500;
/** The gateway's word that proof is no longer good. */
const FORBIDDEN = 4403;

interface Ended {
  readonly code?: string;
  readonly resume?: boolean;
  readonly message: string;
}

export function follow(
  credentials: Credentials,
  asked: SubscribePayload,
  runs: Runs,
  onForbidden: () => void,
): AsyncIterable<FormattedExecutionResult> {
  // The client sends this object anew when it connects again: with the cursor by then.
  const payload: { -readonly [Name in keyof SubscribePayload]: SubscribePayload[Name] } = { ...asked };
  const client = createClient({
    url: addressOf('graphql').replace(/^http/, 'ws'),
    connectionParams: connectionParamsOf(credentials),
    retryAttempts: ATTEMPTS,
    shouldRetry: (event) => (event as { code?: number }).code !== FORBIDDEN,
    on: {
      connected: () => runs.is('live'),
      closed: (event) => {
        const { code } = event as { code?: number };
        if (code === FORBIDDEN) onForbidden();
        else if (code !== 1000) runs.is('reconnecting');
      },
    },
  });
  let stopped = false;
  const subscribe = () => client.iterate<Record<string, unknown>, Record<string, unknown>>(payload);
  let source = subscribe();

  async function* results(): AsyncGenerator<FormattedExecutionResult, void> {
    runs.began();
    for (;;) {
      const ended = yield* events(source, payload, runs);
      if (stopped) break;
      if (!ended?.resume) {
        runs.is('ended', ended?.message ?? 'It is over.');
        break;
      }
      runs.is('reconnecting');
      await new Promise((resolve) => setTimeout(resolve, BEFORE_RESUMING));
      if (stopped) break;
      source = subscribe();
      runs.is('live');
    }
    await client.dispose();
  }

  return {
    [Symbol.asyncIterator]() {
      const iterator = results();
      return {
        next: () => iterator.next(),
        // A generator that waits for its next event would not hear of this before there is one.
        return: async () => {
          stopped = true;
          runs.is('ended', 'Stopped.');
          await source.return?.();
          await client.dispose();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function* events(
  results: AsyncIterableIterator<FormattedExecutionResult>,
  payload: { extensions?: Record<string, unknown> | null | undefined },
  runs: Runs,
): AsyncGenerator<FormattedExecutionResult, Ended | null> {
  try {
    for await (const result of results) {
      const cursor = result.extensions?.cursor;
      if (typeof cursor === 'string') payload.extensions = { ...payload.extensions, lastEventId: cursor };
      runs.received(result.data ?? { errors: result.errors }, typeof cursor === 'string' ? cursor : null);
      yield result;
    }
    return null;
  } catch (error) {
    const ended = endOf(error);
    if (!ended.resume) yield { errors: errorsOf(error) };
    return ended;
  }
}

const errorsOf = (error: unknown): readonly GraphQLFormattedError[] =>
  Array.isArray(error) ? error : [{ message: endOf(error).message }];

function endOf(error: unknown): Ended {
  const [first] = (Array.isArray(error) ? error : []) as {
    message: string;
    extensions?: { code?: string; details?: { resume?: boolean } };
  }[];
  if (!first) {
    const { code, reason } = error as { code?: number; reason?: string };
    return { message: reason ? `Closed: ${reason} (${code})` : 'The connection was lost.' };
  }
  const code = first.extensions?.code ?? '';
  return {
    code,
    resume: code === 'SUBSCRIPTION_INTERRUPTED' && first.extensions?.details?.resume !== false,
    message: `${first.message} (${code})`,
  };
}
