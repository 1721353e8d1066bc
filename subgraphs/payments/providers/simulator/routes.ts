import type { Context } from './context.ts';
import type { FormTree } from './form.ts';
import { type Fields, readParameters } from './parameters.ts';

export type Answer = (context: Context) => Promise<object>;

/** One request that the simulator understands. */
export interface Route {
  /** As in `payment_intents.capture`; faults strike by it. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** May a browser send it, with the publishable key? */
  readonly publishable: boolean;
  /** Checks the parameters and gives what answers; `ids` are the variable parts of the path. */
  readonly prepare: (form: FormTree, ids: readonly string[]) => { answer: Answer; expand: readonly string[] };
}

interface RouteDefinition<P, R> {
  readonly name: string;
  /** `POST /v1/payment_intents/:id/capture` */
  readonly request: `${'GET' | 'POST'} /v1/${string}`;
  readonly publishable?: boolean;
  readonly parameters: Fields<P>;
  readonly handle: (context: Context, params: P, id: string, second: string) => Promise<R>;
}

/** Ties a path, its parameter table and its handler together under Stripe's own types. */
export function route<P extends { expand?: string[] }, R extends object>(
  definition: RouteDefinition<P, R>,
): Route {
  const [method, path] = definition.request.split(' ');
  return {
    name: definition.name,
    method: method === 'GET' ? 'GET' : 'POST',
    path: path ?? '',
    publishable: definition.publishable ?? false,
    prepare(form, [id = '', second = '']) {
      const params = readParameters<P>(definition.parameters, form);
      return {
        expand: params.expand ?? [],
        answer: (context) => definition.handle(context, params, id, second),
      };
    },
  };
}

export interface Match {
  readonly route: Route;
  readonly ids: readonly string[];
}

/** The route for a request; fixed parts of a path win over variable ones by the order of the table. */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match | undefined {
  const parts = path.split('/');
  for (const candidate of routes) {
    if (candidate.method !== method) continue;
    const pattern = candidate.path.split('/');
    if (pattern.length !== parts.length) continue;
    if (pattern.every((part, index) => part.startsWith(':') || part === parts[index]))
      return { route: candidate, ids: parts.filter((_, index) => pattern[index]?.startsWith(':')) };
  }
  return undefined;
}
