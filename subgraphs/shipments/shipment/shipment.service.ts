/**
 * Owns shipments and their recipients from draft to cancellation. Promises that what is submitted can be booked
 * as it is: packages with photos, contents that may travel, a recipient, and papers where a border is crossed.
 * Called by resolvers, and by the contract for bookings.
 */

import type { z } from 'zod';
import type { DiscoveryContract } from '#shared/contracts/discovery.ts';
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { ShipmentStateChanged, ShipmentSubmitted } from '#shared/events/shipments.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import type { CustomsService } from '../customs/customs.service.ts';
import type { ShipmentsConfig } from '../shipments.config.ts';
import { type Contact, contactOf } from './contact.ts';
import { contentProblems } from './content-rules.ts';
import { type ShipmentAccess, shipmentNotFound } from './shipment.access.ts';
import type { ShipmentContents } from './shipment.contents.ts';
import { RecipientEntity, type RecipientRow, ShipmentEntity } from './shipment.entities.ts';
import type { ShipmentProgress } from './shipment.progress.ts';
import { shipmentStates } from './shipment.states.ts';
import type { RecipientLinkView, RecipientView, ShipmentView } from './shipment.views.ts';

export interface ShipmentDraft {
  readonly originLocationId: string;
  readonly destinationLocationId: string;
  readonly senderInfo: Contact;
  readonly specialHandling?: string | null;
}

type Facts = z.output<(typeof ShipmentsContract)['methods']['shipment']['output']>;

export class ShipmentService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #publicUrl: string;
  readonly #config: ShipmentsConfig;
  readonly #identity: Caller<typeof IdentityContract>;
  readonly #discovery: Caller<typeof DiscoveryContract>;
  readonly #access: ShipmentAccess;
  readonly #contents: ShipmentContents;
  readonly #customs: CustomsService;
  readonly #progress: ShipmentProgress;

  constructor(deps: {
    db: Database;
    clock: Clock;
    publicUrl: string;
    config: ShipmentsConfig;
    identity: Caller<typeof IdentityContract>;
    discovery: Caller<typeof DiscoveryContract>;
    access: ShipmentAccess;
    contents: ShipmentContents;
    customs: CustomsService;
    progress: ShipmentProgress;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#publicUrl = deps.publicUrl;
    this.#config = deps.config;
    this.#identity = deps.identity;
    this.#discovery = deps.discovery;
    this.#access = deps.access;
    this.#contents = deps.contents;
    this.#customs = deps.customs;
    this.#progress = deps.progress;
  }

  /**
   * Begins a draft. Refuses `SIGN_IN_REQUIRED`, `LOCATION_NOT_FOUND`, `ROUTE_INVALID`, `SPECIAL_HANDLING_INVALID`
   * and what a contact is refused with: `CONTACT_NAME_INVALID`, `EMAIL_INVALID`, `PHONE_INVALID`, `ADDRESS_INVALID`.
   */
  async create(viewer: Viewer, draft: ShipmentDraft): Promise<ShipmentView> {
    const { userId } = requireUser(viewer);
    const sender = contactOf(draft.senderInfo);
    const specialHandling = draft.specialHandling?.trim() || null;
    if (specialHandling && (specialHandling.length > 500 || /[^\P{Cc}\t\r\n]|\p{Cs}/u.test(specialHandling)))
      throw new Invalid(
        'SPECIAL_HANDLING_INVALID',
        'Describe special handling in at most 500 printable characters',
      );
    const [origin, destination] = await this.#places(draft.originLocationId, draft.destinationLocationId);
    return this.#db.transaction(async (tx) => {
      const shipment = tx.em.create(ShipmentEntity, {
        id: newId(),
        senderId: userId,
        state: shipmentStates.initial,
        statesVersion: shipmentStates.version,
        originLocationId: origin.locationId,
        destinationLocationId: destination.locationId,
        originTerritory: origin.customsTerritory,
        destinationTerritory: destination.customsTerritory,
        destinationTimeZone: destination.timeZone,
        senderName: sender.name,
        senderEmail: sender.email,
        senderPhone: sender.phone,
        senderAddress: sender.address,
        specialHandling,
        createdAt: this.#clock.now(),
      });
      tx.tell(ShipmentStateChanged, {
        shipmentId: shipment.id,
        senderId: userId,
        from: null,
        to: shipment.state,
        at: shipment.createdAt,
      });
      return this.#access.ownView(shipment);
    });
  }

  /**
   * Says who receives a draft. Another address is another person: links made for the former one open nothing
   * any more. Refuses `SHIPMENT_NOT_FOUND`, `SHIPMENT_NOT_DRAFT` and what a contact is refused with.
   */
  async setRecipient(viewer: Viewer, draft: Contact & { shipmentId: string }): Promise<ShipmentView> {
    const contact = contactOf(draft);
    return this.#db.transaction(async ({ em }) => {
      const shipment = await this.#access.lockDraft(em, viewer, draft.shipmentId);
      const known = await em.findOne(RecipientEntity, { shipmentId: shipment.id });
      if (known?.email === contact.email) Object.assign(known, contact);
      else {
        await em.nativeDelete(RecipientEntity, { shipmentId: shipment.id });
        await em.insert(RecipientEntity, { id: newId(), shipmentId: shipment.id, ...contact });
      }
      return this.#access.ownView(shipment);
    });
  }

  /**
   * Makes a draft bookable and tells it. Refuses `SHIPMENT_INCOMPLETE` {missing}, `CONTENT_FORBIDDEN` {reasons},
   * `INVALID_TRANSITION`, `SHIPMENT_NOT_FOUND`.
   */
  async submit(viewer: Viewer, shipmentId: string): Promise<ShipmentView> {
    requireUser(viewer);
    const account = await this.#recipientAccount(viewer, shipmentId);
    return this.#db.transaction(async (tx) => {
      const shipment = await this.#access.lockOwn(tx.em, viewer, shipmentId);
      this.#progress.move(tx, shipment, 'submit', 'sender');
      const view = this.#access.ownView(shipment);
      const missing = (await this.#missingOf([view])).get(shipment.id)!;
      const recipient = await tx.em.findOne(RecipientEntity, { shipmentId: shipment.id });
      if (missing.length > 0 || !recipient) {
        throw new Conflict('SHIPMENT_INCOMPLETE', 'The shipment is not complete yet', { missing });
      }
      const items = (await this.#contents.itemsOfShipments([shipment.id])).get(shipment.id)!;
      const reasons = contentProblems(items);
      if (reasons.length > 0)
        throw new Invalid('CONTENT_FORBIDDEN', 'Some of the contents may not travel', { reasons });
      if (account?.email === recipient.email) recipient.userId ??= account.userId;
      shipment.submittedAt = this.#clock.now();
      tx.tell(ShipmentSubmitted, {
        shipmentId: shipment.id,
        senderId: shipment.senderId,
        recipient: factsOf(recipient),
        packages: await this.#contents.facts(shipment.id),
        originLocationId: shipment.originLocationId,
        destinationLocationId: shipment.destinationLocationId,
        international: view.international,
      });
      return this.#access.ownView(shipment);
    });
  }

  /** Calls off what no carrier has been asked for. Refuses `INVALID_TRANSITION`, `SHIPMENT_NOT_FOUND`. */
  cancel(viewer: Viewer, shipmentId: string): Promise<ShipmentView> {
    return this.#db.transaction(async (tx) => {
      const shipment = await this.#access.lockOwn(tx.em, viewer, shipmentId);
      this.#progress.move(tx, shipment, 'cancel', 'sender');
      return this.#access.ownView(shipment);
    });
  }

  /** The viewer's own shipments, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async mine(viewer: Viewer, page: PageArguments): Promise<Connection<ShipmentView>> {
    const { userId } = requireUser(viewer);
    return this.#page(viewer, page, 'select id from shipments where sender_id = ?', userId);
  }

  /** Shipments that the viewer receives, newest first. Refuses what `mine` refuses. */
  async received(viewer: Viewer, page: PageArguments): Promise<Connection<ShipmentView>> {
    const { userId } = requireUser(viewer);
    const own = `select s.id from shipments s join recipients r on r.shipment_id = s.id
                  where r.user_id = ? and s.state <> 'draft'`;
    return this.#page(viewer, page, own, userId);
  }

  /**
   * A link that opens this one shipment to its recipient without an account. Refuses `SHIPMENT_NOT_FOUND`
   * everybody but the sender, and `SHIPMENT_NOT_SUBMITTED`.
   */
  async recipientLink(viewer: Viewer, shipmentId: string): Promise<RecipientLinkView> {
    const shipment = await this.#access.require(viewer, shipmentId, 'preparation');
    if (!shipment.submittedAt)
      throw new Conflict('SHIPMENT_NOT_SUBMITTED', 'A draft has no link for its recipient yet');
    const recipient = await this.#db.read((em) => em.findOneOrFail(RecipientEntity, { shipmentId }));
    const expiresAt = after(this.#clock.now(), this.#config.RECIPIENT_LINK_VALIDITY);
    const { token } = await this.#identity.linkToken({ shipmentId, recipientId: recipient.id, expiresAt });
    return { url: `${this.#publicUrl}/track?token=${encodeURIComponent(token)}`, expiresAt };
  }

  readonly recipients: Batch<ShipmentView, RecipientView> = async (_viewer, shipments) => {
    const open = shipments.filter(({ discloses }) => discloses.has('recipient'));
    const rows = await this.#db.read((em) =>
      em.find(RecipientEntity, { shipmentId: { $in: open.map(({ id }) => id) } }),
    );
    return inOrder(
      shipments.map(({ id }) => id),
      rows,
      ({ shipmentId }) => shipmentId,
    ).map((row, index) => row && recipientView(row, shipments[index]!));
  };

  /** What drafts still lack; nothing where that does not concern the viewer. */
  readonly missing: Batch<ShipmentView, string[]> = async (_viewer, shipments) => {
    const drafts = shipments.filter(
      ({ state, discloses }) => state === 'draft' && discloses.has('preparation'),
    );
    const missing = await this.#missingOf(drafts);
    return shipments.map(({ id }) => missing.get(id) ?? []);
  };

  /** One shipment as other subgraphs know it. Refuses `SHIPMENT_NOT_FOUND`. */
  async facts(shipmentId: string): Promise<Facts> {
    const row = await this.#db.read((em) => em.findOne(ShipmentEntity, { id: shipmentId }));
    if (!row) throw shipmentNotFound();
    const view = this.#access.ownView(row);
    const recipient = await this.#db.read((em) => em.findOne(RecipientEntity, { shipmentId }));
    const missing = row.state === 'draft' ? (await this.#missingOf([view])).get(row.id)! : [];
    return {
      shipmentId,
      senderId: row.senderId,
      state: row.state,
      recipient: recipient && factsOf(recipient),
      packages: await this.#contents.facts(shipmentId),
      originLocationId: row.originLocationId,
      destinationLocationId: row.destinationLocationId,
      international: view.international,
      missing: row.state === 'draft' ? [...missing, 'NOT_SUBMITTED'] : [],
    };
  }

  async #places(originId: string, destinationId: string) {
    requireId(originId, 'originLocationId');
    requireId(destinationId, 'destinationLocationId');
    if (originId === destinationId)
      throw new Invalid('ROUTE_INVALID', 'A shipment ends elsewhere than it begins');
    const places = await this.#discovery.locations({ locationIds: [originId, destinationId] });
    const [origin, destination] = inOrder([originId, destinationId], places, ({ locationId }) => locationId);
    if (!origin || !destination) throw new NotFound('LOCATION_NOT_FOUND', 'There is no such place');
    return [origin, destination] as const;
  }

  /** The account behind the recipient's address, asked for before the transaction since it may be far away. */
  async #recipientAccount(
    viewer: Viewer,
    shipmentId: string,
  ): Promise<{ email: string; userId: string | null } | null> {
    await this.#access.require(viewer, shipmentId);
    const recipient = await this.#db.read((em) => em.findOne(RecipientEntity, { shipmentId }));
    if (!recipient) return null;
    return { email: recipient.email, ...(await this.#identity.userByEmail({ email: recipient.email })) };
  }

  async #missingOf(shipments: readonly ShipmentView[]): Promise<Map<string, string[]>> {
    const ids = shipments.map(({ id }) => id);
    const abroad = shipments.filter(({ international }) => international).map(({ id }) => id);
    const contents = await this.#contents.missing(ids);
    const papers = await this.#customs.missing(abroad);
    const recipients = await this.#db.read((em) => em.find(RecipientEntity, { shipmentId: { $in: ids } }));
    const received = new Set(recipients.map(({ shipmentId }) => shipmentId));
    return new Map(
      ids.map((id) => [
        id,
        [...contents.get(id)!, ...(received.has(id) ? [] : ['RECIPIENT_MISSING']), ...(papers.get(id) ?? [])],
      ]),
    );
  }

  async #page(
    viewer: Viewer,
    page: PageArguments,
    own: string,
    userId: string,
  ): Promise<Connection<ShipmentView>> {
    const size = pageSize(page);
    const before = page.after ? requireId(decodeCursor(page.after), 'after') : null;
    const rows = await this.#db.read((em) =>
      em.execute<{ id: string }[]>(
        `select id from (${own}) own where ?::uuid is null or id < ?::uuid order by id desc limit ?`,
        [userId, before, before, size + 1],
      ),
    );
    const views = await this.#access.byIds(
      viewer,
      rows.map(({ id }) => id),
    );
    return connection(
      views.flatMap((view) => (view && !(view instanceof Error) ? [view] : [])),
      size,
      ({ id }) => id,
    );
  }
}

const factsOf = ({ id, name, email, userId }: RecipientRow) => ({
  recipientId: id,
  name,
  email,
  userId: userId ?? null,
});

function recipientView(row: RecipientRow, { discloses }: ShipmentView): RecipientView {
  const reachable = discloses.has('recipientContact');
  return {
    id: row.id,
    name: row.name,
    userId: row.userId ?? null,
    email: reachable ? row.email : null,
    phone: reachable ? row.phone : null,
    address: reachable ? row.address : null,
  };
}
