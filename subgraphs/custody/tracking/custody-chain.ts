/** The arithmetic of a custody chain: what is hashed, how links join, and how to find the first that does not. */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { CustodyEventRow } from './custody-chain.entities.ts';
import type { Party } from './parties.service.ts';

export const CHAIN_VERSION = 1;
export const GENESIS_HASH = '0'.repeat(64);

/** What one link says. Ids, hashes and numbers only: a chain cannot be erased, so it names nobody. */
export interface CustodyFacts {
  readonly eventId: string;
  readonly packageId: string;
  readonly shipmentId: string;
  readonly number: number;
  readonly at: string;
  readonly from: Party | null;
  readonly to: Party;
  readonly handoffStepId: string | null;
  readonly condition: 'intact' | 'discrepancy';
  readonly photoHashes: readonly string[];
  readonly scanIds: readonly string[];
}

/** Canonical JSON of RFC 8785. */
export const canonicalJson = (facts: CustodyFacts): string => canonicalize(facts) as string;

/** `SHA-256(version || previous hash || canonical bytes)`, in hexadecimal. */
export function chainHash(previousHash: string, canonical: string): string {
  return createHash('sha256')
    .update(Buffer.of(CHAIN_VERSION))
    .update(Buffer.from(previousHash, 'hex'))
    .update(canonical)
    .digest('hex');
}

export const signHash = (hash: string, key: KeyObject): string =>
  sign(null, Buffer.from(hash, 'hex'), key).toString('base64url');

export interface ChainFault {
  /** Number of the first link that is wrong or missing. */
  readonly number: number;
  readonly fault: string;
}

export interface ChainHead {
  readonly headNumber: number;
  readonly headHash: string;
  readonly holderType: string;
  readonly holderId: string;
}

/**
 * The first fault of a chain whose links are given in their order; null where it holds.
 * @param moves how often the package changed hands by the shipment's log: a chain that was cut short together
 * with its projection is shorter than that
 */
export function findFault(
  links: readonly CustodyEventRow[],
  head: ChainHead | null,
  moves: number,
  key: KeyObject,
): ChainFault | null {
  let previous: CustodyEventRow | undefined;
  for (const [number, link] of links.entries()) {
    const fault = faultOf(link, previous, number, key);
    if (fault) return { number, fault };
    previous = link;
  }
  if (!head && !previous && moves === 0) return null;
  if (!head || !previous || Math.max(head.headNumber, moves) > previous.number)
    return { number: links.length, fault: 'MISSING' };
  const agrees =
    head.headHash === previous.hash && head.holderType === previous.toType && head.holderId === previous.toId;
  return agrees ? null : { number: previous.number, fault: 'HEAD_DIFFERS' };
}

function faultOf(
  link: CustodyEventRow,
  previous: CustodyEventRow | undefined,
  number: number,
  key: KeyObject,
): string | null {
  if (link.number !== number) return 'MISSING';
  if (link.previousHash !== (previous?.hash ?? GENESIS_HASH)) return 'BROKEN_LINK';
  if (link.hash !== chainHash(link.previousHash, link.canonical)) return 'HASH_DIFFERS';
  if (!verify(null, Buffer.from(link.hash, 'hex'), key, Buffer.from(link.signature, 'base64url')))
    return 'BAD_SIGNATURE';
  if (!saysTheSame(link)) return 'COLUMNS_DIFFER';
  const continues = previous
    ? link.fromType === previous.toType && link.fromId === previous.toId
    : link.fromType === null;
  return continues ? null : 'HOLDER_DIFFERS';
}

/** The columns are for queries; only the canonical bytes are hashed, so both must say the same. */
function saysTheSame(link: CustodyEventRow): boolean {
  const facts = JSON.parse(link.canonical) as CustodyFacts;
  return (
    facts.eventId === link.id &&
    facts.packageId === link.packageId &&
    facts.shipmentId === link.shipmentId &&
    facts.number === link.number &&
    facts.at === link.at.toISOString() &&
    (facts.from?.type ?? null) === link.fromType &&
    (facts.from?.id ?? null) === link.fromId &&
    facts.to.type === link.toType &&
    facts.to.id === link.toId &&
    facts.handoffStepId === link.handoffStepId
  );
}
