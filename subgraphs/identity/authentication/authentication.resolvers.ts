import type { Resolvers } from '../identity.generated.ts';
import type { AuthenticationService } from './authentication.service.ts';

export const authenticationResolvers = (authentication: AuthenticationService): Resolvers => ({
  Query: {
    authProviders: () => authentication.providers,
    mySessions: (_, __, { viewer }) => authentication.mySessions(viewer),
  },
  Mutation: {
    requestOtp: (_, { input }) => authentication.requestOtp(input),
    verifyOtp: (_, { input }) => authentication.verifyOtp(input),
    refreshSession: (_, { input }) => authentication.refreshSession(input),
    signOut: (_, __, { viewer }) => authentication.signOut(viewer),
    endSession: (_, { input }, { viewer }) => authentication.endSession(viewer, input.sessionId),
  },
});
