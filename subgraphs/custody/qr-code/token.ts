/**
 * The hand-over token: 107 bytes, signed with Ed25519, written in Base45 (161 characters). It holds no personal
 * data and can be verified without a network by whoever has the public key. test-vectors.json fixes the layout:
 *
 *   version 1 | key id 1 | step id 16 | direction 1 | party tag 8 | not before 4 | not after 4 | nonce 8 | signature 64
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { parse as bytesOfUuid, stringify as uuidOfBytes } from 'uuid';
import { Invalid } from '#shared/kernel/errors.ts';
import { SECOND } from '#shared/kernel/time.ts';
import { decodeBase45, encodeBase45 } from './base45.ts';

export const TOKEN_VERSION = 1;
export const TOKEN_BYTES = 107;
const signedBytes = 43;

/** `give`: shown by the giver and scanned by the receiver; `receive`: the other way round. */
export type Direction = 'give' | 'receive';
const directions: Record<Direction, number> = { give: 1, receive: 2 };

export interface TokenContent {
  readonly keyId: number;
  readonly stepId: string;
  readonly direction: Direction;
  /** First 8 bytes of a keyed hash of the party it was made for. */
  readonly partyTag: Buffer;
  /** Whole seconds. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** 8 random bytes. */
  readonly nonce: Buffer;
}

const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / SECOND);

export function writeToken(content: TokenContent, privateKey: KeyObject): string {
  const bytes = Buffer.alloc(signedBytes);
  bytes[0] = TOKEN_VERSION;
  bytes[1] = content.keyId;
  bytes.set(bytesOfUuid(content.stepId), 2);
  bytes[18] = directions[content.direction];
  bytes.set(content.partyTag.subarray(0, 8), 19);
  bytes.writeUInt32BE(secondsOf(content.notBefore), 27);
  bytes.writeUInt32BE(secondsOf(content.notAfter), 31);
  bytes.set(content.nonce.subarray(0, 8), 35);
  return encodeBase45(Buffer.concat([bytes, sign(null, bytes, privateKey)]));
}

/**
 * What a token says, once its signature holds; neither time nor use is looked at.
 * Refuses `BAD_SIGNATURE` whatever was not made here or was changed, `UNKNOWN_KEY` {keyId}.
 */
export function readToken(text: string, keyOf: (keyId: number) => KeyObject | undefined): TokenContent {
  const bytes = decodeBase45(text);
  const direction = (Object.keys(directions) as Direction[]).find((each) => directions[each] === bytes?.[18]);
  if (bytes?.length !== TOKEN_BYTES || bytes[0] !== TOKEN_VERSION || !direction) throw forged();
  const keyId = bytes[1]!;
  const key = keyOf(keyId);
  if (!key) throw new Invalid('UNKNOWN_KEY', 'This code was signed with a key that is not known', { keyId });
  const signed = bytes.subarray(0, signedBytes);
  if (!verify(null, signed, key, bytes.subarray(signedBytes))) throw forged();
  return {
    keyId,
    stepId: uuidOfBytes(bytes.subarray(2, 18)),
    direction,
    partyTag: bytes.subarray(19, 27),
    notBefore: new Date(bytes.readUInt32BE(27) * SECOND),
    notAfter: new Date(bytes.readUInt32BE(31) * SECOND),
    nonce: bytes.subarray(35, 43),
  };
}

const forged = (): Invalid => new Invalid('BAD_SIGNATURE', 'This is no code of ours, or it was changed');

/** The only trace of a token that is stored: SHA-256 of its text. */
export const hashOfToken = (text: string): string => createHash('sha256').update(text).digest('hex');
