/**
 * Whether a picture tells where it was taken: cameras write it into EXIF (JPEG, PNG and WebP carry the same TIFF
 * structure), editors into XMP.
 */
const exif = /(?:Exif\0\0|eXIf|EXIF[\s\S]{4}(?:Exif\0\0)?)(?=II\*\0|MM\0\*)/g;
const xmp = /exif:GPSL(?:atitude|ongitude)/;
const gpsTag = 0x8825;

export function tellsPosition(picture: Buffer): boolean {
  const text = picture.toString('latin1');
  if (xmp.test(text)) return true;
  return [...text.matchAll(exif)].some(({ index, 0: { length } }) =>
    pointsToGps(picture.subarray(index + length)),
  );
}

/** Looks for the pointer to the GPS directory in the first directory of a TIFF structure. */
function pointsToGps(tiff: Buffer): boolean {
  const little = tiff[0] === 0x49;
  const short = (at: number): number =>
    at + 2 > tiff.length ? 0 : little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at);
  const long = (at: number): number =>
    at + 4 > tiff.length ? 0 : little ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at);
  const directory = long(4);
  const entries = short(directory);
  for (let entry = 0; entry < entries; entry += 1)
    if (short(directory + 2 + entry * 12) === gpsTag) return true;
  return false;
}
