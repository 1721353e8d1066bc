/**
 * The signed viewer: how one process of the platform proves to another who is asking.
 *
 * The caller signs a JWT (HS256) that names one receiver, lives for ten seconds, is bound to what is sent and
 * works once. The receiver believes nothing else. Two secrets may be live at once, so that they can be rotated:
 * the first signs, both verify.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import { type Clock, SECOND } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';

/** The header that carries the signed viewer. The edge strips every inbound header of this prefix. */
export const INTERNAL_HEADER_PREFIX = 'x-baton-';
export const VIEWER_HEADER = 'x-baton-viewer';

const LIFETIME_SECONDS = 10;
const SKEW_SECONDS = 2;

export interface InternalSecret {
  readonly kid: string;
  readonly key: Uint8Array;
}

/** At least one; the first signs, all verify. */
export type InternalSecrets = readonly InternalSecret[];

/** Reads `kid:secret` or `kid:secret,kid:secret`; throws `RangeError` on anything weaker than 32 bytes. */
export function parseInternalSecrets(text: string): InternalSecrets {
  const secrets = text.split(',').map((pair) => {
    const [, kid, secret] = /^\s*([\w-]+):(.+?)\s*$/.exec(pair) ?? [];
    if (!kid || !secret) throw new RangeError('an internal secret is written kid:secret');
    const key = new TextEncoder().encode(secret);
    if (key.length < 32) throw new RangeError(`internal secret "${kid}" is shorter than 32 bytes`);
    return { kid, key };
  });
  if (secrets.length > 2) throw new RangeError('at most two internal secrets can be live');
  if (new Set(secrets.map(({ kid }) => kid)).size !== secrets.length)
    throw new RangeError('two internal secrets carry the same kid');
  return secrets;
}

/** Why a signed viewer was not believed: for the log of the receiver, never for the caller. */
export class InternalAuthRefused extends Error {
  override readonly name = 'InternalAuthRefused';
}

const viewerClaim = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('user'),
    userId: z.string(),
    sessionId: z.string(),
    roles: z.array(z.string()),
  }),
  z.object({ kind: z.literal('link'), shipmentId: z.string(), recipientId: z.string() }),
  z.object({
    kind: z.literal('partner'),
    partnerId: z.string(),
    keyId: z.string(),
    scopes: z.array(z.string()),
  }),
  z.object({ kind: z.literal('service'), name: z.string() }),
  z.object({ kind: z.literal('anonymous') }),
]);

const fingerprint = (body: string | Uint8Array): string =>
  createHash('sha256').update(body).digest('base64url');

/** What a streamed request is bound to, its body not being known when it is signed: `POST /webhooks/x?y=1`. */
export const requestLine = (method: string, pathAndQuery: string): string =>
  `${method.toUpperCase()} ${pathAndQuery}`;

/** What a subscription over a shared socket is bound to. */
export const subscriptionBody = (operation: {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
}): string => JSON.stringify([operation.query, operation.operationName ?? null, operation.variables ?? {}]);

/**
 * The value of `x-baton-viewer` for one request to `audience` with exactly this body. Every fetch of every plan
 * is signed, so the JWT is put together here, by one hash and one HMAC, and not by a library's asynchronous steps.
 */
export function signInternal(request: {
  secrets: InternalSecrets;
  audience: string;
  viewer: Viewer;
  body: string | Uint8Array;
  clock: Clock;
}): string {
  const secret = request.secrets[0];
  if (!secret) throw new Error('No internal secret to sign with');
  const issuedAt = Math.floor(request.clock.now().getTime() / SECOND);
  const claims = {
    viewer: request.viewer,
    bsh: fingerprint(request.body),
    aud: request.audience,
    iat: issuedAt,
    exp: issuedAt + LIFETIME_SECONDS,
    jti: randomUUID(),
  };
  const signed = `${base64url({ alg: 'HS256', kid: secret.kid })}.${base64url(claims)}`;
  return `${signed}.${createHmac('sha256', secret.key).update(signed).digest('base64url')}`;
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export interface InternalVerifier {
  /** The viewer of a request; throws `InternalAuthRefused` where the proof is missing, wrong, late or used. */
  verifyInternal(token: string | null | undefined, body: string | Uint8Array): Promise<Viewer>;
}

/**
 * The verifying end for one audience. It remembers each token until it has expired, `replayCapacity` of them at
 * most: beyond that it refuses, since it could no longer tell a replay.
 */
export function createInternalVerifier(options: {
  secrets: InternalSecrets;
  audience: string;
  clock: Clock;
  replayCapacity?: number;
}): InternalVerifier {
  const keys = new Map(options.secrets.map(({ kid, key }) => [kid, key]));
  const capacity = options.replayCapacity ?? 200_000;
  const seen = new Map<string, number>();

  function remember(jti: string, expiresAt: number, now: number): void {
    // Tokens live equally long, so that insertion order is nearly the order of expiry.
    for (const [old, expiry] of seen) {
      if (expiry + SKEW_SECONDS * SECOND > now) break;
      seen.delete(old);
    }
    if (seen.has(jti)) throw new InternalAuthRefused('replayed');
    if (seen.size >= capacity) throw new InternalAuthRefused('replay memory is full');
    seen.set(jti, expiresAt);
  }

  async function claims(token: string, now: Date): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = kid === undefined ? undefined : keys.get(kid);
          if (!key) throw new InternalAuthRefused('unknown key');
          return key;
        },
        {
          algorithms: ['HS256'],
          audience: options.audience,
          currentDate: now,
          clockTolerance: SKEW_SECONDS,
          maxTokenAge: LIFETIME_SECONDS,
          requiredClaims: ['exp', 'jti', 'bsh', 'viewer'],
        },
      );
      return payload;
    } catch (error) {
      throw error instanceof InternalAuthRefused
        ? error
        : new InternalAuthRefused(String((error as { code?: unknown }).code ?? error));
    }
  }

  return {
    async verifyInternal(token, body) {
      if (!token) throw new InternalAuthRefused('missing');
      const now = options.clock.now();
      const payload = await claims(token, now);
      if (payload.bsh !== fingerprint(body)) throw new InternalAuthRefused('other body');
      const viewer = viewerClaim.safeParse(payload.viewer);
      if (!viewer.success) throw new InternalAuthRefused('no viewer');
      remember(String(payload.jti), Number(payload.exp) * SECOND, now.getTime());
      return viewer.data;
    },
  };
}
