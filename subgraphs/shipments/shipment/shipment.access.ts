/**
 * Decides who may see and who may write a shipment. Promises that everything of a shipment passes one table
 * (shipment.disclosure.ts) and that to strangers it is as if there were none. Called by every other class of
 * this subgraph first.
 */
import { type EntityManager, LockMode } from '@mikro-orm/postgresql';
import { Conflict, Forbidden, NotFound } from '#shared/kernel/errors.ts';
import { isId, requireId } from '#shared/kernel/ids.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import { type Disclosure, disclosed, type Relation } from './shipment.disclosure.ts';
import {
  RecipientEntity,
  ShipmentEntity,
  ShipmentPartyEntity,
  type ShipmentRow,
} from './shipment.entities.ts';
import type { ShipmentView } from './shipment.views.ts';

export const shipmentNotFound = (): NotFound =>
  new NotFound('SHIPMENT_NOT_FOUND', 'There is no such shipment of yours');

export class ShipmentAccess {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  readonly byIds: Batch<string, ShipmentView> = async (viewer, ids) => {
    const asked = ids.filter(isId);
    if (asked.length === 0 || viewer.kind === 'anonymous') return ids.map(() => null);
    const rows = await this.#db.read((em) => em.find(ShipmentEntity, { id: { $in: asked } }));
    const relations = await this.#relations(viewer, rows);
    const views = rows.map((row) => viewOf(row, relations.get(row.id) ?? []));
    return inOrder(
      ids,
      views.filter(({ discloses }) => discloses.has('frame')),
      ({ id }) => id,
    );
  };

  /** One shipment of which the viewer may see this. Refuses `SHIPMENT_NOT_FOUND`, `ID_MALFORMED`. */
  async require(viewer: Viewer, shipmentId: string, what: Disclosure = 'frame'): Promise<ShipmentView> {
    const [view] = await this.byIds(viewer, [requireId(shipmentId, 'shipmentId')]);
    if (!view || view instanceof Error || !view.discloses.has(what)) throw shipmentNotFound();
    return view;
  }

  /** What its sender sees of a shipment that is at hand. */
  ownView(row: ShipmentRow): ShipmentView {
    return viewOf(row, ['sender']);
  }

  /**
   * Locks the viewer's own shipment. Refuses `SIGN_IN_REQUIRED`, `SHIPMENT_NOT_FOUND`, and `NOT_YOUR_SHIPMENT`
   * other parties.
   */
  async lockOwn(em: EntityManager, viewer: Viewer, shipmentId: string): Promise<ShipmentRow> {
    const { userId } = requireUser(viewer);
    const shipment = await em.findOne(
      ShipmentEntity,
      { id: requireId(shipmentId, 'shipmentId') },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
    if (shipment?.senderId === userId) return shipment;
    const [seen] = await this.byIds(viewer, [shipmentId]);
    if (seen) throw new Forbidden('NOT_YOUR_SHIPMENT', 'Only its sender may do that');
    throw shipmentNotFound();
  }

  /** Locks the viewer's own draft. Refuses what `lockOwn` refuses, and `SHIPMENT_NOT_DRAFT`. */
  async lockDraft(em: EntityManager, viewer: Viewer, shipmentId: string): Promise<ShipmentRow> {
    const shipment = await this.lockOwn(em, viewer, shipmentId);
    if (shipment.state !== 'draft') throw new Conflict('SHIPMENT_NOT_DRAFT', 'Only a draft can be written');
    return shipment;
  }

  async #relations(viewer: Viewer, rows: readonly ShipmentRow[]): Promise<Map<string, Relation[]>> {
    const relations = new Map<string, Relation[]>(rows.map(({ id }) => [id, []]));
    const shipmentId = { $in: rows.map(({ id }) => id) };
    if (viewer.kind === 'user') {
      const { userId } = viewer;
      for (const row of rows) if (row.senderId === userId) relations.get(row.id)!.push('sender');
      const [received, carried] = await Promise.all([
        this.#db.read((em) => em.find(RecipientEntity, { shipmentId, userId })),
        this.#db.read((em) => em.find(ShipmentPartyEntity, { shipmentId, carrierId: userId })),
      ]);
      for (const row of received) relations.get(row.shipmentId)!.push('recipient');
      for (const row of carried) relations.get(row.shipmentId)!.push('carrier');
    }
    if (viewer.kind === 'link') {
      const named = { $and: [{ shipmentId }, { shipmentId: viewer.shipmentId, id: viewer.recipientId }] };
      const received = await this.#db.read((em) => em.find(RecipientEntity, named));
      for (const row of received) relations.get(row.shipmentId)!.push('recipient');
    }
    return relations;
  }
}

function viewOf(row: ShipmentRow, relations: readonly Relation[]): ShipmentView {
  const discloses = disclosed(relations, row.state);
  return {
    id: row.id,
    senderId: row.senderId,
    state: row.state,
    originLocationId: row.originLocationId,
    destinationLocationId: row.destinationLocationId,
    international: row.originTerritory !== row.destinationTerritory,
    destinationTerritory: row.destinationTerritory,
    destinationTimeZone: row.destinationTimeZone,
    specialHandling: row.specialHandling ?? null,
    senderContact: discloses.has('senderContact')
      ? { name: row.senderName, email: row.senderEmail, phone: row.senderPhone, address: row.senderAddress }
      : null,
    createdAt: row.createdAt,
    submittedAt: row.submittedAt ?? null,
    discloses,
  };
}
