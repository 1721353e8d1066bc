import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const User = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    /** Canonical and proven. */
    email: p.text().unique(),
    registeredAt: p.datetime(),
  },
  checks: [
    {
      name: 'users_email_canonical',
      expression: "email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'",
    },
  ],
});
export type User = InferEntity<typeof User>;

export const UserProfile = defineEntity({
  name: 'UserProfile',
  tableName: 'user_profiles',
  properties: {
    userId: p.uuid().primary(),
    displayName: p.text(),
    avatarFileId: p.uuid().nullable(),
    /** Null until the user has named themselves. */
    completedAt: p.datetime().nullable(),
  },
  checks: [
    {
      name: 'user_profiles_display_name_length',
      expression: 'char_length(display_name) >= 1 and char_length(display_name) <= 60',
    },
  ],
});
export type UserProfile = InferEntity<typeof UserProfile>;

export const UserSettings = defineEntity({
  name: 'UserSettings',
  tableName: 'user_settings',
  properties: {
    userId: p.uuid().primary(),
    locale: p.text(),
    timeZone: p.text(),
    currency: p.text(),
    measurement: p.text(),
  },
  checks: [
    { name: 'user_settings_measurement', expression: "measurement in ('metric', 'imperial')" },
    { name: 'user_settings_currency', expression: "currency ~ '^[A-Z]{3}$'" },
  ],
});
export type UserSettings = InferEntity<typeof UserSettings>;

/** A projection of facts told by custody, payments and shipments; written by handlers alone. */
export const UserStats = defineEntity({
  name: 'UserStats',
  tableName: 'user_stats',
  properties: {
    userId: p.uuid().primary(),
    carriedLegs: p.integer().default(0),
    carriedPackages: p.integer().default(0),
    releasedLegs: p.integer().default(0),
    deliveredShipments: p.integer().default(0),
    lastCarriedAt: p.datetime().nullable(),
  },
  checks: [
    {
      name: 'user_stats_counts',
      expression:
        'carried_legs >= 0 and carried_packages >= 0 and released_legs >= 0 and delivered_shipments >= 0',
    },
  ],
});
export type UserStats = InferEntity<typeof UserStats>;

export const userEntities = [User, UserProfile, UserSettings, UserStats];
