/**
 * Owns the keys of partners' programs. Promises that the text of a key is shown once and stored nowhere, that
 * only its SHA-256 is, that a key which has ended is answered like one that never was, and that a key can be
 * followed by another without a moment in which neither works. Administrators make, rotate and end keys through
 * the resolvers; the gateway checks them through the route.
 */
import { LockMode } from '@mikro-orm/core';
import { ApiKeyCreated, ApiKeyRevoked, ApiKeyScopesChanged } from '#shared/events/identity.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { after, type Clock, DAY, HOUR, MINUTE } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import { type Batch, groupedBy } from '#shared/runtime/graph.ts';
import { ApiKey, Partner } from './api-key.entities.ts';
import { hashOf, isHashOf, keyIdOf, newKeyText } from './key-text.ts';
import { nameOf, type PartnerService, requireAdmin } from './partner.service.ts';

export type ApiKeyScope = 'SEARCH_READ' | 'TRACKING_READ';

export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  readonly state: 'ACTIVE' | 'EXPIRED' | 'REVOKED';
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly replacedById: string | null;
}

export interface NewApiKeyView {
  readonly apiKey: ApiKeyView;
  readonly text: string;
}

/** What the gateway must know of whoever shows a key. */
export interface CheckedKey {
  readonly keyId: string;
  readonly partnerId: string;
  readonly contract: string;
  /** Such as `search:read`. */
  readonly scopes: readonly string[];
  readonly costPerMinute: number;
  readonly requestsPerMinute: number;
}

const MAX_LIVE_KEYS = 10;
const MAX_OVERLAP_HOURS = 168;
const SHOWN_AFTER_END = 90 * DAY;
/** Compared with where no key is, so that both take the same time. */
const nobodysHash = '0'.repeat(64);

export class ApiKeyService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #partners: PartnerService;

  constructor({ db, clock, partners }: { db: Database; clock: Clock; partners: PartnerService }) {
    this.#db = db;
    this.#clock = clock;
    this.#partners = partners;
  }

  /**
   * Makes a key and tells it. Refuses `ROLE_REQUIRED`, `PARTNER_NOT_FOUND`, `API_KEY_NAME_INVALID`,
   * `SCOPES_INVALID`, `EXPIRY_INVALID`, `API_KEYS_FULL`.
   */
  async create(
    viewer: Viewer,
    input: {
      partnerId: string;
      name: string;
      scopes: readonly ApiKeyScope[];
      expiresAt?: Date | null | undefined;
    },
  ): Promise<NewApiKeyView> {
    const { userId } = requireAdmin(viewer);
    const name = nameOf(input.name, 'API_KEY_NAME_INVALID');
    const scopes = scopesOf(input.scopes);
    const expiresAt = this.#expiryOf(input.expiresAt);
    return this.#db.transaction(async (tx) => {
      const { id: partnerId } = await this.#partners.lock(input.partnerId);
      return this.#make(tx, { id: newId(), partnerId, name, scopes, expiresAt, replaces: null, userId });
    });
  }

  /**
   * Makes the next key of the same name and scopes, and lets the old one end after the overlap. Refuses
   * `ROLE_REQUIRED`, `API_KEY_NOT_FOUND`, `API_KEY_ENDED`, `API_KEY_ROTATED`, `OVERLAP_INVALID`,
   * `EXPIRY_INVALID`.
   */
  async rotate(
    viewer: Viewer,
    input: { apiKeyId: string; overlapHours: number; expiresAt?: Date | null | undefined },
  ): Promise<NewApiKeyView> {
    const { userId } = requireAdmin(viewer);
    const { overlapHours } = input;
    if (overlapHours < 0 || overlapHours > MAX_OVERLAP_HOURS)
      throw new Invalid('OVERLAP_INVALID', `overlapHours is between 0 and ${MAX_OVERLAP_HOURS}`, {
        max: MAX_OVERLAP_HOURS,
      });
    const expiresAt = this.#expiryOf(input.expiresAt);
    return this.#db.transaction(async (tx) => {
      const old = await this.#lockLive(tx, input.apiKeyId);
      if (old.replacedById) throw new Conflict('API_KEY_ROTATED', 'Another key has taken its place already');
      const oldEnds = after(this.#clock.now(), overlapHours * HOUR);
      if (!old.expiresAt || old.expiresAt > oldEnds) old.expiresAt = oldEnds;
      await this.#partners.lock(old.partnerId);
      const id = newId();
      old.replacedById = id;
      const { partnerId, name, scopes } = old;
      return this.#make(tx, { id, partnerId, name, scopes, expiresAt, replaces: old, userId });
    });
  }

  /** Ends a key and tells it; a second time changes nothing. Refuses `ROLE_REQUIRED`, `API_KEY_NOT_FOUND`. */
  async revoke(viewer: Viewer, apiKeyId: string): Promise<ApiKeyView> {
    const { userId } = requireAdmin(viewer);
    return this.#db.transaction(async (tx) => {
      const key = await this.#lock(tx, apiKeyId);
      if (!key.revokedAt) {
        key.revokedAt = this.#clock.now();
        const facts = { partnerId: key.partnerId, keyId: key.id };
        tx.tell(ApiKeyRevoked, { ...facts, byUserId: userId, at: key.revokedAt });
      }
      return this.#view(key);
    });
  }

  /** Replaces a key's scopes and tells it. Refuses `ROLE_REQUIRED`, `API_KEY_NOT_FOUND`, `API_KEY_ENDED`, `SCOPES_INVALID`. */
  async updateScopes(
    viewer: Viewer,
    input: { apiKeyId: string; scopes: readonly ApiKeyScope[] },
  ): Promise<ApiKeyView> {
    const { userId } = requireAdmin(viewer);
    const scopes = scopesOf(input.scopes);
    return this.#db.transaction(async (tx) => {
      const key = await this.#lockLive(tx, input.apiKeyId);
      key.scopes = scopes;
      const facts = { partnerId: key.partnerId, keyId: key.id, scopes };
      tx.tell(ApiKeyScopesChanged, { ...facts, byUserId: userId, at: this.#clock.now() });
      return this.#view(key);
    });
  }

  /** Keys of partners that work or ended lately, newest first; shown where the partner was shown. */
  readonly loadByPartner: Batch<string, ApiKeyView[]> = async (_viewer, partnerIds) => {
    const since = new Date(this.#clock.now().getTime() - SHOWN_AFTER_END);
    const keys = await this.#db.read((em) =>
      em.find(
        ApiKey,
        {
          partnerId: { $in: [...partnerIds] },
          $and: [
            { $or: [{ revokedAt: null }, { revokedAt: { $gt: since } }] },
            { $or: [{ expiresAt: null }, { expiresAt: { $gt: since } }] },
          ],
        },
        { orderBy: { id: 'desc' } },
      ),
    );
    return groupedBy(partnerIds, keys, ({ partnerId }) => partnerId).map((group) =>
      group.map((key) => this.#view(key)),
    );
  };

  /** Who shows this text; null for what is no key, or none that works. Notes its use once a minute at most. */
  async check(text: string): Promise<CheckedKey | null> {
    const keyId = keyIdOf(text);
    if (!keyId) return null;
    const key = await this.#db.read((em) => em.findOne(ApiKey, { id: keyId }));
    const isOwn = isHashOf(key?.secretHash ?? nobodysHash, text);
    if (!key || !isOwn || this.#stateOf(key) !== 'ACTIVE') return null;
    const partner = await this.#db.read((em) => em.findOneOrFail(Partner, { id: key.partnerId }));
    await this.#noteUse(key);
    const { id: partnerId, contract, costPerMinute, requestsPerMinute } = partner;
    return { keyId, partnerId, contract, scopes: key.scopes, costPerMinute, requestsPerMinute };
  }

  async #noteUse({ id, lastUsedAt }: ApiKey): Promise<void> {
    const now = this.#clock.now();
    const stale = after(now, -MINUTE);
    if (lastUsedAt && lastUsedAt > stale) return;
    // Of many gateways that see the same stale time one writes.
    await this.#db.transaction((tx) =>
      tx.sql(
        'update api_keys set last_used_at = ? where id = ? and (last_used_at is null or last_used_at <= ?)',
        [now, id, stale],
      ),
    );
  }

  /** Under the partner's lock, so that two at once do not pass the limit together. */
  async #make(
    tx: Transaction,
    wanted: Pick<ApiKey, 'id' | 'partnerId' | 'name' | 'scopes'> & {
      expiresAt: Date | null;
      replaces: ApiKey | null;
      userId: string;
    },
  ): Promise<NewApiKeyView> {
    const { id, partnerId, name, scopes, expiresAt, replaces, userId } = wanted;
    await tx.em.flush();
    const now = this.#clock.now();
    // Keys that others have followed end by themselves: they do not stand in the way of a rotation.
    const alive = await tx.em.count(ApiKey, {
      partnerId,
      revokedAt: null,
      replacedById: null,
      $or: [{ expiresAt: null }, { expiresAt: { $gt: now } }],
    });
    if (alive >= MAX_LIVE_KEYS)
      throw new Conflict('API_KEYS_FULL', `A partner has at most ${MAX_LIVE_KEYS} keys that work`, {
        max: MAX_LIVE_KEYS,
      });
    const text = newKeyText(id);
    const key = tx.em.create(ApiKey, {
      id,
      partnerId,
      name,
      secretHash: hashOf(text),
      scopes: [...scopes],
      createdAt: now,
      expiresAt,
    });
    await tx.em.flush();
    tx.tell(ApiKeyCreated, {
      partnerId,
      keyId: id,
      scopes,
      expiresAt,
      replaces: replaces && { keyId: replaces.id, endsAt: replaces.expiresAt! },
      byUserId: userId,
      at: now,
    });
    return { apiKey: this.#view(key), text };
  }

  async #lock({ em }: Transaction, apiKeyId: string): Promise<ApiKey> {
    const key = isId(apiKeyId)
      ? await em.findOne(ApiKey, { id: apiKeyId }, { lockMode: LockMode.PESSIMISTIC_WRITE })
      : null;
    if (!key) throw new NotFound('API_KEY_NOT_FOUND', 'There is no such key');
    return key;
  }

  async #lockLive(tx: Transaction, apiKeyId: string): Promise<ApiKey> {
    const key = await this.#lock(tx, apiKeyId);
    if (this.#stateOf(key) !== 'ACTIVE') throw new Conflict('API_KEY_ENDED', 'This key works no more');
    return key;
  }

  #expiryOf(expiresAt: Date | null | undefined): Date | null {
    if (expiresAt && expiresAt <= this.#clock.now())
      throw new Invalid('EXPIRY_INVALID', 'expiresAt lies in the future');
    return expiresAt ?? null;
  }

  #stateOf({ revokedAt, expiresAt }: ApiKey): ApiKeyView['state'] {
    if (revokedAt) return 'REVOKED';
    return expiresAt && expiresAt <= this.#clock.now() ? 'EXPIRED' : 'ACTIVE';
  }

  #view(key: ApiKey): ApiKeyView {
    return {
      id: key.id,
      name: key.name,
      scopes: key.scopes.map((scope) => scope.replace(':', '_').toUpperCase() as ApiKeyScope),
      state: this.#stateOf(key),
      createdAt: key.createdAt,
      lastUsedAt: key.lastUsedAt ?? null,
      expiresAt: key.expiresAt ?? null,
      revokedAt: key.revokedAt ?? null,
      replacedById: key.replacedById ?? null,
    };
  }
}

/** As they are stored and shown to subgraphs: `search:read`. Refuses `SCOPES_INVALID`. */
function scopesOf(scopes: readonly ApiKeyScope[]): string[] {
  if (scopes.length === 0) throw new Invalid('SCOPES_INVALID', 'A key needs at least one scope');
  return [...new Set(scopes)].sort().map((scope) => scope.toLowerCase().replace('_', ':'));
}
