/**
 * Owns the ways in: auth_identities, and through its parts codes (otp_challenges), sessions and devices. Promises
 * that an account is entered only by somebody who has just read a code sent to its address, and that no answer,
 * in words or in time, tells whether an address has an account. Called by the resolvers and the contract.
 */
import { createPublicKey } from 'node:crypto';
import { canonicalEmail } from '#shared/kernel/email-address.ts';
import { Invalid } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { IdentityConfig } from '../identity.config.ts';
import type { Preferences, UserService, UserView } from '../user/user.service.ts';
import { type CodeBinding, Codes, type OtpChallengeView } from './authentication.codes.ts';
import { Quotas } from './authentication.quotas.ts';
import { type EndedSessions, SessionEnds } from './authentication.session-ends.ts';
import { type DeviceSessionView, type LiveSession, Sessions } from './authentication.sessions.ts';
import { fingerprintOf, Tokens } from './authentication.tokens.ts';

export interface SessionView {
  readonly id: string;
  readonly accessToken: string;
  readonly accessExpiresAt: Date;
  readonly refreshToken: string;
  readonly expiresAt: Date;
  readonly user: UserView;
}

type Optional = string | null | undefined;

export class AuthenticationService {
  readonly providers = ['EMAIL' as const];
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #users: UserService;
  /** Addresses by the role that they carry. */
  readonly #roles: readonly (readonly [role: string, addresses: ReadonlySet<string>])[];
  readonly #tokens: Tokens;
  readonly #codes: Codes;
  readonly #sessions: Sessions;
  readonly #ends: SessionEnds;

  constructor(deps: {
    db: Database;
    clock: Clock;
    secrets: Secrets;
    config: IdentityConfig;
    users: UserService;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#users = deps.users;
    this.#roles = [
      ['operator', new Set(deps.config.OPERATOR_EMAILS)],
      ['admin', new Set(deps.config.ADMIN_EMAILS)],
    ];
    this.#tokens = new Tokens(deps.secrets, deps.clock, deps.config.ACCESS_TOKEN_LIFETIME);
    this.#codes = new Codes({ ...deps, quotas: new Quotas(deps.db, deps.clock) });
    this.#sessions = new Sessions({ ...deps, tokens: this.#tokens });
    this.#ends = new SessionEnds(deps.db, deps.clock, deps.config.ACCESS_TOKEN_LIFETIME);
  }

  /**
   * Makes a code for an address; communications sends it after the commit. Takes the same path for every
   * address. Refuses `EMAIL_INVALID`, `DEVICE_FINGERPRINT_INVALID`, `OTP_LIMIT_REACHED` {retryAt}.
   */
  async requestOtp(input: { email: string; deviceFingerprint: string }): Promise<OtpChallengeView> {
    return this.#codes.make(canonicalEmail(input.email), requireFingerprint(input.deviceFingerprint));
  }

  /**
   * Signs in with a code; the first time makes the account. Refuses `EMAIL_INVALID`,
   * `DEVICE_FINGERPRINT_INVALID`, `DEVICE_KEY_INVALID`, `LOCALE_INVALID`, `TIME_ZONE_UNKNOWN`,
   * `OTP_INVALID` {triesLeft}, `OTP_LIMIT_REACHED` {retryAt}.
   */
  async verifyOtp(
    input: {
      challengeId: string;
      email: string;
      code: string;
      deviceFingerprint: string;
      devicePublicKey?: Optional;
      userAgent?: Optional;
    } & Preferences,
  ): Promise<SessionView> {
    const email = canonicalEmail(input.email);
    const fingerprint = requireFingerprint(input.deviceFingerprint);
    const publicKey = input.devicePublicKey ? requireDeviceKey(input.devicePublicKey) : null;
    const userAgent = (input.userAgent ?? '').replaceAll(/[\p{Cc}\p{Cs}]/gu, ' ').slice(0, 300);
    const binding: CodeBinding = { challengeId: input.challengeId, email, device: fingerprint };
    await this.#codes.check(binding, input.code);
    const live = await this.#db.transaction(async () => {
      await this.#codes.consume(binding);
      const userId = await this.#users.register(email, input);
      await this.#prove(userId, 'email', email);
      return this.#sessions.open(userId, { fingerprint, publicKey, userAgent });
    });
    return this.#grant(live);
  }

  /** A new access token and the next refresh token. Refuses `REFRESH_TOKEN_INVALID`, `SESSION_ENDED`. */
  async refreshSession(input: { refreshToken: string; deviceFingerprint: string }): Promise<SessionView> {
    return this.#grant(
      await this.#sessions.refresh(input.refreshToken, fingerprintOf(input.deviceFingerprint)),
    );
  }

  /** Ends the viewer's session. Refuses `SIGN_IN_REQUIRED`, `SESSION_NOT_FOUND`. */
  async signOut(viewer: Viewer): Promise<DeviceSessionView> {
    const user = requireUser(viewer);
    return this.#sessions.end(user, user.sessionId);
  }

  /** Ends any session of the viewer. Refuses `SIGN_IN_REQUIRED`, `SESSION_NOT_FOUND`. */
  async endSession(viewer: Viewer, sessionId: string): Promise<DeviceSessionView> {
    return this.#sessions.end(requireUser(viewer), sessionId);
  }

  /** The viewer's live sessions. Refuses `SIGN_IN_REQUIRED`. */
  async mySessions(viewer: Viewer): Promise<DeviceSessionView[]> {
    return this.#sessions.live(requireUser(viewer));
  }

  /** Sessions that ended lately, in the order of their commits. For the gateway. Refuses `CURSOR_INVALID`. */
  endedSessions(cursor: string | null): Promise<EndedSessions> {
    return this.#ends.after(cursor);
  }

  /** A bearer token for one recipient of one shipment. For other subgraphs. */
  linkToken(of: { shipmentId: string; recipientId: string; expiresAt: Date }): Promise<string> {
    return this.#tokens.link(of);
  }

  async #grant({ sessionId, userId, expiresAt, refreshToken }: LiveSession): Promise<SessionView> {
    const user = await this.#users.ownView(userId);
    const roles = this.#roles.flatMap(([role, addresses]) => (addresses.has(user.email!) ? [role] : []));
    const access = await this.#tokens.access({ userId, sessionId, roles, sessionEnds: expiresAt });
    return { id: sessionId, ...access, refreshToken, expiresAt, user };
  }

  async #prove(userId: string, provider: string, subject: string): Promise<void> {
    const now = this.#clock.now();
    await this.#db.transaction((tx) =>
      tx.sql(
        `insert into auth_identities (id, user_id, provider, subject, proven_at, last_used_at) values (?, ?, ?, ?, ?, ?)
         on conflict (provider, subject) do update set last_used_at = excluded.last_used_at`,
        [newId(), userId, provider, subject, now, now],
      ),
    );
  }
}

function requireFingerprint(text: string): string {
  if (text.length < 8 || text.length > 256)
    throw new Invalid('DEVICE_FINGERPRINT_INVALID', 'A device fingerprint has 8 to 256 characters');
  return fingerprintOf(text);
}

function requireDeviceKey(text: string): string {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64url'), format: 'der', type: 'spki' });
    const { crv } = key.export({ format: 'jwk' });
    if (crv === 'Ed25519' || crv === 'P-256') return text;
  } catch {}
  throw new Invalid('DEVICE_KEY_INVALID', 'devicePublicKey is no Ed25519 or P-256 key in DER and base64url');
}
