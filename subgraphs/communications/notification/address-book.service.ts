/**
 * Owns how people are addressed: users as identity told them, and the two ends of each shipment, of which the
 * recipient may have no account. Promises that an address is looked up when a mail is sent and not when it was
 * thought of. Asked by the services that write to people.
 */
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { ItineraryConfirmed } from '#shared/events/bookings.ts';
import type { ProfileChanged, UserRegistered } from '#shared/events/identity.ts';
import type { RecipientLinked } from '#shared/events/shipments.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import type { Database } from '#shared/runtime/database.ts';
import {
  AddressBookEntity,
  type AddressBookRow,
  ShipmentEndsEntity,
  type ShipmentEndsRow,
} from './notification.entities.ts';

/** To whom something is written. */
export type Addressee =
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'recipient'; readonly recipientId: string };

export class AddressBookService {
  readonly #db: Database;
  readonly #identity: Caller<typeof IdentityContract>;

  constructor(deps: { db: Database; identity: Caller<typeof IdentityContract> }) {
    this.#db = deps.db;
    this.#identity = deps.identity;
  }

  async learnUser(user: PayloadOf<typeof UserRegistered>): Promise<void> {
    await this.#db.transaction(({ em }) => em.upsert(AddressBookEntity, user));
  }

  async learnProfile({ userId, ...changed }: PayloadOf<typeof ProfileChanged>): Promise<void> {
    await this.#db.transaction(({ em }) => em.nativeUpdate(AddressBookEntity, { userId }, changed));
  }

  /** Who sends; known before any money moves. */
  async learnSender({ shipmentId, senderId }: { shipmentId: string; senderId: string }): Promise<void> {
    await this.#db.transaction(({ em }) =>
      em.upsert(ShipmentEndsEntity, { shipmentId, senderId }, { onConflictMergeFields: ['senderId'] }),
    );
  }

  /** Who sends and who receives; an account once known of a recipient stays known. */
  async learnEnds({ shipmentId, senderId, recipient }: PayloadOf<typeof ItineraryConfirmed>): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql(
        `insert into shipment_ends as known (shipment_id, sender_id, recipient_id, recipient_name, recipient_email, recipient_user_id)
         values (?, ?, ?, ?, ?, ?)
         on conflict (shipment_id) do update set
           sender_id = excluded.sender_id,
           recipient_name = excluded.recipient_name,
           recipient_email = excluded.recipient_email,
           recipient_user_id = case when known.recipient_id = excluded.recipient_id
             then coalesce(excluded.recipient_user_id, known.recipient_user_id) else excluded.recipient_user_id end,
           recipient_id = excluded.recipient_id`,
        [shipmentId, senderId, recipient.recipientId, recipient.name, recipient.email, recipient.userId],
      ),
    );
  }

  async linkRecipient({ recipientId, shipmentId, userId }: PayloadOf<typeof RecipientLinked>): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql(
        `insert into shipment_ends as known (shipment_id, recipient_id, recipient_user_id) values (?, ?, ?)
         on conflict (shipment_id) do update set recipient_id = excluded.recipient_id,
           recipient_user_id = excluded.recipient_user_id
         where known.recipient_id is null or known.recipient_id = excluded.recipient_id`,
        [shipmentId, recipientId, userId],
      ),
    );
  }

  /** Who sends a shipment. Throws while no booking of it has been heard of, so that the fact is tried again. */
  async sender(shipmentId: string): Promise<Addressee> {
    const ends = await this.#ends({ shipmentId });
    if (!ends?.senderId) throw new Error(`no booking of shipment ${shipmentId} has been heard of yet`);
    return { kind: 'user', userId: ends.senderId };
  }

  /** The account of a recipient where there is one, else the recipient as such. Throws like `sender`. */
  async recipient(shipmentId: string): Promise<Addressee> {
    const ends = await this.#ends({ shipmentId });
    if (!ends?.recipientId) throw new Error(`the recipient of ${shipmentId} has not been heard of yet`);
    return ends.recipientUserId
      ? { kind: 'user', userId: ends.recipientUserId }
      : { kind: 'recipient', recipientId: ends.recipientId };
  }

  /** A user or the recipient of a shipment, by an id that may be either. */
  async either(shipmentId: string, partyId: string): Promise<Addressee> {
    const ends = await this.#ends({ shipmentId });
    return ends?.recipientId === partyId ? this.recipient(shipmentId) : { kind: 'user', userId: partyId };
  }

  /** Zone in which a user reads the clock; UTC while they are unknown. */
  async timeZoneOf(userId: string): Promise<string> {
    const entry = await this.#db.read((em) => em.findOne(AddressBookEntity, { userId }));
    return entry?.timeZone ?? 'UTC';
  }

  /** How a user is addressed now; asks identity about who is not in the book. Null for nobody. */
  async user(userId: string): Promise<AddressBookRow | null> {
    const entry = await this.#db.read((em) => em.findOne(AddressBookEntity, { userId }));
    if (entry) return entry;
    const [known] = await this.#identity.users({ userIds: [userId] });
    if (!known) return null;
    return this.#db.transaction(({ em }) => em.upsert(AddressBookEntity, known));
  }

  /** Name and address of a shipment's recipient as the sender gave them; null for nobody. */
  async contact(shipmentId: string, recipientId: string): Promise<{ name: string; email: string } | null> {
    const ends = await this.#ends({ shipmentId, recipientId });
    return ends?.recipientEmail ? { name: ends.recipientName ?? '', email: ends.recipientEmail } : null;
  }

  #ends(where: { shipmentId: string; recipientId?: string }): Promise<ShipmentEndsRow | null> {
    return this.#db.read((em) => em.findOne(ShipmentEndsEntity, where, { refresh: true }));
  }
}
