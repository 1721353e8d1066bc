/**
 * Owns otp_challenges: one live six-digit code per address. Promises that a code works once, within its time,
 * on the device that asked for it, and that nobody gets more than five tries at it, however many they send at
 * once and whatever restarts between. Called by AuthenticationService.
 */
import { randomInt } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { OtpRequested } from '#shared/events/identity.ts';
import { Invalid, Unavailable } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { IdentityConfig } from '../identity.config.ts';
import type { Quotas } from './authentication.quotas.ts';

const triesPerCode = 5;
const argon2id = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export interface OtpChallengeView {
  readonly challengeId: string;
  readonly expiresAt: Date;
}

/** What must come back together with a code. */
export interface CodeBinding {
  readonly challengeId: string;
  readonly email: string;
  readonly device: string;
}

export class Codes {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #config: IdentityConfig;
  readonly #quotas: Quotas;
  readonly #hashing: { secret: Buffer } & typeof argon2id;

  constructor(deps: {
    db: Database;
    clock: Clock;
    secrets: Secrets;
    config: IdentityConfig;
    quotas: Quotas;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#secrets = deps.secrets;
    this.#config = deps.config;
    this.#quotas = deps.quotas;
    this.#hashing = { ...argon2id, secret: deps.secrets.key('otp-pepper') };
  }

  /** Makes a code, voids the one before and tells it, sealed. Refuses `OTP_LIMIT_REACHED` {retryAt}. */
  async make(email: string, device: string): Promise<OtpChallengeView> {
    const { allowed, endsAt } = await this.#quotas.spend(
      `request:${email}`,
      this.#config.OTP_REQUESTS_PER_HOUR,
    );
    if (!allowed) throw limitReached(endsAt);
    const code = randomInt(0, 1_000_000).toString().padStart(6, '0');
    const codeHash = await hash(code, this.#hashing);
    const challengeId = newId();
    const now = this.#clock.now();
    const expiresAt = after(now, this.#config.OTP_LIFETIME);
    await this.#db.transaction(async (tx) => {
      await tx.sql(
        `insert into otp_challenges (id, email, device_fingerprint, code_hash, tries, expires_at) values (?, ?, ?, ?, 0, ?)
         on conflict (email) do update set id = excluded.id, device_fingerprint = excluded.device_fingerprint,
           code_hash = excluded.code_hash, tries = 0, expires_at = excluded.expires_at`,
        [challengeId, email, device, codeHash, expiresAt],
      );
      const sealedCode = this.#secrets.seal('otp', code);
      tx.tell(OtpRequested, { challengeId, email, sealedCode, expiresAt });
      for (const [table, over] of [
        ['otp_challenges', 'expires_at'],
        ['auth_quotas', 'ends_at'],
      ] as const)
        await tx.sql(
          `delete from ${table} where id in
             (select id from ${table} where ${over} < ? order by ${over} limit 20 for update skip locked)`,
          [now],
        );
    });
    return { challengeId, expiresAt };
  }

  /**
   * Counts the try and compares. One refusal for a wrong, late, used, foreign or replaced code: `OTP_INVALID`
   * {triesLeft}, where 0 means that a new code is needed; and `OTP_LIMIT_REACHED` {retryAt}.
   */
  async check(binding: CodeBinding, code: string): Promise<void> {
    if (!isId(binding.challengeId)) throw invalid(0);
    const { challenge, quota } = await this.#countTry(binding);
    if (!challenge) throw invalid(0);
    if (quota && !quota.allowed) throw limitReached(quota.endsAt);
    if (!/^\d{6}$/.test(code) || !(await verify(challenge.code_hash, code, this.#hashing)))
      throw invalid(triesPerCode - challenge.tries);
  }

  /** Uses up a checked code, in the caller's transaction. Refuses `OTP_INVALID` where another was quicker. */
  async consume({ challengeId, email, device }: CodeBinding): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const used = await tx.sql(
        'delete from otp_challenges where id = ? and email = ? and device_fingerprint = ? and expires_at > ? returning 1',
        [challengeId, email, device, this.#clock.now()],
      );
      if (used.length === 0) throw invalid(0);
      await this.#quotas.forget(`try:${email}`);
    });
  }

  // A transaction of its own: the try counts even where the answer is a refusal.
  #countTry({ challengeId, email, device }: CodeBinding) {
    return this.#db.transaction(async (tx) => {
      const [challenge] = await tx.sql<{ code_hash: string; tries: number }>(
        `update otp_challenges set tries = tries + 1
          where id = ? and email = ? and device_fingerprint = ? and expires_at > ? and tries < ?
          returning code_hash, tries`,
        [challengeId, email, device, this.#clock.now(), triesPerCode],
      );
      const quota = challenge && (await this.#quotas.spend(`try:${email}`, this.#config.OTP_TRIES_PER_HOUR));
      return { challenge, quota };
    });
  }
}

const invalid = (triesLeft: number): Invalid =>
  new Invalid('OTP_INVALID', 'This code is not valid, or not any more', { triesLeft });

const limitReached = (retryAt: Date): Unavailable =>
  new Unavailable('OTP_LIMIT_REACHED', 'Too many codes for this address within an hour', {
    retryAt: retryAt.toISOString(),
  });
