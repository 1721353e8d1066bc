import { Migration } from '@mikro-orm/migrations';

/** The bytes of a stored file are evidence: its record cannot be turned to other bytes, nor taken away. */
export class Migration20261122222000_stored_files extends Migration {
  override name = 'Migration20261122222000_stored_files';

  override up(): void {
    this.addSql(`
      create function "identity".keep_stored_file() returns trigger language plpgsql as $$
      begin
        if tg_op = 'DELETE' or (old.owner_id, old.purpose, old.media_type, old.bytes, old.attempt, old.sha256, old.stored_at)
          is distinct from (new.owner_id, new.purpose, new.media_type, new.bytes, new.attempt, new.sha256, new.stored_at) then
          raise exception 'a stored file does not change' using errcode = 'restrict_violation';
        end if;
        return new;
      end $$;`);
    this.addSql(`
      create trigger files_keep_stored before update or delete on "identity"."files"
        for each row when (old.stored_at is not null) execute function "identity".keep_stored_file();`);
  }
}
