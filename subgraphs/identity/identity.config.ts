import { resolve } from 'node:path';
import { z } from 'zod';
import { MINUTE } from '#shared/kernel/time.ts';
import { defineConfig, duration } from '#shared/runtime/config.ts';
import { projectRoot } from '#shared/runtime/rover.ts';

const count = (fallback: number) => z.coerce.number().int().positive().default(fallback);

const atMost = (setting: ReturnType<typeof duration>, limit: number, words: string) =>
  setting.refine((milliseconds) => milliseconds > 0 && milliseconds <= limit, `must be at most ${words}`);

const addresses = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((address) => address.trim().toLowerCase())
      .filter(Boolean),
  );

export const readIdentityConfig = defineConfig({
  OTP_LIFETIME: atMost(duration('10m'), 10 * MINUTE, '10m'),
  /** Codes that may be asked for one address within an hour. */
  OTP_REQUESTS_PER_HOUR: count(5),
  /** Codes that may be tried for one address within an hour, over all its codes. */
  OTP_TRIES_PER_HOUR: count(10),
  ACCESS_TOKEN_LIFETIME: atMost(duration('5m'), 5 * MINUTE, '5m'),
  /** A session ends when it was not used for so long, */
  SESSION_IDLE: duration('30d'),
  /** and in any case so long after the sign-in. */
  SESSION_ABSOLUTE: duration('90d'),
  /** How long the last refresh token still answers for a client that lost the reply. */
  REFRESH_GRACE: atMost(duration('10s'), 10_000, '10s'),
  /** The oldest live session beyond this many is ended by the next sign-in. */
  SESSIONS_PER_USER: count(20),
  /** Addresses whose accounts carry the role `operator`, */
  OPERATOR_EMAILS: addresses,
  /** and those whose accounts carry the role `admin`. */
  ADMIN_EMAILS: addresses,
  /** What a partner's keys may draw and send together in a minute where nothing else is agreed. */
  PARTNER_COST_PER_MINUTE: count(60_000),
  PARTNER_REQUESTS_PER_MINUTE: count(600),
  /** Folder of stored files. */
  FILES_DIR: z
    .string()
    .default('.data/files')
    .transform((path) => resolve(projectRoot, path)),
  FILE_MAX_BYTES: count(15 * 1024 * 1024),
  /** What one owner may store in all. */
  FILE_QUOTA_BYTES: count(2 * 1024 * 1024 * 1024),
  /** Uploads that one owner may have begun and not finished. */
  FILES_AWAITING: count(100),
  /** How long the address of an upload works, */
  UPLOAD_WINDOW: duration('30m'),
  /** and how long its bytes may take. */
  UPLOAD_TIMEOUT: duration('2m'),
  DOWNLOAD_WINDOW: duration('5m'),
});

export type IdentityConfig = ReturnType<typeof readIdentityConfig>;
