import { Migration } from '@mikro-orm/migrations';

/** A function, since the threshold of similarity belongs to one statement and not to a pooled session. */
export class Migration20261122222700_similar_names extends Migration {
  override name = 'Migration20261122222700_similar_names';

  override up(): void {
    this.addSql(`
      create function discovery.similar_location_names(wanted text, kinds text[], most int)
      returns table (location_id uuid, name text, weight int)
      language sql stable
      set search_path from current
      set pg_trgm.similarity_threshold = 0.25
      as $$
        select n.location_id, n.name, n.weight
          from location_names n
         where n.name % wanted and n.kind = any(kinds)
         order by similarity(n.name, wanted) + ln(n.weight + 1) / 60 desc, n.location_id
         limit most
      $$`);
  }
}
