import { Migration } from '@mikro-orm/migrations';

/** What custody promises is kept by the database: the chain grows only at its end, and logs never change. */
export class Migration20261122223000_custody_chain extends Migration {
  override name = 'Migration20261122223000_custody_chain';

  override up(): void {
    this.addSql(`
      create function "custody".continue_custody_chain() returns trigger language plpgsql as $$
      declare
        last "custody"."custody_events";
      begin
        select * into last from "custody"."custody_events"
          where package_id = new.package_id order by number desc limit 1;
        if last.id is null then
          if new.number <> 0 or new.from_id is not null or new.previous_hash <> repeat('0', 64) then
            raise exception 'a custody chain begins with its genesis' using errcode = 'integrity_constraint_violation';
          end if;
        elsif new.number <> last.number + 1 or new.previous_hash <> last.hash
          or (new.from_type, new.from_id) is distinct from (last.to_type, last.to_id) then
          raise exception 'a custody event goes on where the last one ended' using errcode = 'integrity_constraint_violation';
        end if;
        if new.hash <> encode(sha256('\\x01'::bytea || decode(new.previous_hash, 'hex') || convert_to(new.canonical, 'UTF8')), 'hex') then
          raise exception 'the hash of a custody event is wrong' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
      end $$;`);
    this.addSql(`
      create trigger custody_events_continue before insert on "custody"."custody_events"
        for each row execute function "custody".continue_custody_chain();`);
    this.addSql(`
      create function "custody".refuse_change() returns trigger language plpgsql as $$
      begin
        raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
      end $$;`);
    for (const table of ['custody_events', 'tracking_events', 'delivery_proofs', 'handoff_scans']) {
      this.addSql(`
        create trigger ${table}_append_only before update or delete or truncate on "custody"."${table}"
          for each statement execute function "custody".refuse_change();`);
    }
  }
}
