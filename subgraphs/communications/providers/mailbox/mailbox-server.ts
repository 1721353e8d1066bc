/**
 * A real SMTP server on this machine's loopback, for platforms without a mail server: what arrives is kept in
 * the mailbox. Several processes of one platform share the first one's server and take over when it is gone.
 */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import PostalMime from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { newId } from '#shared/kernel/ids.ts';
import { SECOND } from '#shared/kernel/time.ts';
import type { Logger } from '#shared/runtime/logger.ts';
import type { SmtpServer } from '../smtp.ts';
import type { MailboxStore } from './mailbox-store.ts';

const host = '127.0.0.1';
const maxBytes = 1024 * 1024;

export interface MailboxOptions {
  readonly store: MailboxStore;
  readonly port: number;
  /** The same in every process of one platform, and in no other. */
  readonly platform: string;
  readonly logger: Logger;
}

export class MailboxServer implements AsyncDisposable {
  readonly #options: MailboxOptions;
  #server: SMTPServer | undefined;
  #opening: Promise<number> | undefined;

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** Where mail is taken at this moment: here, or at another process of this platform. */
  async locate(): Promise<SmtpServer> {
    return { host, port: await this.#port(), encryption: 'none' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opening?.catch(() => {});
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #port(): Promise<number> {
    if (this.#server) return Promise.resolve(portOf(this.#server));
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<number> {
    const { port, platform, logger } = this.#options;
    try {
      return await this.#listen(port);
    } catch (error) {
      if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    }
    if ((await greetingAt(port)).includes(platform)) return port;
    logger.warn({ port }, 'the port of the mailbox belongs to another program; the mailbox takes a free one');
    return this.#listen(0);
  }

  async #listen(port: number): Promise<number> {
    const { platform, logger } = this.#options;
    const server = new SMTPServer({
      name: 'localhost',
      banner: platform,
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      size: maxBytes,
      maxClients: 100,
      socketTimeout: 10 * SECOND,
      closeTimeout: SECOND,
      logger: false,
      onData: (stream, session, done) => {
        this.#receive(stream, session).then(
          () => done(),
          (error) => done(error),
        );
      },
    });
    server.on('error', (error) => logger.debug({ err: error }, 'the mailbox lost a connection'));
    const listening = server.listen(port, host);
    try {
      await once(listening, 'listening');
    } catch (error) {
      listening.close();
      throw error;
    }
    this.#server = server;
    return portOf(server);
  }

  async #receive(stream: SMTPServerDataStream, { envelope }: SMTPServerSession): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) if (!stream.sizeExceeded) chunks.push(chunk as Buffer);
    if (stream.sizeExceeded) throw answer(552, 'The mail is too large');
    const mail = await PostalMime.parse(Buffer.concat(chunks)).catch(() => {
      throw answer(554, 'The mail cannot be read');
    });
    const arrival = {
      messageId: printable(mail.messageId ?? newId()),
      sender: printable(envelope.mailFrom ? envelope.mailFrom.address : ''),
      subject: printable(mail.subject ?? ''),
      text: printable(mail.text ?? ''),
      html: mail.html ? printable(mail.html) : null,
    };
    const recipients = envelope.rcptTo.map(({ address }) => printable(address));
    await this.#options.store.receive(arrival, recipients).catch((error) => {
      this.#options.logger.warn({ err: error }, 'the mailbox could not keep a mail');
      throw answer(451, 'Try again later');
    });
  }
}

const portOf = (server: SMTPServer): number => (server.server.address() as AddressInfo).port;
/** PostgreSQL holds no NUL. */
const printable = (text: string): string => text.replaceAll('\0', '');
const answer = (responseCode: number, message: string): Error =>
  Object.assign(new Error(message), { responseCode });

/** What the server at a port says first; nothing where it says nothing within a second. */
function greetingAt(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: SECOND });
    const end = (greeting: string): void => {
      socket.destroy();
      resolve(greeting);
    };
    socket.once('data', (bytes) => end(bytes.toString('latin1')));
    for (const trouble of ['timeout', 'error', 'close'] as const) socket.once(trouble, () => end(''));
  });
}
