/** Chooses where mail goes: the configured server, or the embedded mailbox where there is none. */
import type { Clock } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Logger } from '#shared/runtime/logger.ts';
import type { Route } from '#shared/runtime/routes.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { CommunicationsConfig } from '../communications.config.ts';
import type { MailSender } from './mail.ts';
import { isPrivate, mailboxRoutes } from './mailbox/mailbox-routes.ts';
import { MailboxServer } from './mailbox/mailbox-server.ts';
import { MailboxStore } from './mailbox/mailbox-store.ts';
import { SmtpMail, smtpServer } from './smtp.ts';

export interface MailProvider {
  readonly mail: MailSender;
  /** Pages of the embedded mailbox; none with a real server. */
  readonly routes: readonly Route[];
  start(): Promise<void>;
  close(): Promise<void>;
}

export function openMail(deps: {
  config: CommunicationsConfig;
  db: Database;
  clock: Clock;
  logger: Logger;
  secrets: Secrets;
  databaseUrl: string;
  publicUrl: string;
}): MailProvider {
  const { config, logger, publicUrl } = deps;
  if (config.SMTP_URL) {
    const server = smtpServer(config.SMTP_URL);
    const mail = new SmtpMail(() => Promise.resolve(server), config.MAIL_FROM);
    return { mail, routes: [], start: async () => {}, close: async () => {} };
  }
  const store = new MailboxStore({ ...deps, keep: config.MAILBOX_KEEP });
  const mailbox = new MailboxServer({
    store,
    port: config.MAILBOX_SMTP_PORT,
    platform: deps.secrets.mac('mailbox', deps.databaseUrl),
    logger,
  });
  const open = config.MAILBOX_PAGE ?? isPrivate(publicUrl);
  return {
    mail: new SmtpMail(() => mailbox.locate(), config.MAIL_FROM),
    routes: mailboxRoutes(store, open),
    async start() {
      await mailbox.locate();
      logger.warn({ open }, 'no SMTP_URL: mails stay in the mailbox of this platform');
    },
    close: () => mailbox[Symbol.asyncDispose](),
  };
}
