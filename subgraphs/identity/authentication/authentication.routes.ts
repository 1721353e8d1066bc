import type { Route } from '#shared/runtime/routes.ts';
import { requireGateway } from '../gateway-only.ts';
import type { AuthenticationService } from './authentication.service.ts';

export const authenticationRoutes = (authentication: AuthenticationService): Route[] => [
  {
    method: 'GET',
    path: '/internal/ended-sessions',
    async handle(request, { facts }) {
      requireGateway(facts);
      const { sessionIds, cursor } = await authentication.endedSessions(
        new URL(request.url).searchParams.get('after'),
      );
      return Response.json({ ended: sessionIds.map((sessionId) => ({ sessionId })), cursor });
    },
  },
];
