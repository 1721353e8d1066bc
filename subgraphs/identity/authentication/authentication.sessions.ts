/**
 * Owns sessions and devices. A session is one sign-in on one device and the family of refresh tokens that grows
 * from it; each works once. Promises that a token seen twice, or on another device, ends its session for thief
 * and owner alike, and that this is told. Called by AuthenticationService.
 */
import { LockMode } from '@mikro-orm/core';
import { SessionFamilyRevoked, SessionOpened } from '#shared/events/identity.ts';
import { Forbidden, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { UserViewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { IdentityConfig } from '../identity.config.ts';
import { Session } from './authentication.entities.ts';
import { fingerprintOf, type Tokens } from './authentication.tokens.ts';

export interface DeviceSessionView {
  readonly id: string;
  readonly userAgent: string;
  readonly openedAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | null;
  readonly current: boolean;
}

/** A session that may be given tokens. */
export interface LiveSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly expiresAt: Date;
  readonly refreshToken: string;
}

export interface SigningInDevice {
  readonly fingerprint: string;
  readonly publicKey: string | null;
  readonly userAgent: string;
}

export class Sessions {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #config: IdentityConfig;
  readonly #tokens: Tokens;

  constructor(deps: { db: Database; clock: Clock; config: IdentityConfig; tokens: Tokens }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#config = deps.config;
    this.#tokens = deps.tokens;
  }

  /** Opens a session for somebody who has just proven who they are, and tells it. */
  open(userId: string, device: SigningInDevice): Promise<LiveSession> {
    return this.#db.transaction(async (tx) => {
      const openedAt = this.#clock.now();
      const seen = await this.#see(tx, userId, device, openedAt);
      const sessionId = newId();
      const refreshToken = this.#tokens.firstRefresh(sessionId);
      const absoluteExpiresAt = after(openedAt, this.#config.SESSION_ABSOLUTE);
      const session = tx.em.create(Session, {
        id: sessionId,
        userId,
        deviceId: seen.deviceId,
        deviceFingerprint: device.fingerprint,
        userAgent: device.userAgent,
        refreshHash: fingerprintOf(refreshToken),
        openedAt,
        lastUsedAt: openedAt,
        expiresAt: this.#idleEnd(openedAt, absoluteExpiresAt),
        absoluteExpiresAt,
      });
      await tx.em.flush();
      await tx.sql(
        `update sessions set ended_at = ?, end_reason = 'SUPERSEDED' where id in
           (select id from sessions where user_id = ? and ended_at is null and id <> ?
             order by last_used_at desc offset ? for update)`,
        [openedAt, userId, sessionId, this.#config.SESSIONS_PER_USER - 1],
      );
      tx.tell(SessionOpened, {
        userId,
        sessionId,
        newDevice: seen.isNew,
        userAgent: device.userAgent,
        openedAt,
      });
      return { sessionId, userId, expiresAt: session.expiresAt, refreshToken };
    });
  }

  /**
   * Trades a refresh token for its successor. Within the grace the last one answers the same once more, on the
   * same device. Refuses `REFRESH_TOKEN_INVALID` and `SESSION_ENDED`; the latter also where this very call
   * showed a theft and ended the session.
   */
  async refresh(refreshToken: string, device: string): Promise<LiveSession> {
    const sessionId = this.#tokens.sessionOf(refreshToken);
    // The end of a stolen session must be committed, so the refusal is thrown afterwards.
    const live = await this.#db.transaction((tx) => this.#rotate(tx, sessionId, refreshToken, device));
    if (!live) throw new Forbidden('SESSION_ENDED', 'This session has ended: sign in again');
    return live;
  }

  async #rotate(
    tx: Transaction,
    sessionId: string,
    refreshToken: string,
    device: string,
  ): Promise<LiveSession | null> {
    const now = this.#clock.now();
    const session = await tx.em.findOne(Session, { id: sessionId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!session || session.endedAt || session.expiresAt <= now) return null;
    if (session.deviceFingerprint !== device) return revoke(tx, session, 'DEVICE_CHANGED', now);
    const presented = fingerprintOf(refreshToken);
    const successor = this.#tokens.nextRefresh(sessionId, refreshToken);
    if (presented === session.refreshHash) {
      session.previousRefreshHash = presented;
      session.refreshHash = fingerprintOf(successor);
      session.rotatedAt = now;
      session.lastUsedAt = now;
      session.expiresAt = this.#idleEnd(now, session.absoluteExpiresAt);
    } else if (
      presented !== session.previousRefreshHash ||
      now > after(session.rotatedAt!, this.#config.REFRESH_GRACE)
    ) {
      return revoke(tx, session, 'REFRESH_TOKEN_REUSED', now);
    }
    return { sessionId, userId: session.userId, expiresAt: session.expiresAt, refreshToken: successor };
  }

  /** Ends a session of the viewer; ending it twice is no fault. Refuses `SESSION_NOT_FOUND`. */
  end(viewer: UserViewer, sessionId: string): Promise<DeviceSessionView> {
    return this.#db.transaction(async (tx) => {
      const session = isId(sessionId)
        ? await tx.em.findOne(
            Session,
            { id: sessionId, userId: viewer.userId },
            { lockMode: LockMode.PESSIMISTIC_WRITE },
          )
        : null;
      if (!session) throw new NotFound('SESSION_NOT_FOUND', 'No such session');
      session.endReason ??= 'SIGNED_OUT';
      session.endedAt ??= this.#clock.now();
      return viewOf(session, viewer);
    });
  }

  async live(viewer: UserViewer): Promise<DeviceSessionView[]> {
    const sessions = await this.#db.read((em) =>
      em.find(
        Session,
        { userId: viewer.userId, endedAt: null, expiresAt: { $gt: this.#clock.now() } },
        { orderBy: { lastUsedAt: 'desc', id: 'desc' }, limit: this.#config.SESSIONS_PER_USER },
      ),
    );
    return sessions.map((session) => viewOf(session, viewer));
  }

  /** A known fingerprint with another key counts as a new device: keys cannot be copied, texts can. */
  async #see(
    tx: Transaction,
    userId: string,
    { fingerprint, publicKey }: SigningInDevice,
    now: Date,
  ): Promise<{ deviceId: string; isNew: boolean }> {
    const [known] = await tx.sql<{ public_key: string | null }>(
      'select public_key from devices where user_id = ? and fingerprint = ? for update',
      [userId, fingerprint],
    );
    const [device] = await tx.sql<{ id: string }>(
      `insert into devices (id, user_id, fingerprint, public_key, first_seen_at, last_seen_at) values (?, ?, ?, ?, ?, ?)
       on conflict (user_id, fingerprint) do update set last_seen_at = excluded.last_seen_at,
         public_key = coalesce(excluded.public_key, devices.public_key)
       returning id`,
      [newId(), userId, fingerprint, publicKey, now, now],
    );
    const isNew =
      !known || (publicKey !== null && known.public_key !== null && known.public_key !== publicKey);
    return { deviceId: device!.id, isNew };
  }

  #idleEnd(now: Date, absolute: Date): Date {
    return new Date(Math.min(after(now, this.#config.SESSION_IDLE).getTime(), absolute.getTime()));
  }
}

function revoke(tx: Transaction, session: Session, reason: string, revokedAt: Date): null {
  session.endedAt = revokedAt;
  session.endReason = reason;
  tx.tell(SessionFamilyRevoked, { userId: session.userId, sessionId: session.id, reason, revokedAt });
  return null;
}

const viewOf = (session: Session, viewer: UserViewer): DeviceSessionView => ({
  id: session.id,
  userAgent: session.userAgent,
  openedAt: session.openedAt,
  lastUsedAt: session.lastUsedAt,
  expiresAt: session.expiresAt,
  endedAt: session.endedAt ?? null,
  current: session.id === viewer.sessionId,
});
