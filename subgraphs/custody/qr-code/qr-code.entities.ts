import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { partyType } from '#shared/events/vocabulary.ts';

/** One code that was made for one party of one hand-over. The token itself is nowhere stored. */
export const QrCodeRow = defineEntity({
  name: 'QrCode',
  tableName: 'qr_codes',
  properties: {
    id: p.uuid().primary(),
    stepId: p.uuid(),
    shipmentId: p.uuid(),
    direction: p.enum(['give', 'receive']),
    partyType: p.enum(partyType.options),
    partyId: p.uuid(),
    /** SHA-256 of the token's text, in hexadecimal. */
    tokenHash: p.string().length(64).unique(),
    keyId: p.smallint(),
    notBefore: p.datetime(),
    notAfter: p.datetime(),
    state: p.enum(['minted', 'consumed', 'expired', 'revoked']),
    /** Scans by people whose code it was not; the third one revokes it. */
    wrongScans: p.smallint().default(0),
    createdAt: p.datetime(),
    endedAt: p.datetime().nullable(),
  },
  indexes: [{ properties: ['stepId'] }],
  uniques: [
    {
      name: 'qr_codes_one_minted',
      expression:
        'create unique index "qr_codes_one_minted" on "custody"."qr_codes" ("step_id", "direction") where "state" = \'minted\'',
    },
  ],
});
export type QrCodeRow = InferEntity<typeof QrCodeRow>;
export const qrCodeEntities = [QrCodeRow];
