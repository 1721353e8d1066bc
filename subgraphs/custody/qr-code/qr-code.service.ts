/**
 * Owns the codes that prove a hand-over (`qr_codes`): makes them, reads them, ends them. It promises that a code
 * is signed, bound to one hand-over, direction, party and window, works once, and that nobody who reads the
 * database can show one, since only its hash is stored. The handoff service asks it inside its transactions.
 */
import { createHash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { LockMode } from '@mikro-orm/core';
import { Conflict, Forbidden, Invalid, NotFound, type Refusal } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import { type PartiesService, type Party, sameParty } from '../tracking/parties.service.ts';
import { QrCodeRow } from './qr-code.entities.ts';
import { qrCodeStates } from './qr-code.states.ts';
import { drawCode } from './qr-picture.ts';
import { type Direction, hashOfToken, readToken, type TokenContent, writeToken } from './token.ts';

const spokenAlphabet = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const wrongScansAllowed = 3;

export type MintedCode = QrCodeRow;

export interface QrCodeView {
  readonly row: QrCodeRow;
  /** Only in the answer to who asked for the code. */
  readonly token: string | null;
  readonly spokenCode: string | null;
  readonly image: string | null;
}

export interface QrVerificationKeyView {
  readonly keyId: number;
  /** Raw Ed25519 key, base64url. */
  readonly publicKey: string;
}

export interface MintOrder {
  readonly stepId: string;
  readonly shipmentId: string;
  readonly direction: Direction;
  readonly party: Party;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export class QrCodeService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #parties: PartiesService;
  readonly #keyId: number;
  readonly #keys: ReadonlyMap<number, { privateKey: KeyObject; publicKey: KeyObject }>;

  constructor(
    deps: { db: Database; clock: Clock; secrets: Secrets; config: { QR_SIGNING_KEY_ID: number } },
    parties: PartiesService,
  ) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#secrets = deps.secrets;
    this.#parties = parties;
    this.#keyId = deps.config.QR_SIGNING_KEY_ID;
    this.#keys = new Map(
      Array.from({ length: this.#keyId }, (_, index) => [
        index + 1,
        deps.secrets.signingKey(`qr:${index + 1}`),
      ]),
    );
  }

  /** Makes a party's code for a hand-over and revokes the one it had. The caller has checked who asks. */
  async mint(order: MintOrder): Promise<QrCodeView> {
    const token = writeToken(
      {
        keyId: this.#keyId,
        stepId: order.stepId,
        direction: order.direction,
        partyTag: partyTag(this.#secrets, order.party),
        notBefore: order.notBefore,
        notAfter: order.notAfter,
        nonce: randomBytes(8),
      },
      this.#keys.get(this.#keyId)!.privateKey,
    );
    const row = await this.#db.transaction(async ({ em }) => {
      await em.nativeUpdate(
        QrCodeRow,
        { stepId: order.stepId, direction: order.direction, state: 'minted' },
        { state: 'revoked', endedAt: this.#clock.now() },
      );
      const minted = em.create(QrCodeRow, {
        id: newId(),
        stepId: order.stepId,
        shipmentId: order.shipmentId,
        direction: order.direction,
        partyType: order.party.type,
        partyId: order.party.id,
        tokenHash: hashOfToken(token),
        keyId: this.#keyId,
        notBefore: order.notBefore,
        notAfter: order.notAfter,
        state: 'minted',
        createdAt: this.#clock.now(),
      });
      await em.flush();
      return minted;
    });
    return { row, token, spokenCode: spokenCode(this.#secrets, row.tokenHash), image: await drawCode(token) };
  }

  /** What a genuine token says. Refuses `BAD_SIGNATURE`, `UNKNOWN_KEY`. */
  read(token: string): TokenContent {
    return readToken(token, (keyId) => this.#keys.get(keyId)?.publicKey);
  }

  /** True where the token was made for this party. */
  isFor(content: TokenContent, party: Party): boolean {
    return timingSafeEqual(content.partyTag, partyTag(this.#secrets, party));
  }

  byToken(token: string): Promise<QrCodeRow | null> {
    return this.#db.read((em) => em.findOne(QrCodeRow, { tokenHash: hashOfToken(token) }));
  }

  byId(id: string): Promise<QrCodeRow | null> {
    return this.#db.read((em) => em.findOne(QrCodeRow, { id }));
  }

  /** The code that a party of a hand-over holds now, if these are its spoken characters. */
  async bySpokenCode(stepId: string, direction: Direction, spoken: string): Promise<QrCodeRow | null> {
    const row = await this.#db.read((em) => em.findOne(QrCodeRow, { stepId, direction, state: 'minted' }));
    if (!row) return null;
    const given = digest(spoken.toUpperCase().replaceAll(/[\s-]/g, ''));
    return timingSafeEqual(given, digest(spokenCode(this.#secrets, row.tokenHash))) ? row : null;
  }

  /** Refuses `TOKEN_CONSUMED` {consumedAt}, `TOKEN_REVOKED`, `NOT_YET` {opensAt}, `TOKEN_EXPIRED`; null where it can be used. */
  faultOf(row: QrCodeRow): Refusal | null {
    const now = this.#clock.now();
    if (row.state === 'consumed')
      return new Conflict('TOKEN_CONSUMED', 'This code was already used', { consumedAt: row.endedAt });
    if (row.state === 'revoked') return new Conflict('TOKEN_REVOKED', 'This code was replaced or withdrawn');
    if (row.state === 'expired' || now > row.notAfter)
      return new Conflict('TOKEN_EXPIRED', 'The time of this code is over');
    if (now < row.notBefore)
      return new Conflict('NOT_YET', 'This code cannot be used yet', { opensAt: row.notBefore });
    return null;
  }

  /**
   * Uses up the codes of a hand-over and withdraws whatever other codes it has, in one statement.
   * Refuses `TOKEN_CONSUMED` where one of them was used before.
   */
  async consume(stepId: string, scanned: string, other: string | null): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const ended = await tx.sql<{ id: string }>(
        `update qr_codes set state = case when id in (?, ?) then 'consumed' else 'revoked' end, ended_at = ?
          where step_id = ? and state = 'minted' returning id`,
        [scanned, other ?? scanned, this.#clock.now(), stepId],
      );
      if (!ended.some(({ id }) => id === scanned))
        throw new Conflict('TOKEN_CONSUMED', 'This code was already used');
    });
  }

  /** Counts a scan by somebody whose code it was not; the third one revokes it. */
  async countWrongScan(id: string): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql(
        `update qr_codes set wrong_scans = wrong_scans + 1,
                state = case when wrong_scans + 1 >= ? then 'revoked' else state end,
                ended_at = case when wrong_scans + 1 >= ? then ?::timestamptz else ended_at end
          where id = ? and state = 'minted'`,
        [wrongScansAllowed, wrongScansAllowed, this.#clock.now(), id],
      ),
    );
  }

  /** Ends every unused code of hand-overs that will not happen. */
  async expireOf(stepIds: readonly string[]): Promise<void> {
    await this.#db.transaction(({ em }) =>
      em.nativeUpdate(
        QrCodeRow,
        { stepId: { $in: [...stepIds] }, state: 'minted' },
        { state: 'expired', endedAt: this.#clock.now() },
      ),
    );
  }

  /**
   * Says whether a code is genuine and can be used now; what a scan would find beyond that is not told.
   * Refuses what `read` and `faultOf` refuse.
   */
  async validate(viewer: Viewer, token: string): Promise<{ expiresAt: Date }> {
    if (viewer.kind === 'anonymous' || viewer.kind === 'partner')
      throw new Forbidden('SIGN_IN_REQUIRED', 'Sign in first');
    this.read(token);
    const row = await this.byToken(token);
    if (!row) throw new Invalid('BAD_SIGNATURE', 'This is no code of ours');
    const fault = this.faultOf(row);
    if (fault) throw fault;
    return { expiresAt: row.notAfter };
  }

  /** Ends one's own code before its time. Refuses `QR_CODE_NOT_FOUND`, `INVALID_TRANSITION`. */
  async expire(viewer: Viewer, id: string): Promise<QrCodeView> {
    return this.#db.transaction(async ({ em }) => {
      const row = isId(id)
        ? await em.findOne(QrCodeRow, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE })
        : null;
      const roles = row ? (await this.#parties.rolesOf(viewer, [row.shipmentId])).get(row.shipmentId) : [];
      const owner = row && { type: row.partyType, id: row.partyId };
      if (!row || !roles?.some((role) => sameParty(role, owner!)))
        throw new NotFound('QR_CODE_NOT_FOUND', 'There is no such code');
      row.state = nextState(qrCodeStates, row.state, 'expire', 'party');
      row.endedAt = this.#clock.now();
      await em.flush();
      return { row, token: null, spokenCode: null, image: null };
    });
  }

  /** Public keys with which a phone verifies codes without a network. */
  get verificationKeys(): QrVerificationKeyView[] {
    return [...this.#keys].map(([keyId, { publicKey }]) => ({
      keyId,
      publicKey: publicKey.export({ format: 'jwk' }).x as string,
    }));
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** 8 bytes that stand for a party without naming it. */
export const partyTag = (secrets: Secrets, party: Party): Buffer =>
  Buffer.from(secrets.mac('qr-party', `${party.type}:${party.id}`), 'base64url').subarray(0, 8);

/** Eight characters without 0, O, 1 and I, for those whose camera or screen fails: 40 bits of a keyed hash. */
export function spokenCode(secrets: Secrets, tokenHash: string): string {
  const bytes = Buffer.from(secrets.mac('qr-spoken', tokenHash), 'base64url');
  return Array.from(bytes.subarray(0, 8), (byte) => spokenAlphabet[byte % 32]).join('');
}
