import { IdentityContract } from '#shared/contracts/identity.ts';
import { type Answering, answer } from '#shared/runtime/subgraph.ts';
import type { PartnerService } from './api-key/partner.service.ts';
import type { AuthenticationService } from './authentication/authentication.service.ts';
import type { FileService } from './file/file.service.ts';
import type { UserService } from './user/user.service.ts';

export const identityContract = (
  users: UserService,
  authentication: AuthenticationService,
  files: FileService,
  partners: PartnerService,
): Answering =>
  answer(IdentityContract, {
    users: ({ userIds }) => users.correspondents(userIds),
    userByEmail: async ({ email }) => ({ userId: await users.idByEmail(email) }),
    linkToken: async (recipient) => ({ token: await authentication.linkToken(recipient) }),
    partner: async ({ partnerId }) => ({ name: await partners.nameOf(partnerId) }),
    files: async ({ fileIds }) =>
      (await files.storedAmong(fileIds)).map((file) => ({
        fileId: file.id,
        ownerId: file.ownerId,
        mediaType: file.mediaType,
        bytes: file.bytes,
        sha256: file.sha256!,
        storedAt: file.storedAt!,
      })),
  });
