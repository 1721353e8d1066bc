/** How a subscription ends early, as its client is told. */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { TOO_SLOW } from '#shared/runtime/server/event-queue.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import { SUBSCRIPTION_INTERRUPTED } from '../errors.ts';
import type { Follower } from './follower.ts';

export type Interruption = 'UPSTREAM_LOST' | typeof TOO_SLOW;

export const SUBSCRIPTION_NO_LONGER_VALID = 'SUBSCRIPTION_NO_LONGER_VALID';

/** Why the upstream of a lane is over. */
export type LaneEnd =
  | { readonly kind: 'completed' }
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLFormattedError[] }
  | { readonly kind: 'interrupted'; readonly reason: Interruption };

/** To be resumed where a cursor is known; `details.cursor` is the last one that the client was sent or gave. */
export function interrupted(
  reason: Interruption,
  { cursor, topic }: Pick<Follower, 'cursor' | 'topic'>,
): GraphQLFormattedError {
  const resume = topic.operation.resumable && cursor !== undefined;
  return {
    message: resume
      ? 'The subscription was interrupted: subscribe again after your last cursor'
      : 'The subscription was interrupted: events may be lost when you subscribe again',
    extensions: {
      code: SUBSCRIPTION_INTERRUPTED,
      details: { reason, resume, ...(resume ? { cursor } : {}) },
    },
  };
}

export const noLongerValid: GraphQLFormattedError = {
  message: 'The schema has changed and does not know this subscription any more',
  extensions: { code: SUBSCRIPTION_NO_LONGER_VALID },
};

/** A subgraph's own, coded word; everything else that ends an upstream means that it was lost. */
export function isRefusal(error: unknown): error is GraphQLError {
  if (!(error instanceof GraphQLError)) return false;
  const { code } = error.extensions;
  return code !== undefined && code !== INTERNAL_SERVER_ERROR && code !== TOO_SLOW;
}

export const isOverflow = (error: unknown): boolean =>
  (error as { extensions?: { code?: unknown } } | null)?.extensions?.code === TOO_SLOW;
