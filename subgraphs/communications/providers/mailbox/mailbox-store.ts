/** What the embedded mailbox holds: the newest mails, each once per recipient however often it arrives. */
import { isId, newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import { MailboxMessageEntity, type MailboxMessageRow } from './mailbox.entities.ts';

export type MailboxMessage = MailboxMessageRow;
export type Arrival = Omit<MailboxMessageRow, 'id' | 'recipient' | 'receivedAt'>;

export class MailboxStore {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #keep: number;

  constructor(deps: { db: Database; clock: Clock; keep: number }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#keep = deps.keep;
  }

  async receive(arrival: Arrival, recipients: readonly string[]): Promise<void> {
    await this.#db.transaction(async (tx) => {
      for (const recipient of new Set(recipients.map((address) => address.toLowerCase()))) {
        const row = { ...arrival, id: newId(), recipient, receivedAt: this.#clock.now() };
        await tx.em.upsert(MailboxMessageEntity, row, {
          onConflictFields: ['messageId', 'recipient'],
          onConflictAction: 'ignore',
        });
      }
      await tx.sql(
        'delete from mailbox_messages where id < (select id from mailbox_messages order by id desc offset ? limit 1)',
        [this.#keep - 1],
      );
    });
  }

  /** Newest first. */
  list(filter: { to: string | null; limit: number }): Promise<MailboxMessage[]> {
    return this.#db.read((em) =>
      em.find(MailboxMessageEntity, filter.to ? { recipient: filter.to.toLowerCase() } : {}, {
        orderBy: { id: 'desc' },
        limit: filter.limit,
      }),
    );
  }

  async find(id: string): Promise<MailboxMessage | null> {
    return isId(id) ? this.#db.read((em) => em.findOne(MailboxMessageEntity, { id })) : null;
  }
}
