/**
 * Where goods may move without a declaration. A territory is a country, the European Union for its members,
 * or one of the places whose rules differ from their country's. Taxes count like customs here: Åland and the
 * Canary Islands lie inside the Union's customs border but outside its VAT area, and goods are declared.
 */

const union = new Set(
  'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE'.split(' '),
);

/** Countries and dependencies that share another's territory. */
const sharing: Readonly<Record<string, string>> = { MC: 'EU', LI: 'CH', IM: 'GB', PR: 'US' };

/** GeoNames first-level regions with rules of their own. */
const regions: Readonly<Record<string, string>> = {
  'GB.NIR': 'GB-NIR',
  'ES.53': 'ES-CN',
  'ES.CE': 'ES-CE',
  'ES.ML': 'ES-ML',
};

/** Single places with rules of their own, by GeoNames id. They are in the gazetteer whatever their size. */
const places: ReadonlyMap<number, string> = new Map([
  [2940715, 'CH'], // Büsingen am Hochrhein
  [3208547, 'DE-HELGOLAND'],
  [3174664, 'IT-LIVIGNO'],
  [3181006, 'IT-CAMPIONE'],
]);

export const hasOwnTerritory = (geonamesId: number): boolean => places.has(geonamesId);

/** @param region GeoNames first-level code within the country, where known */
export function customsTerritory(countryCode: string, region: string, geonamesId?: number): string {
  return (
    places.get(geonamesId ?? 0) ??
    regions[`${countryCode}.${region}`] ??
    sharing[countryCode] ??
    (union.has(countryCode) ? 'EU' : countryCode)
  );
}
