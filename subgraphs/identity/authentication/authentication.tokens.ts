/** The three tokens: access (a user's requests), link (a recipient without an account), refresh (the next access). */
import { createHash, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { Forbidden } from '#shared/kernel/errors.ts';
import { after, type Clock, SECOND } from '#shared/kernel/time.ts';
import { id } from '#shared/kernel/wire.ts';
import { ACCESS_AUDIENCE, type AccessSigningKey, accessSigningKey } from '#shared/runtime/access-keys.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';

export interface AccessToken {
  readonly accessToken: string;
  readonly accessExpiresAt: Date;
}

const refreshContent = z.object({ session: id, value: z.string() });

const wholeSeconds = (instant: Date): number => Math.floor(instant.getTime() / SECOND);

export class Tokens {
  readonly #secrets: Secrets;
  readonly #clock: Clock;
  readonly #lifetime: number;
  readonly #key: AccessSigningKey;

  constructor(secrets: Secrets, clock: Clock, lifetime: number) {
    this.#secrets = secrets;
    this.#clock = clock;
    this.#lifetime = lifetime;
    this.#key = accessSigningKey(secrets);
  }

  /** A bearer token for one session; it never outlives the session. */
  async access(of: {
    userId: string;
    sessionId: string;
    roles: readonly string[];
    sessionEnds: Date;
  }): Promise<AccessToken> {
    const ends = wholeSeconds(
      new Date(Math.min(after(this.#clock.now(), this.#lifetime).getTime(), of.sessionEnds.getTime())),
    );
    const claims = { typ: 'access', sid: of.sessionId, roles: [...of.roles] };
    return {
      accessToken: await this.#sign(new SignJWT(claims).setSubject(of.userId), ends),
      accessExpiresAt: new Date(ends * SECOND),
    };
  }

  /** A bearer token for one recipient of one shipment. */
  link(of: { shipmentId: string; recipientId: string; expiresAt: Date }): Promise<string> {
    return this.#sign(
      new SignJWT({ typ: 'link', shp: of.shipmentId, rcp: of.recipientId }),
      wholeSeconds(of.expiresAt),
    );
  }

  #sign(token: SignJWT, expiresAt: number): Promise<string> {
    return token
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: this.#key.kid })
      .setAudience(ACCESS_AUDIENCE)
      .setIssuedAt(wholeSeconds(this.#clock.now()))
      .setExpirationTime(expiresAt)
      .sign(this.#key.privateKey);
  }

  /** The first refresh token of a session: 256 random bits under a seal that names the session. */
  firstRefresh(sessionId: string): string {
    return this.#refresh(sessionId, randomBytes(32).toString('base64url'));
  }

  /**
   * The token after this one, always the same: a client that lost the answer, or asked twice at once, gets the
   * same one again although only its hash is stored. Nobody without the master secret can tell it beforehand.
   */
  nextRefresh(sessionId: string, refreshToken: string): string {
    return this.#refresh(sessionId, this.#secrets.mac('refresh-token-chain', refreshToken));
  }

  /** The session of a refresh token that was made here at some time. Refuses `REFRESH_TOKEN_INVALID`. */
  sessionOf(refreshToken: string): string {
    try {
      return refreshContent.parse(this.#secrets.verify('refresh-token', refreshToken)).session;
    } catch {
      throw new Forbidden('REFRESH_TOKEN_INVALID', 'This is no refresh token');
    }
  }

  #refresh(session: string, value: string): string {
    return this.#secrets.sign('refresh-token', { session, value });
  }
}

/** How refresh tokens and device fingerprints are stored. */
export const fingerprintOf = (text: string): string => createHash('sha256').update(text).digest('base64url');
