/** Facts told by identity. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { id, instant } from '../kernel/wire.ts';

/** Told when a one-time code was made for an address; the code travels sealed for communications alone. */
export const OtpRequested = defineEvent('identity', 'OtpRequested', {
  key: 'challengeId',
  payload: { challengeId: id, email: z.string(), sealedCode: z.string(), expiresAt: instant },
});

/** Told once per account, when its e-mail address was proven. */
export const UserRegistered = defineEvent('identity', 'UserRegistered', {
  key: 'userId',
  payload: {
    userId: id,
    email: z.string(),
    displayName: z.string(),
    locale: z.string(),
    timeZone: z.string(),
  },
});

/** Told when a user changes how they are addressed. */
export const ProfileChanged = defineEvent('identity', 'ProfileChanged', {
  key: 'userId',
  payload: { userId: id, displayName: z.string(), locale: z.string(), timeZone: z.string() },
});

/** Told at each sign-in. */
export const SessionOpened = defineEvent('identity', 'SessionOpened', {
  key: 'userId',
  payload: { userId: id, sessionId: id, newDevice: z.boolean(), userAgent: z.string(), openedAt: instant },
});

/** Told when a stolen refresh token was replayed and every session of its family was ended. */
export const SessionFamilyRevoked = defineEvent('identity', 'SessionFamilyRevoked', {
  key: 'userId',
  payload: { userId: id, sessionId: id, reason: z.string(), revokedAt: instant },
});

/** Told when a company was taken on as a partner. */
export const PartnerCreated = defineEvent('identity', 'PartnerCreated', {
  key: 'partnerId',
  payload: {
    partnerId: id,
    name: z.string(),
    costPerMinute: z.int(),
    requestsPerMinute: z.int(),
    byUserId: id,
    at: instant,
  },
});

/** Told when a partner may ask more or less than before. */
export const PartnerBudgetsChanged = defineEvent('identity', 'PartnerBudgetsChanged', {
  key: 'partnerId',
  payload: {
    partnerId: id,
    costPerMinute: z.int(),
    requestsPerMinute: z.int(),
    byUserId: id,
    at: instant,
  },
});

/** Told when a partner was given a key; `replaces` names the key that it follows and when that one ends. */
export const ApiKeyCreated = defineEvent('identity', 'ApiKeyCreated', {
  key: 'partnerId',
  payload: {
    partnerId: id,
    keyId: id,
    scopes: z.array(z.string()),
    expiresAt: instant.nullable(),
    replaces: z.object({ keyId: id, endsAt: instant }).nullable(),
    byUserId: id,
    at: instant,
  },
});

/** Told when a key may be used for other things than before. */
export const ApiKeyScopesChanged = defineEvent('identity', 'ApiKeyScopesChanged', {
  key: 'partnerId',
  payload: { partnerId: id, keyId: id, scopes: z.array(z.string()), byUserId: id, at: instant },
});

/** Told when an administrator ended a key before its time. */
export const ApiKeyRevoked = defineEvent('identity', 'ApiKeyRevoked', {
  key: 'partnerId',
  payload: { partnerId: id, keyId: id, byUserId: id, at: instant },
});
