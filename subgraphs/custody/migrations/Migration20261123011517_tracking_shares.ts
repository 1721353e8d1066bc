import { Migration } from '@mikro-orm/migrations';

export class Migration20261123011517_tracking_shares extends Migration {
  override name = 'Migration20261123011517_tracking_shares';

  override up(): void {
    this.addSql(
      `create table "custody"."tracking_shares" ("id" uuid not null, "shipment_id" uuid not null, "partner_id" uuid not null, "partner_name" text not null, "shared_at" timestamptz not null, "ended_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "tracking_shares_live" on "custody"."tracking_shares" ("shipment_id", "partner_id") where ended_at is null;`,
    );
  }
}
