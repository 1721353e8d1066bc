/**
 * The port through which mail leaves the platform. A mail is one text for one person; its id becomes the
 * Message-ID, so that whoever receives it twice can tell.
 */
import { Invalid } from '#shared/kernel/errors.ts';

export interface Mail {
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailSender {
  /**
   * Hands a mail over. Refuses `MAIL_ADDRESS_INVALID`, `MAIL_HEADER_INVALID`, and `MAIL_REFUSED` where the
   * receiving side will never take it; every other trouble is transient, and the same mail may be sent again.
   */
  send(mail: Mail): Promise<void>;
}

const oneAddress = /^[^\s<>()[\],;:"\\@\p{Cc}]{1,64}@[^\s<>()[\],;:"\\@\p{Cc}]{1,189}$/u;

/** The mail, if nothing in it could become a header, a second recipient or a command to the server. */
export function requireSendable(mail: Mail): Mail {
  if (!oneAddress.test(mail.to)) throw new Invalid('MAIL_ADDRESS_INVALID', 'This is not one e-mail address');
  if (/\p{Cc}/u.test(mail.subject + mail.messageId) || mail.subject.length > 200)
    throw new Invalid('MAIL_HEADER_INVALID', 'A subject is one line of at most 200 characters');
  return mail;
}
