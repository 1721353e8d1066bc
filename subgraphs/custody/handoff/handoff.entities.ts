import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { legKind, partyType } from '#shared/events/vocabulary.ts';
import type { RefusalRecord } from '#shared/kernel/errors.ts';
import { handoffStateNames } from './handoff.states.ts';

export const scanResults = [
  'ok',
  'duplicate',
  'expired',
  'not_yet',
  'wrong_party',
  'wrong_sequence',
  'consumed',
  'revoked',
  'bad_signature',
  'unknown_key',
  'requirements_missing',
  'not_open',
] as const;
export type ScanResult = (typeof scanResults)[number];

/** One change of holder that an itinerary asks for. */
export const HandoffStepRow = defineEntity({
  name: 'HandoffStep',
  tableName: 'handoff_steps',
  properties: {
    id: p.uuid().primary(),
    itineraryId: p.uuid(),
    shipmentId: p.uuid().index(),
    sequence: p.integer(),
    fromType: p.enum(partyType.options),
    fromId: p.uuid(),
    toType: p.enum(partyType.options),
    toId: p.uuid(),
    locationId: p.uuid(),
    /** Bookings whose legs end here, in their order; several where a carrier goes on with the next leg. */
    finishedBookingIds: p.json<string[]>(),
    startedBookingId: p.uuid().nullable(),
    /** The leg that begins here, or the last one where none does. */
    legId: p.uuid(),
    legKind: p.enum(legKind.options),
    packageIds: p.json<string[]>(),
    /** True where the receiver is the last carrier. */
    startsLastLeg: p.boolean(),
    delivers: p.boolean(),
    plannedAt: p.datetime(),
    opensAt: p.datetime(),
    closesAt: p.datetime(),
    requiredPhotos: p.smallint(),
    state: p.enum(handoffStateNames),
    machineVersion: p.smallint(),
    /** Which side has scanned while the step is half confirmed, when, and which code. */
    halfSide: p.enum(['giver', 'receiver']).nullable(),
    halfConfirmedAt: p.datetime().nullable(),
    halfScanId: p.uuid().nullable(),
    halfCodeId: p.uuid().nullable(),
    transferredAt: p.datetime().nullable(),
    refusedReason: p.text().nullable(),
    /** Wrong spoken codes so far. */
    spokenTries: p.smallint().default(0),
  },
  uniques: [{ properties: ['itineraryId', 'sequence'] }],
});
export type HandoffStepRow = InferEntity<typeof HandoffStepRow>;

/** Every scan, accepted or refused: the evidence of who stood where. */
export const HandoffScanRow = defineEntity({
  name: 'HandoffScan',
  tableName: 'handoff_scans',
  properties: {
    id: p.uuid().primary(),
    /** Null where the code named no hand-over. */
    stepId: p.uuid().nullable().index(),
    qrCodeId: p.uuid().nullable(),
    /** `user:<id>` or `recipient:<id>`. */
    actor: p.text(),
    /** The session that scanned, as a stand-in for the device. */
    sessionId: p.uuid().nullable(),
    side: p.enum(['giver', 'receiver']).nullable(),
    method: p.enum(['qr', 'spoken']),
    /** SHA-256 of what was presented, in hexadecimal. */
    presentedHash: p.string().length(64),
    idempotencyKey: p.text(),
    scanResult: p.enum(scanResults),
    /** The refusal that the scanner was given. */
    refusal: p.json<RefusalRecord>().nullable(),
    /** State of the step after an accepted scan. */
    outcome: p.enum(['half_confirmed', 'transferred']).nullable(),
    locationId: p.uuid().nullable(),
    weightGrams: p.integer().nullable(),
    discrepancy: p.text().nullable(),
    deviceTime: p.datetime().nullable(),
    /** True where the device's clock was more than ten minutes off. */
    clockSuspect: p.boolean(),
    scannedAt: p.datetime(),
  },
  uniques: [{ properties: ['actor', 'presentedHash', 'idempotencyKey'] }],
});
export type HandoffScanRow = InferEntity<typeof HandoffScanRow>;

/** Photos that prove a hand-over. A picture proves one hand-over only, which its hash as a key makes sure of. */
export const HandoffPhotoRow = defineEntity({
  name: 'HandoffPhoto',
  tableName: 'handoff_photos',
  properties: {
    sha256: p.string().length(64).primary(),
    stepId: p.uuid().index(),
    scanId: p.uuid().nullable(),
    fileId: p.uuid(),
    side: p.enum(['giver', 'receiver']),
    attachedAt: p.datetime(),
  },
});
export type HandoffPhotoRow = InferEntity<typeof HandoffPhotoRow>;
export const handoffEntities = [HandoffStepRow, HandoffScanRow, HandoffPhotoRow];
