import { Migration } from '@mikro-orm/migrations';

export class Migration20261123011515_partners extends Migration {
  override name = 'Migration20261123011515_partners';

  override up(): void {
    this.addSql(
      `create table "identity"."api_keys" ("id" uuid not null, "partner_id" uuid not null, "name" text not null, "secret_hash" text not null, "scopes" text[] not null, "created_at" timestamptz not null, "last_used_at" timestamptz null, "expires_at" timestamptz null, "revoked_at" timestamptz null, "replaced_by_id" uuid null, primary key ("id"));`,
    );
    this.addSql(`create index "api_keys_partner_id_index" on "identity"."api_keys" ("partner_id");`);

    this.addSql(
      `create table "identity"."partners" ("id" uuid not null, "name" text not null, "contact_email" text not null, "contract" text not null, "cost_per_minute" int not null, "requests_per_minute" int not null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create unique index "partners_name_once" on "identity"."partners" (lower("name"));`);

    this.addSql(
      `create table "identity"."session_ends" ("seq" bigserial primary key, "session_id" uuid not null, "ended_at" timestamptz not null);`,
    );
    this.addSql(`create index "session_ends_ended_at_index" on "identity"."session_ends" ("ended_at");`);

    this.addSql(
      `alter table "identity"."api_keys" add constraint "api_keys_secret_hash" check (secret_hash ~ '^[0-9a-f]{64}$');`,
    );
    this.addSql(
      `alter table "identity"."api_keys" add constraint "api_keys_scopes" check (cardinality(scopes) > 0);`,
    );

    this.addSql(
      `alter table "identity"."partners" add constraint "partners_budgets" check (cost_per_minute > 0 and requests_per_minute > 0);`,
    );
    this.addSql(
      `alter table "identity"."partners" add constraint "partners_contract" check (contract ~ '^[a-z][a-z0-9-]*$');`,
    );
  }
}
