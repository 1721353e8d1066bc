/** Mail over SMTP: one connection per mail, each of its waits bounded. */
import { createTransport } from 'nodemailer';
import { Invalid } from '#shared/kernel/errors.ts';
import { SECOND } from '#shared/kernel/time.ts';
import { PeerUnreachable } from '#shared/runtime/transient.ts';
import { type Mail, type MailSender, requireSendable } from './mail.ts';

const timeout = 5 * SECOND;

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** `tls`: from the first byte; `starttls`: needed; `offered`: where the server offers it; `none`: not at all. */
  readonly encryption: 'tls' | 'starttls' | 'offered' | 'none';
  readonly auth?: { readonly user: string; readonly pass: string };
}

/** Reads `smtp://user:password@host:587` or `smtps://…`. Credentials never travel in the clear. */
export function smtpServer(url: string): SmtpServer {
  const { protocol, hostname, port, username, password } = new URL(url);
  const tls = protocol === 'smtps:';
  const auth = username
    ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
    : undefined;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port ? Number(port) : tls ? 465 : 587,
    encryption: tls ? 'tls' : auth ? 'starttls' : 'offered',
    auth,
  };
}

export class SmtpMail implements MailSender {
  readonly #locate: () => Promise<SmtpServer>;
  readonly #from: string;

  /** @param locate asked before each mail, since the server may move */
  constructor(locate: () => Promise<SmtpServer>, from: string) {
    this.#locate = locate;
    this.#from = from;
  }

  async send(mail: Mail): Promise<void> {
    const { messageId, to, subject, text, html } = requireSendable(mail);
    const { host, port, encryption, auth } = await this.#locate();
    const transport = createTransport({
      host,
      port,
      auth,
      secure: encryption === 'tls',
      requireTLS: encryption === 'starttls',
      ignoreTLS: encryption === 'none',
      connectionTimeout: timeout,
      greetingTimeout: timeout,
      socketTimeout: timeout,
      dnsTimeout: timeout,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      await transport.sendMail({
        from: { name: 'Baton', address: this.#from },
        to: { name: '', address: to },
        messageId: `<${messageId}@${this.#from.split('@')[1]}>`,
        subject,
        text,
        html,
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    } catch (error) {
      throw meaningOf(error);
    } finally {
      transport.close();
    }
  }
}

/** Only a lasting no to this recipient or this text ends the mail; a wrong password is our trouble, not its. */
function meaningOf(error: unknown): Error {
  const { responseCode, command } = error as { responseCode?: number; command?: string };
  const lasting = responseCode !== undefined && responseCode >= 500;
  if (lasting && (command === 'RCPT TO' || command === 'DATA'))
    return new Invalid('MAIL_REFUSED', 'The mail server does not take this mail', { responseCode });
  return new PeerUnreachable('the mail server', { cause: error });
}
