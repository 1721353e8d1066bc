import type { AuthenticationService } from '../authentication/authentication.service.ts';
import type { FileService } from '../file/file.service.ts';
import type { Resolvers } from '../identity.generated.ts';
import type { UserService } from './user.service.ts';

export const userResolvers = (
  users: UserService,
  files: FileService,
  authentication: AuthenticationService,
): Resolvers => ({
  Query: {
    me: (_, __, { viewer }) => users.me(viewer),
    user: (_, { id }, { load }) => load(users.loadUser, id),
  },
  Mutation: {
    checkEmail: (_, { input }) => ({
      email: users.checkEmail(input.email),
      providers: authentication.providers,
    }),
    updateProfile: (_, { input }, { viewer }) => users.updateProfile(viewer, input),
    updateSettings: (_, { input }, { viewer }) => users.updateSettings(viewer, input),
  },
  User: {
    __resolveReference: ({ id }, { load }) => load(users.loadUser, id),
    avatar: (user, _, { load }) => (user.avatarFileId ? load(files.loadFile, user.avatarFileId) : null),
    stats: async (user, _, { load }) => (await load(users.loadStats, user.id))!,
  },
});
