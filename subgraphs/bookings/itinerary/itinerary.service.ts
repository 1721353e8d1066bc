/**
 * Owns itineraries: which legs bring a shipment to its recipient, and how far that has come. Promises that an
 * itinerary is seen by its parties alone and that a shipment has one live itinerary at most (the database says so).
 * Called by resolvers, by pricing and booking of this subgraph, and by handlers when custody moves.
 */
import { type EntityManager, LockMode } from '@mikro-orm/postgresql';
import type { DiscoveryContract } from '#shared/contracts/discovery.ts';
import type { ShipmentsContract } from '#shared/contracts/shipments.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Forbidden, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId, requireId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import {
  ItineraryEntity,
  ItineraryLegEntity,
  type ItineraryLegRow,
  type ItineraryRow,
} from './itinerary.entities.ts';
import { type ItineraryEvent, itineraryStates, unpaidStates } from './itinerary.states.ts';

export type ItineraryView = ItineraryRow;
export type ItineraryLegView = ItineraryLegRow;

export class ItineraryService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #discovery: Caller<typeof DiscoveryContract>;
  readonly #shipments: Caller<typeof ShipmentsContract>;

  constructor(deps: {
    db: Database;
    clock: Clock;
    discovery: Caller<typeof DiscoveryContract>;
    shipments: Caller<typeof ShipmentsContract>;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#discovery = deps.discovery;
    this.#shipments = deps.shipments;
  }

  /**
   * Makes a suggestion the itinerary of the viewer's shipment. Refuses `SHIPMENT_NOT_FOUND`,
   * `SHIPMENT_INCOMPLETE` {missing}, `SHIPMENT_ALREADY_BOOKED`, `SUGGESTION_MISMATCH`, `SUGGESTION_INVALID`,
   * `SUGGESTION_STALE` {alternatives}, `CARRIES_OWN_SHIPMENT`.
   */
  async create(
    viewer: Viewer,
    draft: { shipmentId: string; suggestionToken: string },
  ): Promise<ItineraryView> {
    const { userId } = requireUser(viewer);
    const shipment = await this.#shipments.shipment({
      shipmentId: requireId(draft.shipmentId, 'shipmentId'),
    });
    if (shipment.senderId !== userId)
      throw new NotFound('SHIPMENT_NOT_FOUND', 'There is no such shipment of yours');
    if (shipment.missing.length > 0 || !shipment.recipient) {
      throw new Conflict('SHIPMENT_INCOMPLETE', 'The shipment is not complete yet', {
        missing: shipment.missing,
      });
    }
    if (shipment.state !== 'searching') {
      throw new Conflict('SHIPMENT_ALREADY_BOOKED', `The shipment is ${shipment.state}`, {
        state: shipment.state,
      });
    }
    const { recipient } = shipment;
    const grams = shipment.packages.reduce((sum, each) => sum + each.grams, 0);
    const categories = [...new Set(shipment.packages.map(({ category }) => category))];
    const suggestion = await this.#discovery.suggestion({
      token: draft.suggestionToken,
      grams,
      categories,
    });
    if (
      suggestion.originLocationId !== shipment.originLocationId ||
      suggestion.destinationLocationId !== shipment.destinationLocationId
    ) {
      throw new Conflict(
        'SUGGESTION_MISMATCH',
        'The suggestion leads from or to another place than the shipment',
      );
    }
    if (suggestion.legs.some(({ carrierId }) => carrierId === userId)) {
      throw new Conflict('CARRIES_OWN_SHIPMENT', 'Senders do not carry their own shipment');
    }
    return this.#db.transaction(async ({ em }) => {
      const id = newId();
      const itinerary = em.create(ItineraryEntity, {
        id,
        shipmentId: shipment.shipmentId,
        senderId: userId,
        recipientId: recipient.recipientId,
        recipientUserId: recipient.userId,
        state: itineraryStates.initial,
        statesVersion: itineraryStates.version,
        version: 1,
        grams,
        categories,
        currency: suggestion.total.currency,
        carriersMinor: suggestion.total.amountMinor,
        suggestionToken: draft.suggestionToken,
        createdAt: this.#clock.now(),
      });
      for (const { price, capacityVersion: _, ...leg } of suggestion.legs) {
        em.create(ItineraryLegEntity, {
          ...leg,
          id: newId(),
          itineraryId: id,
          itineraryVersion: 1,
          currency: price.currency,
          priceMinor: price.amountMinor,
        });
      }
      await em.flush();
      return itinerary;
    });
  }

  /** Locks the viewer's own itinerary. Refuses `ITINERARY_NOT_FOUND`, `NOT_YOUR_ITINERARY` for other parties. */
  async lockOwn(em: EntityManager, viewer: Viewer, itineraryId: string): Promise<ItineraryRow> {
    const { userId } = requireUser(viewer);
    const [seen] = await this.byIds(viewer, [requireId(itineraryId, 'itineraryId')]);
    if (!seen) throw new NotFound('ITINERARY_NOT_FOUND', 'There is no such itinerary of yours');
    const itinerary = await this.lock(em, itineraryId);
    if (itinerary.senderId !== userId)
      throw new Forbidden('NOT_YOUR_ITINERARY', 'Only its sender may do that');
    return itinerary;
  }

  lock(em: EntityManager, itineraryId: string): Promise<ItineraryRow> {
    return em.findOneOrFail(
      ItineraryEntity,
      { id: itineraryId },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }

  /** Locks what of a shipment is not confirmed yet, in the order of ids. */
  lockUnconfirmed(em: EntityManager, shipmentId: string): Promise<ItineraryRow[]> {
    return em.find(
      ItineraryEntity,
      { shipmentId, state: { $in: ['planned', ...unpaidStates] } },
      { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }

  /** Refuses `INVALID_TRANSITION`. */
  move(itinerary: ItineraryRow, event: ItineraryEvent, by: 'sender' | 'system'): void {
    itinerary.state = nextState(itineraryStates, itinerary.state, event, by);
  }

  /** Refuses what `move` would refuse, and changes nothing. */
  requireMove(itinerary: ItineraryView, event: ItineraryEvent, by: 'sender' | 'system'): void {
    nextState(itineraryStates, itinerary.state, event, by);
  }

  /** True while carriers are asked and nothing is paid yet. */
  isAsked({ state }: ItineraryView): boolean {
    return unpaidStates.includes(state);
  }

  legsOf(em: EntityManager, itinerary: ItineraryRow): Promise<ItineraryLegRow[]> {
    return em.find(
      ItineraryLegEntity,
      { itineraryId: itinerary.id, itineraryVersion: itinerary.version },
      { orderBy: { sequence: 'asc' } },
    );
  }

  /** Custody moved: the first hand-over sets the itinerary off, the last one completes it. */
  async recordHandoff(itineraryId: string, delivered: boolean): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      const itinerary = await this.lock(em, itineraryId);
      if (itinerary.state === 'confirmed') this.move(itinerary, 'depart', 'system');
      if (delivered) this.move(itinerary, 'complete', 'system');
    });
  }

  /** An account turned out to be the recipient's. */
  async linkRecipient(recipientId: string, userId: string): Promise<void> {
    await this.#db.transaction(({ em }) =>
      em.nativeUpdate(ItineraryEntity, { recipientId }, { recipientUserId: userId }),
    );
  }

  /** Itineraries of one sender that hold capacity and are not paid yet. */
  countUnpaid(senderId: string): Promise<number> {
    return this.#db.read((em) => em.count(ItineraryEntity, { senderId, state: { $in: [...unpaidStates] } }));
  }

  /** Legs on a trip, with the itineraries that they belong to. */
  legsOnTrip(em: EntityManager, tripId: string): Promise<ItineraryLegRow[]> {
    return em.find(ItineraryLegEntity, { tripId }, { orderBy: { itineraryId: 'asc' } });
  }

  /** What all carriers earn together; null for everybody but the sender, since it tells one carrier of the others. */
  earningsOf(viewer: Viewer, itinerary: ItineraryView): Money | null {
    return isSender(viewer, itinerary) ? money(itinerary.carriersMinor, itinerary.currency) : null;
  }

  readonly byIds: Batch<string, ItineraryView> = async (viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(ItineraryEntity, { id: { $in: ids.filter(isId) } }));
    const carried = await this.#carriedBy(viewer, rows);
    return inOrder(
      ids,
      rows.filter((row) => isParty(viewer, row) || carried.has(row.id)),
      (row) => row.id,
    );
  };

  /** The itinerary in force or the last one, per shipment. */
  readonly byShipment: Batch<string, ItineraryView> = async (viewer, shipmentIds) => {
    const rows = await this.#db.read((em) =>
      em.find(ItineraryEntity, { shipmentId: { $in: shipmentIds.filter(isId) } }, { orderBy: { id: 'asc' } }),
    );
    const carried = await this.#carriedBy(viewer, rows);
    const visible = rows.filter((row) => isParty(viewer, row) || carried.has(row.id));
    return groupedBy(shipmentIds, visible, (row) => row.shipmentId).map(
      (group) =>
        group.findLast((row) => row.state !== 'cancelled' && row.state !== 'planned') ?? group.at(-1) ?? null,
    );
  };

  readonly legsByItinerary: Batch<string, ItineraryLegView[]> = async (_viewer, ids) => {
    const rows = await this.#db.read((em) =>
      em.find(ItineraryLegEntity, { itineraryId: { $in: [...ids] } }, { orderBy: { sequence: 'asc' } }),
    );
    return groupedBy(ids, rows, (row) => row.itineraryId).map((legs) => {
      const current = Math.max(...legs.map(({ itineraryVersion }) => itineraryVersion));
      return legs.filter(({ itineraryVersion }) => itineraryVersion === current);
    });
  };

  /** Legs of itineraries that a traveller carries on the given trips. */
  legsOfTrips(carrierId: string, tripIds: readonly string[]): Promise<ItineraryLegRow[]> {
    return this.#db.read((em) =>
      em.find(ItineraryLegEntity, { tripId: { $in: tripIds.filter(isId) }, carrierId }),
    );
  }

  readonly legsByIds: Batch<string, ItineraryLegView> = async (viewer, ids) => {
    const seen = await this.#legsSeen(viewer, ids);
    return inOrder(
      ids,
      seen.map(({ leg }) => leg),
      (leg) => leg.id,
    );
  };

  /** What a leg's carrier earns, for the sender and for that carrier. */
  readonly priceByLeg: Batch<string, Money> = async (viewer, ids) => {
    const concerned = (await this.#legsSeen(viewer, ids)).filter(
      ({ leg, itinerary }) => isSender(viewer, itinerary) || isUser(viewer, leg.carrierId),
    );
    const prices = new Map(
      concerned.map(({ leg }) => [leg.id, money(leg.priceMinor, leg.currency)] as const),
    );
    return ids.map((id) => prices.get(id) ?? null);
  };

  /** Legs of itineraries that the viewer may see. */
  async #legsSeen(
    viewer: Viewer,
    ids: readonly string[],
  ): Promise<{ leg: ItineraryLegRow; itinerary: ItineraryRow }[]> {
    const legs = await this.#db.read((em) => em.find(ItineraryLegEntity, { id: { $in: ids.filter(isId) } }));
    const seen = await this.byIds(
      viewer,
      legs.map(({ itineraryId }) => itineraryId),
    );
    return legs.flatMap((leg, index) => {
      const itinerary = seen[index];
      return itinerary && !(itinerary instanceof Error) ? [{ leg, itinerary }] : [];
    });
  }

  /** Which of the itineraries have a leg that the viewer was asked to carry. */
  async #carriedBy(viewer: Viewer, rows: readonly ItineraryRow[]): Promise<Set<string>> {
    if (viewer.kind !== 'user' || rows.length === 0) return new Set();
    const asked = rows.filter(({ state }) => state !== 'planned').map(({ id }) => id);
    const legs = await this.#db.read((em) =>
      em.find(ItineraryLegEntity, { itineraryId: { $in: asked }, carrierId: viewer.userId }),
    );
    return new Set(legs.map(({ itineraryId }) => itineraryId));
  }
}

const isUser = (viewer: Viewer, userId: string | null | undefined): boolean =>
  viewer.kind === 'user' && viewer.userId === userId;

const isSender = (viewer: Viewer, itinerary: ItineraryRow): boolean =>
  viewer.kind === 'service' || isUser(viewer, itinerary.senderId);

function isParty(viewer: Viewer, itinerary: ItineraryRow): boolean {
  if (viewer.kind === 'link')
    return viewer.shipmentId === itinerary.shipmentId && viewer.recipientId === itinerary.recipientId;
  return isSender(viewer, itinerary) || isUser(viewer, itinerary.recipientUserId);
}
