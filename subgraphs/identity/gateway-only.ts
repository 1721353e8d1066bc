import { NotFound } from '#shared/kernel/errors.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';

/** Raw routes can be reached from outside: to everybody but the gateway itself there is no such route. */
export function requireGateway({ viewer }: RequestFacts): void {
  if (viewer.kind !== 'service' || viewer.name !== 'gateway')
    throw new NotFound('NOT_FOUND', 'No such route');
}
