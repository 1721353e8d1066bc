/**
 * Access tokens: JWTs signed with Ed25519. `typ: access` names a user (`sub`, `sid`, `roles`), `typ: link` the
 * holder of a signed link (`shp`, `rcp`); `scope` lists scopes, separated by spaces.
 *
 * A token's signature is checked once. After that its text is looked up, until it expires or its session ends;
 * public keys stay the same for the life of a process.
 */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { z } from 'zod';
import { type Clock, SECOND } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';

/** What a token proves. */
export interface Proof {
  readonly viewer: Viewer;
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
}

const scope = z
  .string()
  .default('')
  .transform((text) => text.split(' ').filter(Boolean));

const claims = z.discriminatedUnion('typ', [
  z.object({
    typ: z.literal('access'),
    sub: z.string().min(1),
    sid: z.string().min(1),
    roles: z.array(z.string()),
    scope,
  }),
  z.object({ typ: z.literal('link'), shp: z.string().min(1), rcp: z.string().min(1), scope }),
]);

const CAPACITY = 20_000;
/** Longer ones are none of ours, and would make the memory's size anybody's choice. */
const LONGEST = 4_096;

export class AccessTokens {
  readonly #keys: ReturnType<typeof createLocalJWKSet> | null;
  readonly #clock: Clock;
  readonly #proofs = new Map<string, Proof>();
  readonly #underway = new Map<string, Promise<Proof | null>>();

  constructor(keys: JSONWebKeySet, clock: Clock) {
    this.#keys = keys.keys.length > 0 ? createLocalJWKSet(keys) : null;
    this.#clock = clock;
  }

  /** Without public keys there are no tokens: every `Authorization` means nothing here. */
  get active(): boolean {
    return this.#keys !== null;
  }

  /** The proof that an `Authorization` value holds now; `null` where it is none. */
  prove(authorization: string): Proof | Promise<Proof | null> | null {
    const token = tokenOf(authorization);
    if (!token || !this.#keys) return null;
    const known = this.#proofs.get(token);
    if (!known) return this.#verifyOnce(token);
    this.#proofs.delete(token);
    if (known.expiresAt.getTime() <= this.#clock.now().getTime()) return null;
    this.#proofs.set(token, known);
    return known;
  }

  async #verifyOnce(token: string): Promise<Proof | null> {
    const underway = this.#underway.get(token) ?? this.#verify(token);
    this.#underway.set(token, underway);
    try {
      return await underway;
    } finally {
      this.#underway.delete(token);
    }
  }

  async #verify(token: string): Promise<Proof | null> {
    try {
      const { payload } = await jwtVerify(token, this.#keys!, {
        algorithms: ['EdDSA', 'Ed25519'],
        currentDate: this.#clock.now(),
        requiredClaims: ['exp'],
      });
      const proof = proofOf(claims.parse(payload), Number(payload.exp));
      this.#proofs.set(token, proof);
      if (this.#proofs.size > CAPACITY) this.#proofs.delete(this.#proofs.keys().next().value as string);
      return proof;
    } catch {
      return null;
    }
  }
}

function tokenOf(authorization: string): string | null {
  if (authorization.length > LONGEST) return null;
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? null;
}

function proofOf(token: z.output<typeof claims>, expiry: number): Proof {
  const viewer: Viewer =
    token.typ === 'access'
      ? { kind: 'user', userId: token.sub, sessionId: token.sid, roles: token.roles }
      : { kind: 'link', shipmentId: token.shp, recipientId: token.rcp };
  return { viewer, expiresAt: new Date(expiry * SECOND), scopes: token.scope };
}
