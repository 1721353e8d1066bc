import { Migration } from '@mikro-orm/migrations';

/** What was submitted is carried as it was submitted: the database lets contents and papers change in drafts alone. */
export class Migration20261122225000_frozen_contents extends Migration {
  override name = 'Migration20261122225000_frozen_contents';

  override up(): void {
    this.addSql(`
      create function "shipments".require_draft(shipment uuid) returns void language plpgsql as $$
      begin
        if not exists (select 1 from "shipments"."shipments" where id = shipment and state = 'draft') then
          raise exception 'only a draft can be written' using errcode = 'restrict_violation';
        end if;
      end $$;`);
    this.addSql(`
      create function "shipments".keep_in_shipment() returns trigger language plpgsql as $$
      begin
        if tg_op <> 'INSERT' then perform "shipments".require_draft(old.shipment_id); end if;
        if tg_op <> 'DELETE' then perform "shipments".require_draft(new.shipment_id); end if;
        return coalesce(new, old);
      end $$;`);
    this.addSql(`
      create function "shipments".keep_in_package() returns trigger language plpgsql as $$
      begin
        if tg_op <> 'INSERT' then
          perform "shipments".require_draft((select shipment_id from "shipments"."packages" where id = old.package_id));
        end if;
        if tg_op <> 'DELETE' then
          perform "shipments".require_draft((select shipment_id from "shipments"."packages" where id = new.package_id));
        end if;
        return coalesce(new, old);
      end $$;`);
    const keepers = {
      packages: 'keep_in_shipment',
      customs_declarations: 'keep_in_shipment',
      package_items: 'keep_in_package',
      package_photos: 'keep_in_package',
    };
    for (const [table, keeper] of Object.entries(keepers)) {
      this.addSql(`
        create trigger ${table}_frozen before insert or update or delete on "shipments"."${table}"
          for each row execute function "shipments".${keeper}();`);
    }
  }
}
