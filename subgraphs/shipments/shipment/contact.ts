/** Name, e-mail, phone and address of somebody at one end of a shipment, checked once and kept canonical. */
import { canonicalEmail } from '#shared/kernel/email-address.ts';
import { Invalid } from '#shared/kernel/errors.ts';

export interface Contact {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly address: string;
}

/** Refuses `CONTACT_NAME_INVALID`, `EMAIL_INVALID`, `PHONE_INVALID`, `ADDRESS_INVALID`. */
export function contactOf(typed: Contact): Contact {
  const name = typed.name.normalize('NFC').trim();
  // Names end up in the headers of mails: nothing that ends a line may be in them.
  if (name.length < 1 || name.length > 120 || /[\p{Cc}\u2028\u2029]/u.test(name))
    throw new Invalid('CONTACT_NAME_INVALID', 'A name has 1 to 120 printable characters');
  const phone = typed.phone.trim().replaceAll(/[\s().-]/g, '');
  if (!/^\+[1-9]\d{6,14}$/.test(phone))
    throw new Invalid(
      'PHONE_INVALID',
      'Write the phone number with its country code, for example +33 1 42 68 53 00',
    );
  const address = typed.address.normalize('NFC').replaceAll('\r\n', '\n').trim();
  if (address.length < 5 || address.length > 500 || /[^\P{Cc}\n]/u.test(address))
    throw new Invalid('ADDRESS_INVALID', 'An address has 5 to 500 printable characters');
  return { name, email: canonicalEmail(typed.email), phone, address };
}
