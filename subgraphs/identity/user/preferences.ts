/** What may stand in a profile and in settings. */
import { Invalid } from '#shared/kernel/errors.ts';
import { currencyExponent } from '#shared/kernel/money.ts';

// Controls, and the invisible marks that reverse or hide the letters around them.
const unprintable = /[\p{Cc}\p{Cs}\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

/** NFC with single spaces. Refuses `DISPLAY_NAME_INVALID` outside 1..60 characters or with hidden ones. */
export function displayNameOf(text: string): string {
  const name = text.normalize('NFC').replaceAll(/ +/g, ' ').trim();
  const stacked = /\p{M}{5}/u.test(name.normalize('NFD'));
  if (unprintable.test(name) || stacked || name.length === 0 || [...name].length > 60)
    throw new Invalid('DISPLAY_NAME_INVALID', 'A display name has 1 to 60 printable characters');
  return name;
}

/** Canonical BCP 47 tag. Refuses `LOCALE_INVALID`. */
export function localeOf(text: string): string {
  try {
    const [locale] = Intl.getCanonicalLocales(text.slice(0, 40));
    if (locale) return locale;
  } catch {}
  throw new Invalid('LOCALE_INVALID', 'locale is a BCP 47 tag such as fr-CA');
}

/** IANA name as it was given. Refuses `TIME_ZONE_UNKNOWN`. */
export function timeZoneOf(text: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    if (/^[A-Z]/i.test(text)) return text;
  } catch {}
  throw new Invalid('TIME_ZONE_UNKNOWN', 'timeZone is an IANA name such as America/Montreal');
}

/** ISO 4217 code. Refuses `CURRENCY_UNKNOWN`. */
export function currencyOf(text: string): string {
  currencyExponent(text);
  return text;
}
