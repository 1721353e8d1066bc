/**
 * Owns who may read a shipment's tracking without taking part in it: partners to whom its sender gave leave
 * (`tracking_shares`). It promises that leave is given and taken by the sender alone, that it allows reading and
 * nothing else, and that its end is felt at once. Tracking and custody ask it before they show anything.
 */
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Forbidden, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId, requireId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { hasScope, requireScope, requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { groupedBy } from '#shared/runtime/graph.ts';
import type { Wakeups } from '#shared/runtime/wakeups.ts';
import { type PartiesService, shipmentNotFound, topicOf } from './parties.service.ts';
import { TrackingShareRow } from './readers.entities.ts';

export type TrackingShareView = TrackingShareRow;

const SCOPE = 'tracking:read';
/** Partners that may read one shipment at a time. */
const MAX_SHARES = 10;

export class ReadersService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #wakeups: Wakeups;
  readonly #identity: Caller<typeof IdentityContract>;
  readonly #parties: PartiesService;

  constructor(deps: {
    db: Database;
    clock: Clock;
    wakeups: Wakeups;
    identity: Caller<typeof IdentityContract>;
    parties: PartiesService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#wakeups = deps.wakeups;
    this.#identity = deps.identity;
    this.#parties = deps.parties;
  }

  /** Those of the shipments whose tracking the viewer may read: as a party, or by the sender's leave. */
  async readable(viewer: Viewer, shipmentIds: readonly string[]): Promise<Set<string>> {
    if (viewer.kind !== 'partner') {
      return new Set((await this.#parties.rolesOf(viewer, shipmentIds)).keys());
    }
    const asked = [...new Set(shipmentIds)].filter(isId);
    if (asked.length === 0 || !isId(viewer.partnerId) || !hasScope(viewer, SCOPE)) return new Set();
    const shares = await this.#db.read((em) =>
      em.find(TrackingShareRow, {
        shipmentId: { $in: asked },
        partnerId: viewer.partnerId,
        endedAt: null,
      }),
    );
    return new Set(shares.map(({ shipmentId }) => shipmentId));
  }

  /** Refuses `SHIPMENT_NOT_FOUND` whoever may not read it, and `SCOPE_MISSING` a partner's key without the scope. */
  async requireReader(viewer: Viewer, shipmentId: string): Promise<void> {
    if (viewer.kind === 'partner') requireScope(viewer, SCOPE);
    if (!(await this.readable(viewer, [shipmentId])).has(shipmentId)) throw shipmentNotFound();
  }

  /**
   * Gives a partner leave to read; giving it twice is giving it once. Refuses `SIGN_IN_REQUIRED`,
   * `SHIPMENT_NOT_FOUND`, `NOT_SENDER` other parties, `ID_MALFORMED`, `PARTNER_NOT_FOUND`, `TRACKING_SHARES_FULL`.
   */
  async share(viewer: Viewer, input: { shipmentId: string; partnerId: string }): Promise<TrackingShareRow> {
    const { shipmentId } = input;
    await this.#requireSender(viewer, shipmentId);
    const partnerId = requireId(input.partnerId, 'partnerId').toLowerCase();
    const { name } = await this.#identity.partner({ partnerId });
    if (name === null) throw new NotFound('PARTNER_NOT_FOUND', 'There is no such partner');
    return this.#db.transaction(async (tx) => {
      await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`shares of ${shipmentId}`]);
      const live = await tx.em.find(TrackingShareRow, { shipmentId, endedAt: null });
      const known = live.find((share) => share.partnerId === partnerId);
      if (known) return known;
      if (live.length >= MAX_SHARES)
        throw new Conflict('TRACKING_SHARES_FULL', `At most ${MAX_SHARES} partners may follow a shipment`, {
          max: MAX_SHARES,
        });
      return tx.em.create(TrackingShareRow, {
        id: newId(),
        shipmentId,
        partnerId,
        partnerName: name,
        sharedAt: this.#clock.now(),
      });
    });
  }

  /**
   * Takes the leave back; the partner's live feeds end. Twice is once. Refuses `SIGN_IN_REQUIRED`,
   * `TRACKING_SHARE_NOT_FOUND` strangers, `NOT_SENDER` other parties.
   */
  async stop(viewer: Viewer, shareId: string): Promise<TrackingShareRow> {
    requireUser(viewer);
    return this.#db.transaction(async (tx) => {
      const share = isId(shareId) ? await tx.em.findOne(TrackingShareRow, { id: shareId }) : null;
      const roles = share && (await this.#parties.rolesOf(viewer, [share.shipmentId])).get(share.shipmentId);
      if (!share || !roles) throw new NotFound('TRACKING_SHARE_NOT_FOUND', 'There is no such leave of yours');
      await this.#requireSender(viewer, share.shipmentId);
      share.endedAt ??= this.#clock.now();
      tx.afterCommit(() => this.#wakeups.wake(topicOf(share.shipmentId)));
      return share;
    });
  }

  /** Leave that is in force for each shipment, the oldest first; null for everybody but its sender. */
  readonly loadShares = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const roles = await this.#parties.rolesOf(viewer, shipmentIds);
    const sent = [...roles].flatMap(([id, parties]) =>
      parties.some(({ type }) => type === 'sender') ? [id] : [],
    );
    const shares = await this.#db.read((em) =>
      em.find(TrackingShareRow, { shipmentId: { $in: sent }, endedAt: null }, { orderBy: { id: 'asc' } }),
    );
    const groups = groupedBy(shipmentIds, shares, ({ shipmentId }) => shipmentId);
    return shipmentIds.map((id, index) => (sent.includes(id) ? groups[index]! : null));
  };

  async #requireSender(viewer: Viewer, shipmentId: string): Promise<void> {
    requireUser(viewer);
    const roles = await this.#parties.requireRoles(viewer, shipmentId);
    if (!roles.some(({ type }) => type === 'sender'))
      throw new Forbidden('NOT_SENDER', 'Only its sender may do that');
  }
}
