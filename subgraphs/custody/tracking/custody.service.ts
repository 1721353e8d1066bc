/**
 * Owns who holds each package: the chain of custody events (`custody_events`) and its projection
 * (`custody_states`). It promises exactly one holder at any instant, links that join without a gap, and that
 * whoever edits, deletes or reorders a link, be it the database's own superuser, is found out. Custody begins
 * with an itinerary and moves only by a hand-over; the handoff service is the one who says so.
 */
import type { KeyObject } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { Conflict, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { groupedBy, inOrder } from '#shared/runtime/graph.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import { CustodyEventRow, CustodyStateRow } from './custody-chain.entities.ts';
import {
  type ChainFault,
  type CustodyFacts,
  canonicalJson,
  chainHash,
  findFault,
  GENESIS_HASH,
  signHash,
} from './custody-chain.ts';
import type { PartiesService, Party } from './parties.service.ts';
import type { ReadersService } from './readers.service.ts';
import { TrackingEventRow } from './tracking.entities.ts';

export type CustodyStateView = CustodyStateRow;
export type CustodyEventView = CustodyEventRow;

export interface CustodyProofView {
  readonly packageId: string;
  readonly events: readonly CustodyEventRow[];
  readonly fault: ChainFault | null;
  /** Raw Ed25519 key, base64url. */
  readonly publicKey: string;
}

export interface Transfer {
  readonly shipmentId: string;
  readonly itineraryId: string;
  readonly packageIds: readonly string[];
  readonly from: Party;
  readonly to: Party;
  readonly handoffStepId: string;
  readonly discrepancy: boolean;
  readonly photoHashes: readonly string[];
  readonly scanIds: readonly string[];
}

export class CustodyService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #parties: PartiesService;
  readonly #readers: ReadersService;
  readonly #key: { privateKey: KeyObject; publicKey: KeyObject };

  constructor(
    deps: { db: Database; clock: Clock; secrets: Secrets },
    parties: PartiesService,
    readers: ReadersService,
  ) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#parties = parties;
    this.#readers = readers;
    this.#key = deps.secrets.signingKey('custody-chain:1');
  }

  /** Begins the chains of packages that have none: the sender holds them. */
  async begin(
    shipmentId: string,
    itineraryId: string,
    senderId: string,
    packageIds: readonly string[],
  ): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      const known = await em.find(
        CustodyStateRow,
        { packageId: { $in: [...packageIds] } },
        { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { packageId: 'asc' } },
      );
      for (const state of known) state.itineraryId = itineraryId;
      const holder: Party = { type: 'sender', id: senderId };
      for (const packageId of packageIds) {
        if (known.some((state) => state.packageId === packageId)) continue;
        const link = this.#link(null, {
          packageId,
          shipmentId,
          from: null,
          to: holder,
          handoffStepId: null,
          condition: 'intact',
          photoHashes: [],
          scanIds: [],
        });
        em.create(CustodyEventRow, link);
        em.create(CustodyStateRow, {
          packageId,
          shipmentId,
          itineraryId,
          phase: 'held',
          holderType: holder.type,
          holderId: holder.id,
          condition: 'intact',
          since: link.at,
          headNumber: link.number,
          headHash: link.hash,
        });
      }
      await em.flush();
    });
  }

  /** Marks packages as being handed over, or no more. Liability stays with the holder. */
  async setPhase(packageIds: readonly string[], phase: 'held' | 'in_handoff'): Promise<void> {
    await this.#db.transaction(({ em }) =>
      em.nativeUpdate(CustodyStateRow, { packageId: { $in: [...packageIds] } }, { phase }),
    );
  }

  /**
   * Moves packages from one holder to the next, one chain event each, within the caller's transaction.
   * Refuses `CUSTODY_ELSEWHERE` {packageId} where somebody else holds one.
   */
  async transfer(transfer: Transfer): Promise<CustodyEventRow[]> {
    return this.#db.transaction(async ({ em }) => {
      const states = await em.find(
        CustodyStateRow,
        { packageId: { $in: [...transfer.packageIds] } },
        { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { packageId: 'asc' } },
      );
      const links = transfer.packageIds.map((packageId) => {
        const state = states.find((each) => each.packageId === packageId);
        if (state?.holderType !== transfer.from.type || state.holderId !== transfer.from.id)
          throw new Conflict('CUSTODY_ELSEWHERE', 'The giver does not hold this package', { packageId });
        const condition = transfer.discrepancy ? 'discrepancy' : state.condition;
        const { from, to, shipmentId, handoffStepId, photoHashes, scanIds } = transfer;
        const link = em.create(
          CustodyEventRow,
          this.#link(state, {
            packageId,
            shipmentId,
            from,
            to,
            handoffStepId,
            condition,
            photoHashes: [...photoHashes].sort(),
            scanIds,
          }),
        );
        Object.assign(state, {
          phase: 'held',
          holderType: to.type,
          holderId: to.id,
          condition,
          since: link.at,
          headNumber: link.number,
          headHash: link.hash,
        });
        return link;
      });
      await em.flush();
      return links;
    });
  }

  /** Where the packages of shipments are; null for shipments that the viewer may not read. */
  readonly loadByShipment = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const readable = await this.#readers.readable(viewer, shipmentIds);
    const states = await this.#db.read((em) =>
      em.find(CustodyStateRow, { shipmentId: { $in: [...readable] } }, { orderBy: { packageId: 'asc' } }),
    );
    const groups = groupedBy(shipmentIds, states, (state) => state.shipmentId);
    return shipmentIds.map((id, index) => (readable.has(id) ? groups[index]! : null));
  };

  /** Where packages are; null for those unknown, and for those that the viewer may not read. */
  readonly loadByPackage = async (viewer: Viewer, packageIds: readonly string[]) => {
    const states = await this.#db.read((em) =>
      em.find(CustodyStateRow, { packageId: { $in: packageIds.filter(isId) } }),
    );
    const readable = await this.#readers.readable(
      viewer,
      states.map(({ shipmentId }) => shipmentId),
    );
    const visible = states.filter(({ shipmentId }) => readable.has(shipmentId));
    return inOrder(packageIds, visible, (state) => state.packageId);
  };

  /** Accounts of the holders; null for a recipient without one. */
  readonly loadHolders = async (_viewer: Viewer, states: readonly CustodyStateRow[]) =>
    this.#parties.accountsOf(states.map(({ holderType, holderId }) => ({ type: holderType, id: holderId })));

  /** True where the party holds a package of the shipment. */
  async holds(shipmentId: string, parties: readonly Party[]): Promise<boolean> {
    const states = await this.#db.read((em) => em.find(CustodyStateRow, { shipmentId }));
    return states.some((state) =>
      parties.some((party) => party.type === state.holderType && party.id === state.holderId),
    );
  }

  /** A package's whole chain with its first fault, if any. Refuses `PACKAGE_NOT_FOUND`. */
  async proof(viewer: Viewer, packageId: string): Promise<CustodyProofView> {
    const [state] = await this.loadByPackage(viewer, [packageId]);
    const shipmentId = (await this.#parties.shipmentsOf([packageId])).get(packageId);
    const readable = await this.#readers.readable(viewer, shipmentId ? [shipmentId] : []);
    if (!state && readable.size === 0) throw new NotFound('PACKAGE_NOT_FOUND', 'There is no such package');
    const { events, fault } = await this.verifyCustodyChain(packageId);
    const publicKey = this.#key.publicKey.export({ format: 'jwk' }).x as string;
    return { packageId, events, fault, publicKey };
  }

  /** Recomputes a package's chain from its bytes and names the first link that is wrong. For the platform itself. */
  async verifyCustodyChain(
    packageId: string,
  ): Promise<{ events: CustodyEventRow[]; fault: ChainFault | null }> {
    return this.#db.read(async (em) => {
      const events = await em.find(CustodyEventRow, { packageId }, { orderBy: { number: 'asc' } });
      const head = await em.findOne(CustodyStateRow, { packageId });
      const moves = await em.count(TrackingEventRow, {
        packageId,
        type: { $in: ['PICKED_UP', 'TRANSFERRED', 'DELIVERED'] },
      });
      return { events, fault: findFault(events, head, moves, this.#key.publicKey) };
    });
  }

  #link(
    head: CustodyStateRow | null,
    facts: Omit<CustodyFacts, 'eventId' | 'number' | 'at'>,
  ): CustodyEventRow {
    const at = this.#clock.now();
    const id = newId();
    const number = head ? head.headNumber + 1 : 0;
    const previousHash = head?.headHash ?? GENESIS_HASH;
    const canonical = canonicalJson({ ...facts, eventId: id, number, at: at.toISOString() });
    const hash = chainHash(previousHash, canonical);
    return {
      id,
      packageId: facts.packageId,
      shipmentId: facts.shipmentId,
      number,
      fromType: facts.from?.type ?? null,
      fromId: facts.from?.id ?? null,
      toType: facts.to.type,
      toId: facts.to.id,
      handoffStepId: facts.handoffStepId,
      at,
      canonical,
      previousHash,
      hash,
      signature: signHash(hash, this.#key.privateKey),
    } as CustodyEventRow;
  }
}
