import { z } from 'zod';
import { ConfigFault, defineConfig, duration, type Environment } from '#shared/runtime/config.ts';

const embeddedSender = 'no-reply@baton.localhost';

const read = defineConfig({
  /** `smtp://` or `smtps://` with its credentials; without it mails go to the embedded mailbox. */
  SMTP_URL: z
    .string()
    .optional()
    .transform((url) => url || undefined)
    .pipe(z.url({ protocol: /^smtps?$/ }).optional()),
  /** Address that mails come from. */
  MAIL_FROM: z.email().default(embeddedSender),
  /** Port of the embedded mailbox on this machine; 0 for any. */
  MAILBOX_SMTP_PORT: z.coerce.number().int().min(0).max(65_535).default(4125),
  /** Whether the embedded mailbox can be read over HTTP; by default only where the platform is not public. */
  MAILBOX_PAGE: z
    .enum(['true', 'false'])
    .optional()
    .transform((text) => (text === undefined ? undefined : text === 'true')),
  /** Mails that the embedded mailbox keeps. */
  MAILBOX_KEEP: z.coerce.number().int().positive().default(1_000),
  /** A mail that could not be sent for so long is not sent any more; critical ones always are. */
  MAIL_STALE_AFTER: duration('3d'),
  /** How long the link in a recipient's mail works. */
  TRACKING_LINK_LIFETIME: duration('90d'),
  /** How often a live feed looks for itself, should a wake-up be lost. */
  NOTIFICATION_POLL: duration('5s'),
});

export type CommunicationsConfig = ReturnType<typeof read>;

export function readCommunicationsConfig(env: Environment): CommunicationsConfig {
  const config = read(env);
  if (config.SMTP_URL && config.MAIL_FROM === embeddedSender)
    throw new ConfigFault(['MAIL_FROM: a real mail server needs the address that mails come from']);
  return config;
}
