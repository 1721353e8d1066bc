/**
 * Owns each mail on its way (`mail_deliveries`). Promises that an event makes at most one delivery per recipient
 * and template, that it is sent after the commit and for as long as it is of use, under one Message-ID however
 * often it is tried, and that what it says is forgotten once it has ended. Called by NotificationService and by
 * the job that sends.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { z } from 'zod';
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { NotFound, Refusal } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import type { Logger } from '#shared/runtime/logger.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { MailSender } from '../providers/mail.ts';
import type { AddressBookService } from './address-book.service.ts';
import { type MailDeliveryEvent, mailDeliveryStates } from './mail-delivery.states.ts';
import { asHtml, asText } from './mail-layout.ts';
import { MailDeliveryEntity, type MailDeliveryRow } from './notification.entities.ts';
import { sendMail } from './notification.jobs.ts';
import { type TemplateName, templateOf } from './notification.templates.ts';
import { isCritical } from './notification.vocabulary.ts';
import type { PreferencesService } from './preferences.service.ts';
import { endOfQuiet } from './quiet-hours.ts';

export interface MailOrder {
  readonly eventId: string;
  readonly template: TemplateName;
  /** In JSON, as the template's schema encodes them. */
  readonly facts: unknown;
  readonly to: { kind: MailDeliveryRow['recipientKind']; id: string; address?: string };
  readonly shipmentId: string | null;
  readonly usefulUntil: Date | null;
}

interface Envelope {
  readonly to: string;
  readonly name: string | null;
  readonly timeZone: string;
  readonly trackingUrl: string | null;
}

export class MailDeliveryService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #logger: Logger;
  readonly #secrets: Secrets;
  readonly #publicUrl: string;
  readonly #linkLifetime: number;
  readonly #identity: Caller<typeof IdentityContract>;
  readonly #mail: MailSender;
  readonly #addressBook: AddressBookService;
  readonly #preferences: PreferencesService;

  constructor(deps: {
    db: Database;
    clock: Clock;
    durable: Durable;
    logger: Logger;
    secrets: Secrets;
    publicUrl: string;
    config: { TRACKING_LINK_LIFETIME: number };
    identity: Caller<typeof IdentityContract>;
    mail: MailSender;
    addressBook: AddressBookService;
    preferences: PreferencesService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
    this.#logger = deps.logger;
    this.#secrets = deps.secrets;
    this.#publicUrl = deps.publicUrl;
    this.#linkLifetime = deps.config.TRACKING_LINK_LIFETIME;
    this.#identity = deps.identity;
    this.#mail = deps.mail;
    this.#addressBook = deps.addressBook;
    this.#preferences = deps.preferences;
  }

  /** Orders a mail with the caller's commit; the same event, recipient and template again is the same mail. */
  async order(order: MailOrder): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const now = this.#clock.now();
      const [fresh] = await tx.sql<{ id: string }>(
        `insert into mail_deliveries (id, event_id, recipient, recipient_kind, address, template, facts, shipment_id,
                                      state, states_version, useful_until, created_at)
         values (?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?, ?, ?)
         on conflict (event_id, recipient, template) do nothing returning id`,
        [
          newId(),
          order.eventId,
          order.to.id,
          order.to.kind,
          order.to.address ?? null,
          order.template,
          JSON.stringify(order.facts),
          order.shipmentId,
          mailDeliveryStates.initial,
          mailDeliveryStates.version,
          order.usefulUntil,
          now,
        ],
      );
      if (fresh) await this.#schedule(tx, fresh.id, fresh.id, now);
    });
  }

  /**
   * Sends a mail, or puts it off to the end of its reader's quiet hours, or lets it go where it has become
   * useless. A crash between sending and noting it sends it again under the same Message-ID.
   */
  async send(deliveryId: string): Promise<void> {
    const delivery = await this.#db.read((em) => em.findOneOrFail(MailDeliveryEntity, { id: deliveryId }));
    if (delivery.state !== 'scheduled') return;
    const now = this.#clock.now();
    if (delivery.usefulUntil && delivery.usefulUntil <= now) return this.#end(deliveryId, 'expire');
    try {
      const envelope = await this.#envelope(delivery);
      const quietUntil = await this.#quietUntil(delivery, envelope.timeZone, now);
      // A mail that would be useless by morning is not held back: the reader would never get it.
      if (quietUntil > now && !(delivery.usefulUntil && quietUntil >= delivery.usefulUntil)) {
        const again = `${deliveryId}:${quietUntil.toISOString()}`;
        return this.#db.transaction((tx) => this.#schedule(tx, deliveryId, again, quietUntil));
      }
      const { facts, write } = templateOf(delivery.template);
      const content = write(z.decode(facts, delivery.facts as never), {
        timeZone: envelope.timeZone,
        trackingUrl: envelope.trackingUrl,
        unseal: (sealed) => this.#secrets.unseal('otp', sealed),
      });
      await this.#mail.send({
        messageId: deliveryId,
        to: envelope.to,
        subject: content.title,
        text: asText(envelope.name, content),
        html: asHtml(envelope.name, content),
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#logger.warn({ deliveryId, template: delivery.template, code: error.code }, 'mail refused');
      return this.#end(deliveryId, 'refuse', error.code);
    }
    await this.#end(deliveryId, 'send');
  }

  #schedule(tx: Transaction, deliveryId: string, jobId: string, runAt: Date): Promise<void> {
    return this.#durable.schedule(tx, sendMail, { id: jobId, runAt }, { deliveryId });
  }

  async #end(deliveryId: string, event: MailDeliveryEvent, failure: string | null = null): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      const delivery = await em.findOneOrFail(
        MailDeliveryEntity,
        { id: deliveryId },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (mailDeliveryStates.terminal.includes(delivery.state)) return;
      delivery.state = nextState(mailDeliveryStates, delivery.state, event, 'system');
      delivery.endedAt = this.#clock.now();
      delivery.failure = failure;
      delivery.facts = null;
      delivery.address = null;
    });
  }

  /** Where the mail goes as of now. Refuses `ADDRESS_UNKNOWN`. */
  async #envelope({ recipientKind, recipient, address, shipmentId }: MailDeliveryRow): Promise<Envelope> {
    if (recipientKind === 'address' && address)
      return { to: address, name: null, timeZone: 'UTC', trackingUrl: null };
    if (recipientKind === 'user') {
      const user = await this.#addressBook.user(recipient);
      if (user) {
        const { email, displayName, timeZone } = user;
        return { to: email, name: displayName, timeZone, trackingUrl: null };
      }
    }
    const contact =
      recipientKind === 'recipient' && shipmentId
        ? await this.#addressBook.contact(shipmentId, recipient)
        : null;
    if (!contact || !shipmentId)
      throw new NotFound('ADDRESS_UNKNOWN', 'Nobody knows how to reach this recipient');
    const { token } = await this.#identity.linkToken({
      shipmentId,
      recipientId: recipient,
      expiresAt: after(this.#clock.now(), this.#linkLifetime),
    });
    const trackingUrl = `${this.#publicUrl}/track?token=${encodeURIComponent(token)}`;
    return { to: contact.email, name: contact.name, timeZone: 'UTC', trackingUrl };
  }

  async #quietUntil(delivery: MailDeliveryRow, timeZone: string, now: Date): Promise<Date> {
    if (delivery.recipientKind !== 'user' || isCritical(templateOf(delivery.template).category)) return now;
    const quiet = await this.#preferences.quietHoursOf(delivery.recipient);
    return quiet ? endOfQuiet(quiet, timeZone, now) : now;
  }
}
