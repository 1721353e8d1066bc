import { Migration } from '@mikro-orm/migrations';

export class Migration20261122221701_trips extends Migration {
  override name = 'Migration20261122221701_trips';

  override up(): void | Promise<void> {
    this.addSql(`create schema if not exists "trips";`);
    this.addSql(
      `create table "trips"."carried_legs" ("booking_id" uuid not null, "leg_id" uuid not null, "trip_id" uuid not null, "state" text not null, primary key ("booking_id"));`,
    );
    this.addSql(`create index "carried_legs_leg_id_index" on "trips"."carried_legs" ("leg_id");`);
    this.addSql(`create index "carried_legs_trip_id_index" on "trips"."carried_legs" ("trip_id");`);

    this.addSql(
      `create table "trips"."trips" ("id" uuid not null, "traveller_id" uuid not null, "state" text not null, "states_version" int not null, "version" int not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "transport_mode" text not null, "earliest_departure" timestamptz not null, "latest_arrival" timestamptz not null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "trips_traveller_id_id_index" on "trips"."trips" ("traveller_id", "id");`);

    this.addSql(
      `create table "trips"."trip_constraints" ("trip_id" uuid not null, "max_package_grams" int not null, "allowed_categories" text[] not null, "max_declared_value_minor" bigint null, "max_declared_value_currency" text null, "notes" text null, primary key ("trip_id"));`,
    );

    this.addSql(
      `create table "trips"."trip_documents" ("id" uuid not null, "trip_id" uuid not null, "kind" text not null, "file_id" uuid not null, "sha256" text not null, "added_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "trip_documents_trip_id_index" on "trips"."trip_documents" ("trip_id");`);
    this.addSql(
      `alter table "trips"."trip_documents" add constraint "trip_documents_trip_id_file_id_unique" unique ("trip_id", "file_id");`,
    );

    this.addSql(
      `create table "trips"."trip_legs" ("id" uuid not null, "trip_id" uuid not null, "sequence" int not null, "mode" text not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "departs_at" timestamptz not null, "arrives_at" timestamptz not null, "carrier_reference" text null, "currency" text not null, "base_minor" bigint not null, "per_kilogram_minor" bigint not null, "capacity_grams" int not null, "capacity_version" int not null default 0, primary key ("id"));`,
    );
    this.addSql(`create index "trip_legs_trip_id_index" on "trips"."trip_legs" ("trip_id");`);
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "trip_legs_trip_id_sequence_unique" unique ("trip_id", "sequence");`,
    );

    this.addSql(
      `alter table "trips"."trip_legs" add constraint "leg_takes_time" check (arrives_at > departs_at);`,
    );
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "leg_offers_something" check (capacity_grams > 0);`,
    );
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "prices_not_negative" check (base_minor >= 0 and per_kilogram_minor >= 0);`,
    );
  }
}
