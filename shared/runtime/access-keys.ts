/**
 * The key of access and link tokens: identity signs with it, the gateway verifies with its public half.
 * Both derive it from the master secret; a gateway in another process is given only `accessKeySet`.
 */
import { createHash, type KeyObject } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import type { Secrets } from './secrets.ts';

const purpose = 'access-token';

/** What the tokens are for: their `aud`. */
export const ACCESS_AUDIENCE = 'baton';

export interface AccessSigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly privateKey: KeyObject;
}

function publicJwk(secrets: Secrets): { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string } {
  const { x = '' } = secrets.signingKey(purpose).publicKey.export({ format: 'jwk' });
  const thumbprint = JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x });
  return { kty: 'OKP', crv: 'Ed25519', x, kid: createHash('sha256').update(thumbprint).digest('base64url') };
}

export const accessSigningKey = (secrets: Secrets): AccessSigningKey => ({
  kid: publicJwk(secrets).kid,
  privateKey: secrets.signingKey(purpose).privateKey,
});

/** The JWK set for `ACCESS_TOKEN_PUBLIC_KEYS` of the gateway; holds no private key. */
export const accessKeySet = (secrets: Secrets): JSONWebKeySet => ({
  keys: [{ ...publicJwk(secrets), use: 'sig', alg: 'EdDSA' }],
});
