/**
 * Owns custody's own picture of who has to do with a shipment (`custody_parties`) and what its packages are
 * worth (`custody_packages`), learnt from the facts of shipments and bookings. It promises that whoever is no
 * party learns nothing, not even that the shipment exists. Every other service of custody asks it first.
 */
import type { z } from 'zod';
import type { ItineraryConfirmed } from '#shared/events/bookings.ts';
import type { party } from '#shared/events/custody.ts';
import type { RecipientLinked, ShipmentSubmitted } from '#shared/events/shipments.ts';
import { NotFound } from '#shared/kernel/errors.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Wakeups } from '#shared/runtime/wakeups.ts';
import { CustodyPackageRow, CustodyPartyRow } from './parties.entities.ts';

export type Party = z.output<typeof party>;

export const sameParty = (one: Party, other: Party): boolean =>
  one.type === other.type && one.id === other.id;

/** Rung whenever a shipment's log grows, and whenever somebody may no longer read it. */
export const topicOf = (shipmentId: string): string => `tracking:${shipmentId}`;

export const shipmentNotFound = (): NotFound =>
  new NotFound('SHIPMENT_NOT_FOUND', 'There is no such shipment');

interface RecipientFacts {
  readonly recipientId: string;
  readonly userId: string | null;
}

export class PartiesService {
  readonly #db: Database;
  readonly #wakeups: Wakeups;

  constructor({ db, wakeups }: { db: Database; wakeups: Wakeups }) {
    this.#db = db;
    this.#wakeups = wakeups;
  }

  /** Learns sender, recipient and packages; a recipient who was replaced is no party any more. */
  async learnShipment(shipment: PayloadOf<typeof ShipmentSubmitted>): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const { em } = tx;
      const { shipmentId } = shipment;
      this.#announce(tx, [shipmentId]);
      await this.#learnEnds(shipmentId, shipment.senderId, shipment.recipient);
      await em.nativeDelete(CustodyPartyRow, {
        shipmentId,
        partyType: 'recipient',
        partyId: { $ne: shipment.recipient.recipientId },
      });
      await em.nativeDelete(CustodyPackageRow, {
        shipmentId,
        packageId: { $nin: shipment.packages.map(({ packageId }) => packageId) },
      });
      await em.upsertMany(
        CustodyPackageRow,
        shipment.packages.map(({ packageId, declaredValue }) => ({
          packageId,
          shipmentId,
          declaredMinor: declaredValue.amountMinor,
          currency: declaredValue.currency,
        })),
      );
    });
  }

  async linkRecipient({ shipmentId, recipientId, userId }: PayloadOf<typeof RecipientLinked>): Promise<void> {
    await this.#learnEnds(shipmentId, null, { recipientId, userId });
  }

  async learnItinerary(itinerary: PayloadOf<typeof ItineraryConfirmed>): Promise<void> {
    const { shipmentId, itineraryId } = itinerary;
    await this.#learnEnds(shipmentId, itinerary.senderId, itinerary.recipient);
    await this.#db.transaction(async ({ em }) => {
      for (const leg of itinerary.legs) {
        em.create(CustodyPartyRow, {
          id: newId(),
          shipmentId,
          partyType: leg.carrierType,
          partyId: leg.carrierId,
          userId: leg.carrierId,
          itineraryId,
          bookingId: leg.bookingId,
          legId: leg.legId,
          legKind: leg.legKind,
        });
      }
      await em.flush();
    });
  }

  /** Carriers of an itinerary that ended before custody have nothing to do with the shipment any more. */
  async forgetItinerary(itineraryId: string): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const gone = await tx.em.find(CustodyPartyRow, { itineraryId });
      await tx.em.nativeDelete(CustodyPartyRow, { itineraryId });
      this.#announce(
        tx,
        gone.map(({ shipmentId }) => shipmentId),
      );
    });
  }

  /** As whom the viewer acts, per shipment; shipments of which they are no party are left out. */
  async rolesOf(viewer: Viewer, shipmentIds: readonly string[]): Promise<Map<string, Party[]>> {
    const roles = new Map<string, Party[]>();
    const mine =
      viewer.kind === 'user'
        ? { userId: viewer.userId }
        : viewer.kind === 'link'
          ? { shipmentId: viewer.shipmentId, partyType: 'recipient' as const, partyId: viewer.recipientId }
          : null;
    const asked = [...new Set(shipmentIds)].filter(isId);
    if (!mine || asked.length === 0) return roles;
    const rows = await this.#db.read((em) =>
      em.find(CustodyPartyRow, { $and: [{ shipmentId: { $in: asked } }, mine] }),
    );
    for (const row of rows) {
      const party: Party = { type: row.partyType, id: row.partyId };
      const known = roles.get(row.shipmentId) ?? [];
      if (!known.some((each) => sameParty(each, party))) roles.set(row.shipmentId, [...known, party]);
    }
    return roles;
  }

  /** As whom the viewer acts. Refuses `SHIPMENT_NOT_FOUND` whoever is no party. */
  async requireRoles(viewer: Viewer, shipmentId: string): Promise<Party[]> {
    const roles = (await this.rolesOf(viewer, [shipmentId])).get(shipmentId);
    if (roles) return roles;
    throw shipmentNotFound();
  }

  /** Account of each party, in their order: its own, or the one linked to a recipient; null for one without. */
  async accountsOf(parties: readonly Party[]): Promise<(string | null)[]> {
    const recipients = new Set(parties.filter(({ type }) => type === 'recipient').map(({ id }) => id));
    const rows = recipients.size
      ? await this.#db.read((em) =>
          em.find(CustodyPartyRow, { partyType: 'recipient', partyId: { $in: [...recipients] } }),
        )
      : [];
    const linked = new Map(rows.map((row) => [row.partyId, row.userId ?? null]));
    return parties.map(({ type, id }) => (type === 'recipient' ? (linked.get(id) ?? null) : id));
  }

  /** Leg of a booking; null where the itinerary is not known here. */
  async legOf(bookingId: string): Promise<{ legId: string; tripLegId: string | null } | null> {
    const row = await this.#db.read((em) => em.findOne(CustodyPartyRow, { bookingId }));
    return row?.legId ? { legId: row.legId, tripLegId: row.legKind === 'trip_leg' ? row.legId : null } : null;
  }

  /** Shipments of packages, for those that are known. */
  async shipmentsOf(packageIds: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#db.read((em) =>
      em.find(CustodyPackageRow, { packageId: { $in: packageIds.filter(isId) } }),
    );
    return new Map(rows.map((row) => [row.packageId, row.shipmentId]));
  }

  /** What a shipment was declared to be worth, in minor units of its currency. */
  async declaredMinor(shipmentId: string): Promise<bigint> {
    const rows = await this.#db.read((em) => em.find(CustodyPackageRow, { shipmentId }));
    return rows.reduce((sum, row) => sum + row.declaredMinor, 0n);
  }

  /** Whoever follows one of them is asked at once whether they still may. */
  #announce(tx: Transaction, shipmentIds: readonly string[]): void {
    for (const shipmentId of new Set(shipmentIds))
      tx.afterCommit(() => this.#wakeups.wake(topicOf(shipmentId)));
  }

  /** What bookings say of the recipient may be older than what shipments said: an account is never unlearnt. */
  async #learnEnds(shipmentId: string, senderId: string | null, recipient: RecipientFacts): Promise<void> {
    const ends = [
      ...(senderId ? [{ type: 'sender', id: senderId, userId: senderId }] : []),
      { type: 'recipient', id: recipient.recipientId, userId: recipient.userId },
    ];
    await this.#db.transaction(async (tx) => {
      for (const end of ends) {
        await tx.sql(
          `insert into custody_parties (id, shipment_id, party_type, party_id, user_id) values (?, ?, ?, ?, ?)
           on conflict (shipment_id, party_type, party_id, booking_id)
           do update set user_id = coalesce(excluded.user_id, custody_parties.user_id)`,
          [newId(), shipmentId, end.type, end.id, end.userId],
        );
      }
    });
  }
}
