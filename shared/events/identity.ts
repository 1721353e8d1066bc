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
