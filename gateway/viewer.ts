/**
 * Who is asking: an access token, verified once, becomes the viewer of the whole request.
 *
 * Tokens are JWTs signed with Ed25519. `typ: access` names a user (`sub`, `sid`, `roles`), `typ: link` the
 * holder of a signed link (`shp`, `rcp`). No token is an anonymous viewer; a wrong one is never that.
 */
import { GraphQLError } from 'graphql';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { z } from 'zod';
import { type Clock, SECOND } from '#shared/kernel/time.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { UNAUTHENTICATED } from './errors.ts';

export interface Identity {
  readonly viewer: Viewer;
  /** When the token ends; `null` for the anonymous viewer. */
  readonly expiresAt: Date | null;
}

const claims = z.discriminatedUnion('typ', [
  z.object({
    typ: z.literal('access'),
    sub: z.string().min(1),
    sid: z.string().min(1),
    roles: z.array(z.string()),
  }),
  z.object({ typ: z.literal('link'), shp: z.string().min(1), rcp: z.string().min(1) }),
]);

const unauthenticated = (): GraphQLError =>
  new GraphQLError('The access token is not valid or has expired', {
    extensions: { code: UNAUTHENTICATED, http: { status: 401 } },
  });

export class AccessTokens {
  readonly #keys: ReturnType<typeof createLocalJWKSet> | null;
  readonly #clock: Clock;

  constructor(keys: JSONWebKeySet, clock: Clock) {
    this.#keys = keys.keys.length > 0 ? createLocalJWKSet(keys) : null;
    this.#clock = clock;
  }

  /** Reads an `Authorization` value. Refuses `UNAUTHENTICATED` whatever is there and not valid now. */
  async identify(authorization: string | undefined): Promise<Identity> {
    if (!authorization || !this.#keys) return { viewer: anonymous, expiresAt: null };
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (!token) throw unauthenticated();
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        algorithms: ['EdDSA', 'Ed25519'],
        currentDate: this.#clock.now(),
        requiredClaims: ['exp'],
      });
      return { viewer: toViewer(claims.parse(payload)), expiresAt: new Date(Number(payload.exp) * SECOND) };
    } catch {
      throw unauthenticated();
    }
  }
}

function toViewer(token: z.output<typeof claims>): Viewer {
  return token.typ === 'access'
    ? { kind: 'user', userId: token.sub, sessionId: token.sid, roles: token.roles }
    : { kind: 'link', shipmentId: token.shp, recipientId: token.rcp };
}

/** Whether a fresh token may take the place of the one that a connection began with. */
export function samePerson(one: Viewer, other: Viewer): boolean {
  if (one.kind === 'user' && other.kind === 'user') return one.userId === other.userId;
  if (one.kind === 'link' && other.kind === 'link')
    return one.shipmentId === other.shipmentId && one.recipientId === other.recipientId;
  return false;
}
