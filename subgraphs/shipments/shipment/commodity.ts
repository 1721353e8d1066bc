/** How goods are named at a border: their HS sub-heading and the country they come from. */
import { Invalid } from '#shared/kernel/errors.ts';

/** Six digits, dots and spaces left out; null where none is given. Refuses `HS_CODE_INVALID`. */
export function hsCodeOf(typed: string | null | undefined): string | null {
  const code = typed?.replaceAll(/[\s.]/g, '');
  if (!code) return null;
  if (!/^\d{6}$/.test(code))
    throw new Invalid('HS_CODE_INVALID', 'An HS code has six digits, for example 6206.10');
  return code;
}

const countries = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** ISO 3166 two-letter code; null where none is given. Refuses `COUNTRY_INVALID`. */
export function countryOf(typed: string | null | undefined): string | null {
  const code = typed?.trim().toUpperCase();
  if (!code) return null;
  if (!/^[A-Z]{2}$/.test(code) || code === 'ZZ' || !countries.of(code))
    throw new Invalid('COUNTRY_INVALID', 'Name the country of origin by its two-letter code, for example IT');
  return code;
}
