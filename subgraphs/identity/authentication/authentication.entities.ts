import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

/** A proven way into an account. */
export const AuthIdentity = defineEntity({
  name: 'AuthIdentity',
  tableName: 'auth_identities',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid().index(),
    provider: p.text(),
    /** What the provider calls the person: for `email` the canonical address. */
    subject: p.text(),
    provenAt: p.datetime(),
    lastUsedAt: p.datetime(),
  },
  uniques: [{ properties: ['provider', 'subject'] }],
  checks: [{ name: 'auth_identities_provider', expression: "provider in ('email', 'google', 'apple')" }],
});

export const Device = defineEntity({
  name: 'Device',
  tableName: 'devices',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    /** SHA-256 of what the client calls itself. */
    fingerprint: p.text(),
    /** DER SubjectPublicKeyInfo in base64url; its private half never leaves the device. */
    publicKey: p.text().nullable(),
    firstSeenAt: p.datetime(),
    lastSeenAt: p.datetime(),
  },
  uniques: [{ properties: ['userId', 'fingerprint'] }],
});

/** A sign-in and the family of refresh tokens that grows from it. */
export const Session = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid().index(),
    deviceId: p.uuid(),
    deviceFingerprint: p.text(),
    userAgent: p.text(),
    /** SHA-256 of the refresh token that works now, */
    refreshHash: p.text(),
    /** and of the one before it, which answers for a few seconds more. */
    previousRefreshHash: p.text().nullable(),
    rotatedAt: p.datetime().nullable(),
    openedAt: p.datetime(),
    lastUsedAt: p.datetime(),
    expiresAt: p.datetime(),
    absoluteExpiresAt: p.datetime(),
    endedAt: p.datetime().nullable(),
    endReason: p.text().nullable(),
  },
  checks: [
    { name: 'sessions_expiry', expression: 'expires_at <= absolute_expires_at' },
    { name: 'sessions_end', expression: '(ended_at is null) = (end_reason is null)' },
  ],
});
export type Session = InferEntity<typeof Session>;

/** That a session ended, in the order of commits; written by a trigger on `sessions` and by nothing else. */
export const SessionEnd = defineEntity({
  name: 'SessionEnd',
  tableName: 'session_ends',
  properties: {
    seq: p.bigint().primary().autoincrement(),
    sessionId: p.uuid(),
    endedAt: p.datetime().index(),
  },
});

/** The one live code of an address. */
export const OtpChallenge = defineEntity({
  name: 'OtpChallenge',
  tableName: 'otp_challenges',
  properties: {
    id: p.uuid().primary(),
    email: p.text().unique(),
    deviceFingerprint: p.text(),
    /** Argon2id with a salt of its own and the platform's pepper. */
    codeHash: p.text(),
    tries: p.integer().default(0),
    expiresAt: p.datetime().index(),
  },
  checks: [{ name: 'otp_challenges_tries', expression: 'tries >= 0 and tries <= 5' }],
});

/** How much of an hourly allowance is used. */
export const AuthQuota = defineEntity({
  name: 'AuthQuota',
  tableName: 'auth_quotas',
  properties: {
    /** `<what>:<address>` */
    id: p.text().primary(),
    used: p.integer(),
    endsAt: p.datetime().index(),
  },
});

export const authenticationEntities = [AuthIdentity, Device, Session, SessionEnd, OtpChallenge, AuthQuota];
