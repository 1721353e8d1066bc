import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

/** A mail as the embedded mailbox received it, once per recipient. */
export const MailboxMessageEntity = defineEntity({
  name: 'MailboxMessage',
  tableName: 'mailbox_messages',
  uniques: [{ properties: ['messageId', 'recipient'] }],
  indexes: [{ properties: ['recipient', 'id'] }],
  properties: {
    id: p.uuid().primary(),
    messageId: p.text(),
    sender: p.text(),
    recipient: p.text(),
    subject: p.text(),
    text: p.text(),
    html: p.text().nullable(),
    receivedAt: p.datetime(),
  },
});
export type MailboxMessageRow = InferEntity<typeof MailboxMessageEntity>;
