/**
 * Raw HTTP for subgraphs: vendor webhooks, uploads, small pages. `/services/<subgraph>/<path>` reaches that
 * subgraph's routes as `/<path>`, its body byte for byte and streamed, with the viewer of a Bearer token.
 */
import type { Response as ExpressResponse, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { anonymous } from '#shared/kernel/viewer.ts';
import { closed } from '#shared/runtime/server/http-server.ts';
import { limitedBody, passedHeaders, sendWebResponse } from '#shared/runtime/server/web-bridge.ts';
import type { GatewayConfig } from './gateway.config.ts';
import type { Policy } from './policy/policy.ts';
import { SubgraphFailure } from './subgraph-client/subgraph-client.ts';
import type { Supergraph } from './supergraph.ts';

const isBearer = (authorization: string | undefined): boolean => /^bearer /i.test(authorization ?? '');

export function passToSubgraph(options: {
  config: GatewayConfig;
  supergraph: Supergraph;
  policy: Policy;
  logger: Logger;
}): RequestHandler {
  const { config, supergraph, policy, logger } = options;
  return async (request, response) => {
    const requestId = String(request.headers['x-request-id']);
    const [, name = '', rest = '/'] = /^\/([^/?]+)([/?].*)?$/.exec(request.url) ?? [];
    const client = supergraph.graph.clients.get(name);
    if (!client) return answer(response, 404, 'NOT_FOUND', 'No such service');
    const { authorization } = request.headers;
    const address = request.socket.remoteAddress ?? '';
    // Other schemes than Bearer belong to the vendor that calls, and are the subgraph's to check.
    const identity = isBearer(authorization)
      ? await policy.identify({ authorization, apiKey: undefined, address }).catch(() => null)
      : { viewer: anonymous };
    if (!identity) return answer(response, 401, 'UNAUTHENTICATED', 'The access token is not valid');
    const body = limitedBody(request, config.ROUTE_BODY_LIMIT);
    const tooLarge = () => {
      request.resume();
      response.setHeader('connection', 'close');
      answer(response, 413, 'PAYLOAD_TOO_LARGE', 'The request is too large');
    };
    if (body.exceeded()) return tooLarge();
    const headers = passedHeaders(request.headers);
    if (isBearer(authorization)) headers.delete('authorization');
    headers.set('x-forwarded-host', request.headers.host ?? '');
    headers.set('x-forwarded-prefix', `/services/${name}`);
    // Parsing takes dot segments out, so that a path can't climb out of the subgraph's routes.
    const { pathname, search } = new URL(`http://${name}${rest.startsWith('/') ? rest : `/${rest}`}`);
    try {
      const facts = { viewer: identity.viewer, requestId, signal: closed(response) };
      const { method } = request;
      const target = pathname + search;
      const from = await client.fetchRoute({ method, target, headers, body: body.stream }, facts);
      if (body.exceeded()) return tooLarge();
      await sendWebResponse(from, response);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      if (body.exceeded()) return tooLarge();
      logger.warn({ err: error, requestId, subgraph: name }, 'a route gave no answer');
      const late = error instanceof SubgraphFailure && error.code === 'SUBGRAPH_TIMEOUT';
      const code = late ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE';
      answer(response, late ? 504 : 502, code, 'The service gave no answer');
    }
  };
}

/**
 * Pages that have an address of the gateway's own: `/track=custody:/track` makes `/track` and what lies below it
 * the same as `/services/custody/track`.
 */
export function publicRoutes(routes: ReadonlyMap<string, string>): RequestHandler {
  return (request, _response, next) => {
    for (const [prefix, target] of routes) {
      const rest = request.url.slice(prefix.length);
      if (!request.url.startsWith(prefix) || (rest !== '' && !/^[/?]/.test(rest))) continue;
      const [subgraph, path] = target.split(/:(.*)/s);
      request.url = `/services/${subgraph}${path}${rest}`;
      break;
    }
    next();
  };
}

function answer(response: ExpressResponse, status: number, code: string, message: string): void {
  response.status(status).json({ code, message });
}
