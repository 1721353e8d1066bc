/** What other subgraphs may ask identity. */
import { z } from 'zod';
import { defineContract, question } from '../kernel/contract.ts';
import { id, instant } from '../kernel/wire.ts';

export const IdentityContract = defineContract('identity', {
  /** Known users among the ids, in any order. */
  users: question({
    input: z.object({ userIds: z.array(id).max(1000) }),
    output: z.array(
      z.object({
        userId: id,
        email: z.string(),
        displayName: z.string(),
        locale: z.string(),
        timeZone: z.string(),
      }),
    ),
  }),
  /** The account with this proven address, if any. */
  userByEmail: question({
    input: z.object({ email: z.string() }),
    output: z.object({ userId: id.nullable() }),
  }),
  /** A bearer token for one recipient of one shipment, for a link in a mail. */
  linkToken: question({
    input: z.object({ shipmentId: id, recipientId: id, expiresAt: instant }),
    output: z.object({ token: z.string() }),
  }),
  /** What a partner is called; null where there is none of this id. */
  partner: question({
    input: z.object({ partnerId: id }),
    output: z.object({ name: z.string().nullable() }),
  }),
  /** Stored files among the ids, in any order; files still being uploaded are left out. */
  files: question({
    input: z.object({ fileIds: z.array(id).max(1000) }),
    output: z.array(
      z.object({
        fileId: id,
        ownerId: id,
        mediaType: z.string(),
        bytes: z.int(),
        sha256: z.string(),
        storedAt: instant,
      }),
    ),
  }),
});
