import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { partyType } from '#shared/events/vocabulary.ts';

/** Who holds a package now: a projection of its chain. */
export const CustodyStateRow = defineEntity({
  name: 'CustodyState',
  tableName: 'custody_states',
  properties: {
    packageId: p.uuid().primary(),
    shipmentId: p.uuid().index(),
    itineraryId: p.uuid(),
    phase: p.enum(['held', 'in_handoff']),
    holderType: p.enum(partyType.options),
    holderId: p.uuid(),
    condition: p.enum(['intact', 'discrepancy']),
    since: p.datetime(),
    /** Number and hash of the last event of the chain. */
    headNumber: p.integer(),
    headHash: p.string().length(64),
  },
});
export type CustodyStateRow = InferEntity<typeof CustodyStateRow>;

/** One link of a package's chain. Triggers keep it append-only, continuous and correctly hashed. */
export const CustodyEventRow = defineEntity({
  name: 'CustodyEvent',
  tableName: 'custody_events',
  properties: {
    id: p.uuid().primary(),
    packageId: p.uuid(),
    shipmentId: p.uuid(),
    /** 0 for the genesis event, then one more each. */
    number: p.integer(),
    fromType: p.enum(partyType.options).nullable(),
    fromId: p.uuid().nullable(),
    toType: p.enum(partyType.options),
    toId: p.uuid(),
    handoffStepId: p.uuid().nullable(),
    at: p.datetime(),
    /** The event as canonical JSON (RFC 8785), byte for byte what was hashed. */
    canonical: p.text(),
    previousHash: p.string().length(64),
    /** SHA-256 of version byte, previous hash and canonical bytes, in hexadecimal. */
    hash: p.string().length(64),
    /** Ed25519 over the hash: a chain that was rewritten as a whole cannot be signed again. */
    signature: p.string().length(86),
  },
  uniques: [{ properties: ['packageId', 'number'] }],
});
export type CustodyEventRow = InferEntity<typeof CustodyEventRow>;
export const custodyChainEntities = [CustodyStateRow, CustodyEventRow];
