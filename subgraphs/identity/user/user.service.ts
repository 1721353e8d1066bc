/**
 * Owns accounts: who somebody is (users), how they appear (user_profiles), how they want to be spoken to
 * (user_settings) and what they have done (user_stats, a projection of others' facts). Promises one account per
 * proven address, and an address that nobody but its owner ever reads. Called by the resolvers, by
 * authentication when an address was proven, and by the contract.
 */
import { LockMode } from '@mikro-orm/core';
import { ProfileChanged, UserRegistered } from '#shared/events/identity.ts';
import { canonicalEmail } from '#shared/kernel/email-address.ts';
import { Forbidden, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import type { FileService } from '../file/file.service.ts';
import { currencyOf, displayNameOf, localeOf, timeZoneOf } from './preferences.ts';
import { User, UserProfile, UserSettings, UserStats } from './user.entities.ts';

export interface UserView {
  readonly id: string;
  readonly displayName: string;
  readonly avatarFileId: string | null;
  readonly memberSince: Date;
  /** The rest is null unless the viewer looks at themselves. */
  readonly email: string | null;
  readonly settings: UserSettingsView | null;
  readonly profileCompletedAt: Date | null;
}

export interface UserSettingsView {
  readonly locale: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly measurement: 'METRIC' | 'IMPERIAL';
}

export interface UserStatsView {
  readonly carriedLegs: number;
  readonly carriedPackages: number;
  readonly releasedLegs: number;
  readonly deliveredShipments: number;
  readonly lastCarriedAt: Date | null;
}

/** How a user is written to. */
export interface Correspondent {
  readonly userId: string;
  readonly email: string;
  readonly displayName: string;
  readonly locale: string;
  readonly timeZone: string;
}

export interface Preferences {
  readonly locale?: string | null;
  readonly timeZone?: string | null;
}

type Given<Value> = Value | null | undefined;

const locked = { lockMode: LockMode.PESSIMISTIC_WRITE } as const;

export class UserService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #files: FileService;

  constructor({ db, clock, files }: { db: Database; clock: Clock; files: FileService }) {
    this.#db = db;
    this.#clock = clock;
    this.#files = files;
  }

  /**
   * The canonical spelling of an address. No account is looked up, so that the answer cannot tell of any.
   * Refuses `EMAIL_INVALID`.
   */
  checkEmail(email: string): string {
    return canonicalEmail(email);
  }

  async me(viewer: Viewer): Promise<UserView | null> {
    return viewer.kind === 'user' ? this.#view(viewer.userId, viewer.userId) : null;
  }

  /** Public profiles, and the own one whole. Refuses `SIGN_IN_REQUIRED` to whoever holds no token of a person's. */
  readonly loadUser: Batch<string, UserView> = async (viewer, ids) => {
    if (viewer.kind === 'anonymous' || viewer.kind === 'partner')
      throw new Forbidden('SIGN_IN_REQUIRED', 'Sign in first');
    return this.#views(viewer.kind === 'user' ? viewer.userId : null, ids);
  };

  /** Part of a profile that its reader has already been shown. */
  readonly loadStats: Batch<string, UserStatsView> = async (_viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(UserStats, { userId: { $in: [...ids] } }));
    const stats = rows.map((row) => ({ ...row, lastCarriedAt: row.lastCarriedAt ?? null }));
    return inOrder(ids, stats, (row) => row.userId);
  };

  /** What the owner of an account sees of it. */
  async ownView(userId: string): Promise<UserView> {
    const view = await this.#view(userId, userId);
    if (!view) throw new NotFound('USER_NOT_FOUND', 'No such account');
    return view;
  }

  /**
   * Changes name and picture of the viewer and tells it. Refuses `SIGN_IN_REQUIRED`, `DISPLAY_NAME_INVALID`,
   * `FILE_NOT_FOUND`, `FILE_NOT_STORED`, `FILE_PURPOSE_WRONG`.
   */
  async updateProfile(
    viewer: Viewer,
    input: { displayName?: Given<string>; avatarFileId?: Given<string> },
  ): Promise<UserView> {
    const { userId } = requireUser(viewer);
    const displayName = input.displayName == null ? undefined : displayNameOf(input.displayName);
    if (input.avatarFileId) await this.#files.requireStored(viewer, input.avatarFileId, 'AVATAR');
    await this.#db.transaction(async (tx) => {
      const profile = await tx.em.findOneOrFail(UserProfile, { userId }, locked);
      if (displayName !== undefined) profile.displayName = displayName;
      if (input.avatarFileId !== undefined) profile.avatarFileId = input.avatarFileId;
      profile.completedAt ??= this.#clock.now();
      const settings = await tx.em.findOneOrFail(UserSettings, { userId });
      tx.tell(ProfileChanged, addressedAs(profile, settings));
    });
    return this.ownView(userId);
  }

  /**
   * Changes settings of the viewer and tells it. Refuses `SIGN_IN_REQUIRED`, `LOCALE_INVALID`,
   * `TIME_ZONE_UNKNOWN`, `CURRENCY_UNKNOWN`.
   */
  async updateSettings(
    viewer: Viewer,
    input: Preferences & { currency?: Given<string>; measurement?: Given<'METRIC' | 'IMPERIAL'> },
  ): Promise<UserView> {
    const { userId } = requireUser(viewer);
    const change = {
      ...(input.locale == null ? {} : { locale: localeOf(input.locale) }),
      ...(input.timeZone == null ? {} : { timeZone: timeZoneOf(input.timeZone) }),
      ...(input.currency == null ? {} : { currency: currencyOf(input.currency) }),
      ...(input.measurement == null ? {} : { measurement: input.measurement.toLowerCase() }),
    };
    await this.#db.transaction(async (tx) => {
      const settings = await tx.em.findOneOrFail(UserSettings, { userId }, locked);
      Object.assign(settings, change);
      const profile = await tx.em.findOneOrFail(UserProfile, { userId });
      tx.tell(ProfileChanged, addressedAs(profile, settings));
    });
    return this.ownView(userId);
  }

  /**
   * The account of an address that was just proven, made where there is none; part of the caller's transaction.
   * The first name shows nothing of the address. Refuses `LOCALE_INVALID`, `TIME_ZONE_UNKNOWN`.
   */
  async register(email: string, preferences: Preferences): Promise<string> {
    const locale = localeOf(preferences.locale ?? 'en');
    const timeZone = timeZoneOf(preferences.timeZone ?? 'UTC');
    return this.#db.transaction(async (tx) => {
      const [made] = await tx.sql<{ id: string }>(
        'insert into users (id, email, registered_at) values (?, ?, ?) on conflict (email) do nothing returning id',
        [newId(), email, this.#clock.now()],
      );
      if (!made) return (await tx.em.findOneOrFail(User, { email })).id;
      const userId = made.id;
      const displayName = `Member ${userId.slice(-6).toUpperCase()}`;
      tx.em.create(UserProfile, { userId, displayName });
      tx.em.create(UserSettings, { userId, locale, timeZone, currency: 'EUR', measurement: 'metric' });
      tx.em.create(UserStats, { userId });
      tx.tell(UserRegistered, { userId, email, displayName, locale, timeZone });
      return userId;
    });
  }

  /** How the known ones among these users are written to. For other subgraphs. */
  async correspondents(userIds: readonly string[]): Promise<Correspondent[]> {
    return this.#db.read((em) =>
      em.execute<Correspondent[]>(
        `select u.id as "userId", u.email, p.display_name as "displayName", s.locale, s.time_zone as "timeZone"
           from users u join user_profiles p on p.user_id = u.id join user_settings s on s.user_id = u.id
          where u.id = any(?::uuid[])`,
        [`{${userIds.join(',')}}`],
      ),
    );
  }

  /** The account of an address, if any. For other subgraphs; an address that cannot be has none. */
  async idByEmail(email: string): Promise<string | null> {
    let canonical: string;
    try {
      canonical = canonicalEmail(email);
    } catch {
      return null;
    }
    return (await this.#db.read((em) => em.findOne(User, { email: canonical })))?.id ?? null;
  }

  /** Counts a leg that its carrier brought to the next hand-over. */
  async countCarried(userId: string, packages: number, at: Date): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql(
        `update user_stats set carried_legs = carried_legs + 1, carried_packages = carried_packages + ?,
           last_carried_at = greatest(last_carried_at, ?) where user_id = ?`,
        [packages, at, userId],
      ),
    );
  }

  /** Counts a leg whose money went to its carrier. */
  async countReleased(userId: string): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql('update user_stats set released_legs = released_legs + 1 where user_id = ?', [userId]),
    );
  }

  /** Counts a shipment of this sender that was delivered. */
  async countDelivered(userId: string): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql('update user_stats set delivered_shipments = delivered_shipments + 1 where user_id = ?', [
        userId,
      ]),
    );
  }

  async #view(self: string, id: string): Promise<UserView | null> {
    return (await this.#views(self, [id]))[0] ?? null;
  }

  async #views(self: string | null, ids: readonly string[]): Promise<(UserView | null)[]> {
    const known = { $in: ids.filter(isId) };
    return this.#db.read(async (em) => {
      const users = await em.find(User, { id: known });
      const profiles = await em.find(UserProfile, { userId: known });
      const settings = self && ids.includes(self) ? await em.findOne(UserSettings, { userId: self }) : null;
      const profileOf = new Map(profiles.map((profile) => [profile.userId, profile]));
      const views = users.map((user) =>
        viewOf(user, profileOf.get(user.id)!, user.id === self ? settings : null),
      );
      return inOrder(ids, views, (view) => view.id);
    });
  }
}

function viewOf(user: User, profile: UserProfile, own: UserSettings | null): UserView {
  return {
    id: user.id,
    displayName: profile.displayName,
    avatarFileId: profile.avatarFileId ?? null,
    memberSince: user.registeredAt,
    email: own ? user.email : null,
    profileCompletedAt: own ? (profile.completedAt ?? null) : null,
    settings: own && {
      locale: own.locale,
      timeZone: own.timeZone,
      currency: own.currency,
      measurement: own.measurement === 'imperial' ? 'IMPERIAL' : 'METRIC',
    },
  };
}

const addressedAs = ({ userId, displayName }: UserProfile, { locale, timeZone }: UserSettings) => ({
  userId,
  displayName,
  locale,
  timeZone,
});
