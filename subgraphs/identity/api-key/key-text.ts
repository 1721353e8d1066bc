/**
 * The text of an API key: `bk_live_<id>_<secret><check>`. The id says which key it is, the secret is 256 random
 * bits, the check is a CRC-32 over all before it, so that a typing error, or a scanner's false find, costs no
 * look into the database. All in letters and digits: a double click selects the whole.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const base = BigInt(letters.length);
const pattern = /^(bk_live_([0-9A-Za-z]{22})_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;
const idLimit = 1n << 128n;

function write(value: bigint, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest /= base) text = letters[Number(rest % base)] + text;
  return text;
}

const read = (text: string): bigint =>
  [...text].reduce((value, letter) => value * base + BigInt(letters.indexOf(letter)), 0n);

const check = (text: string): string => write(BigInt(crc32(text)), 6);

/** A new text for the key of this id. */
export function newKeyText(id: string): string {
  const number = BigInt(`0x${id.replaceAll('-', '')}`);
  const secret = BigInt(`0x${randomBytes(32).toString('hex')}`);
  const text = `bk_live_${write(number, 22)}_${write(secret, 43)}`;
  return text + check(text);
}

/** Id of the key that a text claims to be; null for what `newKeyText` cannot have made. */
export function keyIdOf(text: string): string | null {
  const [, body = '', id = '', sum = ''] = pattern.exec(text) ?? [];
  if (body === '' || check(body) !== sum) return null;
  const number = read(id);
  if (number >= idLimit) return null;
  return number
    .toString(16)
    .padStart(32, '0')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** In a time that tells nothing of where they differ. */
export const isHashOf = (hash: string, text: string): boolean =>
  timingSafeEqual(Buffer.from(hash, 'hex'), Buffer.from(hashOf(text), 'hex'));
