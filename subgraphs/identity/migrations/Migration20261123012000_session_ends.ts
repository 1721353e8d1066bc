import { Migration } from '@mikro-orm/migrations';

/**
 * Whoever ends a session, the end is logged, and the numbers of the log become visible in their order: the lock
 * is held until the commit is visible. It is taken once per statement, when all its sessions are locked already,
 * so that nobody waits for a session while holding it. A refresh ends nothing and takes no lock.
 */
export class Migration20261123012000_session_ends extends Migration {
  override name = 'Migration20261123012000_session_ends';

  override up(): void {
    this.addSql(`
      create function "identity".log_session_ends() returns trigger language plpgsql as $$
      begin
        if exists (select from now_ended n join was w using (id) where w.ended_at is null and n.ended_at is not null) then
          perform pg_advisory_xact_lock(hashtextextended('identity.session_ends', 0));
          insert into "identity".session_ends (session_id, ended_at)
            select n.id, n.ended_at from now_ended n join was w using (id)
             where w.ended_at is null and n.ended_at is not null order by n.id;
        end if;
        return null;
      end $$;`);
    this.addSql(`
      create trigger sessions_log_ends after update on "identity"."sessions"
        referencing old table as was new table as now_ended
        for each statement execute function "identity".log_session_ends();`);
  }
}
