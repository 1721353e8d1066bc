import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { apiKeyEntities } from './api-key/api-key.entities.ts';
import { apiKeyResolvers } from './api-key/api-key.resolvers.ts';
import { apiKeyRoutes } from './api-key/api-key.routes.ts';
import { ApiKeyService } from './api-key/api-key.service.ts';
import { PartnerService } from './api-key/partner.service.ts';
import { authenticationEntities } from './authentication/authentication.entities.ts';
import { authenticationResolvers } from './authentication/authentication.resolvers.ts';
import { authenticationRoutes } from './authentication/authentication.routes.ts';
import { AuthenticationService } from './authentication/authentication.service.ts';
import { fileEntities } from './file/file.entities.ts';
import { uploadCleanup } from './file/file.jobs.ts';
import { fileResolvers } from './file/file.resolvers.ts';
import { fileRoutes } from './file/file.routes.ts';
import { FileService } from './file/file.service.ts';
import { readIdentityConfig } from './identity.config.ts';
import { identityContract } from './identity.contract.ts';
import { FolderStorage } from './providers/folder-storage.ts';
import { userEntities } from './user/user.entities.ts';
import { userHandlers } from './user/user.handlers.ts';
import { userResolvers } from './user/user.resolvers.ts';
import { UserService } from './user/user.service.ts';

export default defineSubgraph({
  name: 'identity',
  root: import.meta.url,
  config: readIdentityConfig,
  entities: [...userEntities, ...authenticationEntities, ...fileEntities, ...apiKeyEntities],
  build(deps) {
    const storage = new FolderStorage(deps.config.FILES_DIR, deps.logger);
    const files = new FileService({ ...deps, storage });
    const users = new UserService({ ...deps, files });
    const authentication = new AuthenticationService({ ...deps, users });
    const partners = new PartnerService(deps);
    const apiKeys = new ApiKeyService({ ...deps, partners });
    return {
      resolvers: mergeResolvers(
        scalars,
        userResolvers(users, files, authentication),
        authenticationResolvers(authentication),
        fileResolvers(files),
        apiKeyResolvers(partners, apiKeys),
      ),
      handlers: userHandlers(users),
      jobs: [uploadCleanup(files)],
      routes: [
        ...fileRoutes(files, deps.config.UPLOAD_TIMEOUT),
        ...authenticationRoutes(authentication),
        ...apiKeyRoutes(apiKeys),
      ],
      contract: identityContract(users, authentication, files, partners),
    };
  },
});
