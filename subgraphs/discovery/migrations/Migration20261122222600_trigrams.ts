import { Migration } from '@mikro-orm/migrations';

/** Similar spellings are found by trigrams; the index of the next migration needs the extension. */
export class Migration20261122222600_trigrams extends Migration {
  override name = 'Migration20261122222600_trigrams';

  override up(): void {
    this.addSql('create extension if not exists pg_trgm with schema discovery');
  }
}
