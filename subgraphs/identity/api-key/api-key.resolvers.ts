import type { Resolvers } from '../identity.generated.ts';
import type { ApiKeyService } from './api-key.service.ts';
import type { PartnerService } from './partner.service.ts';

export const apiKeyResolvers = (partners: PartnerService, apiKeys: ApiKeyService): Resolvers => ({
  Query: {
    partners: (_, page, { viewer }) => partners.list(viewer, page),
    partner: (_, { id }, { viewer }) => partners.find(viewer, id),
  },
  Mutation: {
    createPartner: (_, { input }, { viewer }) => partners.create(viewer, input),
    updatePartnerBudgets: (_, { input }, { viewer }) => partners.updateBudgets(viewer, input),
    createApiKey: (_, { input }, { viewer }) => apiKeys.create(viewer, input),
    rotateApiKey: (_, { input }, { viewer }) => apiKeys.rotate(viewer, input),
    revokeApiKey: (_, { input }, { viewer }) => apiKeys.revoke(viewer, input.apiKeyId),
    updateApiKeyScopes: (_, { input }, { viewer }) => apiKeys.updateScopes(viewer, input),
  },
  Partner: {
    keys: async ({ id }, _, { load }) => (await load(apiKeys.loadByPartner, id))!,
  },
});
