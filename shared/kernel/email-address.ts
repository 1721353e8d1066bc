/** One spelling per e-mail address, so that subgraphs which never meet mean the same person by it. */
import { Invalid } from './errors.ts';

const local = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
// The URL parser would read ports, percent escapes and brackets: none may reach it.
const domainText = /^[\p{L}\p{M}\p{N}.\u3002-]+$/u;
const domain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{2,59})$/;

const refused = (): Invalid => new Invalid('EMAIL_INVALID', 'This is no e-mail address that mail can reach');

/**
 * The one spelling of an address: trimmed, lower case, the domain in its ASCII form. A tag after `+` stays,
 * since only the mail's host knows what it means. Refuses `EMAIL_INVALID`, in particular control characters
 * (no header can be smuggled into a mail) and letters beyond ASCII before the `@` (no look-alike accounts).
 */
export function canonicalEmail(text: string): string {
  if (text.length > 320 || /\p{Cc}/u.test(text)) throw refused();
  const [before = '', after = '', ...more] = text.trim().split('@');
  if (more.length > 0 || !domainText.test(after)) throw refused();
  const mailbox = before.toLowerCase();
  const host = asciiDomain(after);
  const address = `${mailbox}@${host}`;
  if (mailbox.length > 64 || address.length > 254 || !local.test(mailbox) || !domain.test(host))
    throw refused();
  return address;
}

function asciiDomain(text: string): string {
  try {
    return new URL(`http://${text.toLowerCase()}`).hostname;
  } catch {
    throw refused();
  }
}
