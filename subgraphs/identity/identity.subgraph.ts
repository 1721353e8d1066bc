import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { authenticationEntities } from './authentication/authentication.entities.ts';
import { authenticationResolvers } from './authentication/authentication.resolvers.ts';
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
  entities: [...userEntities, ...authenticationEntities, ...fileEntities],
  build(deps) {
    const storage = new FolderStorage(deps.config.FILES_DIR, deps.logger);
    const files = new FileService({ ...deps, storage });
    const users = new UserService({ ...deps, files });
    const authentication = new AuthenticationService({ ...deps, users });
    return {
      resolvers: mergeResolvers(
        scalars,
        userResolvers(users, files, authentication),
        authenticationResolvers(authentication),
        fileResolvers(files),
      ),
      handlers: userHandlers(users),
      jobs: [uploadCleanup(files)],
      routes: fileRoutes(files, deps.config.UPLOAD_TIMEOUT),
      contract: identityContract(users, authentication, files),
    };
  },
});
