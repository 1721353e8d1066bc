/** Asks a subgraph's own route as the gateway itself: for what policy has to know and no client may ask. */
import { Readable } from 'node:stream';
import { newId } from '#shared/kernel/ids.ts';
import { SECOND } from '#shared/kernel/time.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import type { SubgraphRoute } from './policy.config.ts';

export interface RouteAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Rejects where no answer came in time; `body` is sent as JSON. */
export type AskRoute = (request: { method: string; query?: string; body?: object }) => Promise<RouteAnswer>;

const DEADLINE = 2 * SECOND;

export function internalRoute(
  route: SubgraphRoute,
  clients: () => ReadonlyMap<string, SubgraphClient>,
): AskRoute {
  return async ({ method, query = '', body }) => {
    const client = clients().get(route.subgraph);
    if (!client) throw new Error(`There is no subgraph ${route.subgraph}`);
    const text = body && JSON.stringify(body);
    const headers = new Headers({ accept: 'application/json' });
    if (text) headers.set('content-type', 'application/json');
    const signal = AbortSignal.timeout(DEADLINE);
    const late = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    const answered = client
      .fetchRoute(
        {
          method,
          target: route.path + query,
          headers,
          body: text ? Readable.from([Buffer.from(text)]) : null,
        },
        { viewer: { kind: 'service', name: 'gateway' }, requestId: newId(), signal },
      )
      .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as unknown }));
    return Promise.race([answered, late]);
  };
}
