import { Migration } from '@mikro-orm/migrations';

/** The fee that applies from the beginning: 12 % on top of what carriers earn. Quotes are never changed. */
export class Migration20261122223500_fee_rule extends Migration {
  override name = 'Migration20261122223500_fee_rule';

  override up(): void {
    this.addSql(
      `insert into "bookings"."fees" ("id", "type", "parts_per_million", "effective_from") values ('019a0000-0000-7000-8000-000000000001', 'platform', 120000, '2026-01-01T00:00:00Z')`,
    );
    this.addSql(`create function "bookings"."refuse_change"() returns trigger language plpgsql as $$
      begin raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation'; end $$`);
    this.addSql(
      `create trigger price_quotes_append_only before update or delete or truncate on "bookings"."price_quotes" for each statement execute function "bookings"."refuse_change"()`,
    );
  }
}
