import { z } from 'zod';
import { Invalid, NotFound } from '#shared/kernel/errors.ts';
import type { Route } from '#shared/runtime/routes.ts';
import { requireGateway } from '../gateway-only.ts';
import type { ApiKeyService } from './api-key.service.ts';

const question = z.object({ key: z.string().max(1_000) });

export const apiKeyRoutes = (apiKeys: ApiKeyService): Route[] => [
  {
    method: 'POST',
    path: '/internal/api-keys/check',
    async handle(request, { facts }) {
      requireGateway(facts);
      const asked = question.safeParse(await request.json().catch(() => null));
      if (!asked.success) throw new Invalid('BODY_INVALID', 'The body is JSON such as {"key":"…"}');
      const key = await apiKeys.check(asked.data.key);
      if (!key) throw new NotFound('API_KEY_NOT_FOUND', 'There is no such key');
      return Response.json(key);
    },
  },
];
