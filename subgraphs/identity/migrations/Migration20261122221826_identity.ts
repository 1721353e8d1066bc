import { Migration } from '@mikro-orm/migrations';

export class Migration20261122221826_identity extends Migration {
  override name = 'Migration20261122221826_identity';

  override up(): void {
    this.addSql(
      `create table "identity"."auth_identities" ("id" uuid not null, "user_id" uuid not null, "provider" text not null, "subject" text not null, "proven_at" timestamptz not null, "last_used_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "auth_identities_user_id_index" on "identity"."auth_identities" ("user_id");`);
    this.addSql(
      `alter table "identity"."auth_identities" add constraint "auth_identities_provider_subject_unique" unique ("provider", "subject");`,
    );

    this.addSql(
      `create table "identity"."auth_quotas" ("id" text not null, "used" int not null, "ends_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "auth_quotas_ends_at_index" on "identity"."auth_quotas" ("ends_at");`);

    this.addSql(
      `create table "identity"."devices" ("id" uuid not null, "user_id" uuid not null, "fingerprint" text not null, "public_key" text null, "first_seen_at" timestamptz not null, "last_seen_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "identity"."devices" add constraint "devices_user_id_fingerprint_unique" unique ("user_id", "fingerprint");`,
    );

    this.addSql(
      `create table "identity"."otp_challenges" ("id" uuid not null, "email" text not null, "device_fingerprint" text not null, "code_hash" text not null, "tries" int not null default 0, "expires_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "identity"."otp_challenges" add constraint "otp_challenges_email_unique" unique ("email");`,
    );
    this.addSql(
      `create index "otp_challenges_expires_at_index" on "identity"."otp_challenges" ("expires_at");`,
    );

    this.addSql(
      `create table "identity"."sessions" ("id" uuid not null, "user_id" uuid not null, "device_id" uuid not null, "device_fingerprint" text not null, "user_agent" text not null, "refresh_hash" text not null, "previous_refresh_hash" text null, "rotated_at" timestamptz null, "opened_at" timestamptz not null, "last_used_at" timestamptz not null, "expires_at" timestamptz not null, "absolute_expires_at" timestamptz not null, "ended_at" timestamptz null, "end_reason" text null, primary key ("id"));`,
    );
    this.addSql(`create index "sessions_user_id_index" on "identity"."sessions" ("user_id");`);

    this.addSql(
      `create table "identity"."files" ("id" uuid not null, "owner_id" uuid not null, "purpose" text not null, "media_type" text not null, "bytes" int not null, "filename" text null, "created_at" timestamptz not null, "upload_until" timestamptz not null, "attempt" uuid null, "sha256" text null, "stored_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(`create index "files_owner_id_index" on "identity"."files" ("owner_id");`);

    this.addSql(
      `create table "identity"."users" ("id" uuid not null, "email" text not null, "registered_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`alter table "identity"."users" add constraint "users_email_unique" unique ("email");`);

    this.addSql(
      `create table "identity"."user_profiles" ("user_id" uuid not null, "display_name" text not null, "avatar_file_id" uuid null, "completed_at" timestamptz null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."user_settings" ("user_id" uuid not null, "locale" text not null, "time_zone" text not null, "currency" text not null, "measurement" text not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."user_stats" ("user_id" uuid not null, "carried_legs" int not null default 0, "carried_packages" int not null default 0, "released_legs" int not null default 0, "delivered_shipments" int not null default 0, "last_carried_at" timestamptz null, primary key ("user_id"));`,
    );

    this.addSql(
      `alter table "identity"."auth_identities" add constraint "auth_identities_provider" check (provider in ('email', 'google', 'apple'));`,
    );

    this.addSql(
      `alter table "identity"."otp_challenges" add constraint "otp_challenges_tries" check (tries >= 0 and tries <= 5);`,
    );

    this.addSql(
      `alter table "identity"."sessions" add constraint "sessions_expiry" check (expires_at <= absolute_expires_at);`,
    );
    this.addSql(
      `alter table "identity"."sessions" add constraint "sessions_end" check ((ended_at is null) = (end_reason is null));`,
    );

    this.addSql(`alter table "identity"."files" add constraint "files_bytes" check (bytes > 0);`);
    this.addSql(
      `alter table "identity"."files" add constraint "files_stored_whole" check ((attempt is null) = (sha256 is null) and (attempt is null) = (stored_at is null));`,
    );
    this.addSql(
      `alter table "identity"."files" add constraint "files_sha256" check (sha256 ~ '^[0-9a-f]{64}$');`,
    );

    this.addSql(
      `alter table "identity"."users" add constraint "users_email_canonical" check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$');`,
    );

    this.addSql(
      `alter table "identity"."user_profiles" add constraint "user_profiles_display_name_length" check (char_length(display_name) >= 1 and char_length(display_name) <= 60);`,
    );

    this.addSql(
      `alter table "identity"."user_settings" add constraint "user_settings_measurement" check (measurement in ('metric', 'imperial'));`,
    );
    this.addSql(
      `alter table "identity"."user_settings" add constraint "user_settings_currency" check (currency ~ '^[A-Z]{3}$');`,
    );

    this.addSql(
      `alter table "identity"."user_stats" add constraint "user_stats_counts" check (carried_legs >= 0 and carried_packages >= 0 and released_legs >= 0 and delivered_shipments >= 0);`,
    );
  }
}
