/** Plain HTTP of a subgraph: vendor webhooks, uploads and small pages, in web-standard requests and responses. */
import type { Logger } from 'pino';
import { Refusal, type RefusalKind } from '../kernel/errors.ts';
import type { RequestFacts } from './server/local-subgraph.ts';
import { isTransient } from './transient.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `URLPattern` pathname such as `/files/:id`. */
  readonly path: string;
  handle(
    request: Request,
    call: { params: Record<string, string | undefined>; facts: RequestFacts },
  ): Promise<Response>;
}

const statusOf: Record<RefusalKind, number> = {
  INVALID: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  UNAVAILABLE: 503,
};

const patterns = new WeakMap<Route, URLPattern>();

function match(route: Route, url: string): Record<string, string | undefined> | undefined {
  const pattern = patterns.get(route) ?? new URLPattern({ pathname: route.path });
  patterns.set(route, pattern);
  return pattern.exec(url)?.pathname.groups;
}

/** Answers with the first route that fits; refusals become `{ code, message, … }` with their status. */
export async function answerRoutes(
  routes: readonly Route[],
  request: Request,
  facts: RequestFacts,
  logger: Logger,
): Promise<Response> {
  const fitting = routes.flatMap((route) => {
    const params = match(route, request.url);
    return params ? [{ route, params }] : [];
  });
  const found = fitting.find(({ route }) => route.method === request.method);
  if (!found) {
    if (fitting.length === 0)
      return Response.json({ code: 'NOT_FOUND', message: 'No such route' }, { status: 404 });
    const allow = [...new Set(fitting.map(({ route }) => route.method))].join(', ');
    return Response.json(
      { code: 'METHOD_NOT_ALLOWED', message: `This route takes ${allow}` },
      { status: 405, headers: { allow } },
    );
  }
  try {
    return await found.route.handle(request, { params: found.params, facts });
  } catch (error) {
    if (error instanceof Refusal) {
      return Response.json(
        { ...error.details, code: error.code, message: error.message },
        { status: statusOf[error.kind] },
      );
    }
    logger.error({ err: error, path: found.route.path, requestId: facts.requestId }, 'route failed');
    if (isTransient(error))
      return Response.json(
        { code: 'UNAVAILABLE', message: 'Try again later' },
        { status: statusOf.UNAVAILABLE, headers: { 'retry-after': '1' } },
      );
    return Response.json({ code: 'INTERNAL_SERVER_ERROR', message: 'Internal error' }, { status: 500 });
  }
}
