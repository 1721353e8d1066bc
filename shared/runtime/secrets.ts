/**
 * Keys for every purpose, derived from one master secret (HKDF-SHA-256), so that an operator keeps one secret
 * and no two purposes ever share a key.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { Invalid } from '../kernel/errors.ts';

const pkcs8Ed25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const cipherName = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export class Secrets {
  readonly #master: Buffer;

  /** @param master at least 32 random bytes, base64url */
  constructor(master: string) {
    this.#master = Buffer.from(master, 'base64url');
    if (this.#master.length < 32)
      throw new RangeError('the master secret must hold at least 32 bytes in base64url');
  }

  /** 32 bytes for a purpose. */
  key(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, 'baton', purpose, 32));
  }

  /** Ed25519 key pair for a purpose. */
  signingKey(purpose: string): { privateKey: KeyObject; publicKey: KeyObject } {
    const privateKey = createPrivateKey({
      key: Buffer.concat([pkcs8Ed25519, this.key(purpose)]),
      format: 'der',
      type: 'pkcs8',
    });
    return { privateKey, publicKey: createPublicKey(privateKey) };
  }

  /** HMAC-SHA-256 of a text, base64url. */
  mac(purpose: string, text: string): string {
    return createHmac('sha256', this.key(purpose)).update(text).digest('base64url');
  }

  /** A token that carries JSON and can be read by anybody but made only here. */
  sign(purpose: string, content: unknown): string {
    const body = Buffer.from(JSON.stringify(content)).toString('base64url');
    return `${body}.${this.mac(purpose, body)}`;
  }

  /** The content of a token. Refuses `TOKEN_INVALID` whatever `sign` did not make for this purpose. */
  verify(purpose: string, token: string): unknown {
    const [body = '', mac = '', ...more] = token.split('.');
    const expected = Buffer.from(this.mac(purpose, body));
    const given = Buffer.from(mac);
    if (more.length > 0 || expected.length !== given.length || !timingSafeEqual(expected, given)) {
      throw new Invalid('TOKEN_INVALID', 'The token was not made here or was changed');
    }
    return JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  }

  /** Encrypts a short text (AES-256-GCM) for storage in an event or a row. */
  seal(purpose: string, text: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(cipherName, this.key(purpose), nonce, { authTagLength: tagBytes });
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
      'base64url',
    );
  }

  /** Decrypts what `seal` made. Refuses `SEAL_BROKEN`. */
  unseal(purpose: string, sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64url');
    const nonce = bytes.subarray(0, nonceBytes);
    try {
      // A shorter tag than we write would be easier to guess; the cipher refuses it.
      const decipher = createDecipheriv(cipherName, this.key(purpose), nonce, { authTagLength: tagBytes });
      decipher.setAuthTag(bytes.subarray(nonceBytes).subarray(-tagBytes));
      return (
        decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      );
    } catch {
      throw new Invalid('SEAL_BROKEN', 'The sealed text was not made here or was changed');
    }
  }
}
