/**
 * Owns how far a shipment has come and who carries it, learnt from the facts of bookings, custody and payments.
 * Promises that these facts lead to the same state in whatever order they come across subgraphs, and that every
 * change of state is told once. Called by handlers, and by the shipment service for what senders do.
 */
import { type EntityManager, LockMode } from '@mikro-orm/postgresql';
import type { ShipmentState } from '#shared/events/shipments.ts';
import { RecipientLinked, ShipmentStateChanged, shipmentState } from '#shared/events/shipments.ts';
import { NotFound } from '#shared/kernel/errors.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import { ShipmentEntity, ShipmentPartyEntity, type ShipmentRow } from './shipment.entities.ts';
import { type ShipmentEvent, shipmentStates } from './shipment.states.ts';

/** The event that leads on from each state of a shipment under way. */
const onwards: Partial<Record<ShipmentState, ShipmentEvent>> = {
  searching: 'request',
  awaiting_acceptance: 'confirm',
  booked: 'depart',
  in_transit: 'start_last_leg',
  awaiting_delivery: 'deliver',
  delivered: 'complete',
};
const order = shipmentState.options;
const isBefore = (one: ShipmentState, other: ShipmentState): boolean =>
  order.indexOf(one) < order.indexOf(other);

interface Carriage {
  readonly shipmentId: string;
  readonly itineraryId: string;
}

export class ShipmentProgress {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor({ db, clock }: { db: Database; clock: Clock }) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Changes the state and tells it. Refuses `INVALID_TRANSITION`. */
  move(tx: Transaction, shipment: ShipmentRow, event: ShipmentEvent, by: 'sender' | 'system'): void {
    const from = shipment.state;
    shipment.state = nextState(shipmentStates, from, event, by);
    tx.tell(ShipmentStateChanged, {
      shipmentId: shipment.id,
      senderId: shipment.senderId,
      from,
      to: shipment.state,
      at: this.#clock.now(),
    });
  }

  /** An itinerary was requested or confirmed: its carriers become parties. */
  async follow(
    { shipmentId, itineraryId }: Carriage,
    legs: readonly { bookingId: string; carrierId: string }[],
    target: 'awaiting_acceptance' | 'booked',
  ): Promise<void> {
    await this.#change(shipmentId, async (tx, shipment) => {
      if (shipmentStates.terminal.includes(shipment.state)) return;
      this.#takeOver(shipment, itineraryId);
      this.#reach(tx, shipment, target);
      for (const { bookingId, carrierId } of legs)
        await tx.em.upsert(ShipmentPartyEntity, { bookingId, carrierId, itineraryId, shipmentId });
    });
  }

  /** A carrier will not carry: what they were asked to carry concerns them no more. */
  async dismiss(bookingId: string): Promise<void> {
    await this.#db.transaction(({ em }) => em.nativeDelete(ShipmentPartyEntity, { bookingId }));
  }

  /** An itinerary ended before custody: its carriers are no parties any more and the sender searches again. */
  async release({ shipmentId, itineraryId }: Carriage): Promise<void> {
    await this.#change(shipmentId, async (tx, shipment) => {
      await tx.em.nativeDelete(ShipmentPartyEntity, { itineraryId });
      if (shipment.itineraryId !== itineraryId) return;
      this.move(tx, shipment, 'release', 'system');
      shipment.itineraryId = null;
      shipment.escrowClosedAt = null;
    });
  }

  /** Custody moved. */
  async recordHandoff(
    handoff: Carriage & { readonly lastLegStarted: boolean; readonly delivered: boolean },
  ): Promise<void> {
    await this.#change(handoff.shipmentId, async (tx, shipment) => {
      this.#takeOver(shipment, handoff.itineraryId);
      this.#reach(tx, shipment, 'in_transit');
      if (handoff.lastLegStarted) this.#reach(tx, shipment, 'awaiting_delivery');
      if (handoff.delivered) this.#reach(tx, shipment, 'delivered');
      this.#completeWhereDone(tx, shipment);
    });
  }

  /** Nothing of an itinerary's money is held any more: a delivered shipment is completed with that. */
  async closeEscrow({ shipmentId, itineraryId }: Carriage, closedAt: Date): Promise<void> {
    await this.#change(shipmentId, async (tx, shipment) => {
      if (shipment.itineraryId !== itineraryId) return;
      shipment.escrowClosedAt = closedAt;
      this.#completeWhereDone(tx, shipment);
    });
  }

  /** An account proved an address: it belongs to the recipients with that address. A draft's are told on submit. */
  async linkRecipients(email: string, userId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      // The shipments' locks come first, so that a submit under way either sees the account or is told of it.
      const shipments = await tx.sql<{ id: string; state: ShipmentState }>(
        `select id, state from shipments
          where id in (select shipment_id from recipients where email = ? and user_id is null)
          order by id for update`,
        [email],
      );
      for (const { id: shipmentId, state } of shipments) {
        const [linked] = await tx.sql<{ id: string }>(
          'update recipients set user_id = ? where shipment_id = ? and email = ? and user_id is null returning id',
          [userId, shipmentId, email],
        );
        if (linked && state !== 'draft')
          tx.tell(RecipientLinked, { shipmentId, recipientId: linked.id, userId });
      }
    });
  }

  async #change(
    shipmentId: string,
    change: (tx: Transaction, shipment: ShipmentRow) => Promise<void>,
  ): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const shipment = await lock(tx.em, shipmentId);
      await change(tx, shipment);
      await tx.em.flush();
    });
  }

  #takeOver(shipment: ShipmentRow, itineraryId: string): void {
    if (shipment.itineraryId === itineraryId) return;
    shipment.itineraryId = itineraryId;
    shipment.escrowClosedAt = null;
  }

  /** Facts of different subgraphs may overtake each other: what a fact implies is caught up with step by step. */
  #reach(tx: Transaction, shipment: ShipmentRow, target: ShipmentState): void {
    while (isBefore(shipment.state, target))
      this.move(tx, shipment, onwards[shipment.state] ?? 'request', 'system');
  }

  #completeWhereDone(tx: Transaction, shipment: ShipmentRow): void {
    if (shipment.state === 'delivered' && shipment.escrowClosedAt)
      this.move(tx, shipment, 'complete', 'system');
  }
}

async function lock(em: EntityManager, shipmentId: string): Promise<ShipmentRow> {
  const shipment = await em.findOne(
    ShipmentEntity,
    { id: shipmentId },
    { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
  );
  if (!shipment) throw new NotFound('SHIPMENT_NOT_FOUND', 'There is no such shipment');
  return shipment;
}
