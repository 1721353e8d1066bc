import { Migration } from '@mikro-orm/migrations';

export class Migration20261122222636_discovery extends Migration {
  override name = 'Migration20261122222636_discovery';

  override up(): void {
    this.addSql(`create schema if not exists "discovery";`);
    this.addSql(
      `create table "discovery"."couriers" ("id" uuid not null, "operator_id" uuid not null, "name" text not null, "registered_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "discovery"."couriers" add constraint "couriers_operator_id_unique" unique ("operator_id");`,
    );

    this.addSql(
      `create table "discovery"."courier_runs" ("segment_id" uuid not null, "day" varchar(10) not null, primary key ("segment_id", "day"));`,
    );

    this.addSql(
      `create table "discovery"."gazetteer_loads" ("version" int not null, "places" int not null, "loaded_at" timestamptz not null default now(), primary key ("version"));`,
    );

    this.addSql(
      `create table "discovery"."local_segments" ("id" uuid not null, "courier_id" uuid not null, "operator_id" uuid not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "currency" varchar(3) not null, "base_minor" bigint not null, "per_kilogram_minor" bigint not null, "time_zone" text not null, "days" jsonb not null, "opens_at" int not null, "closes_at" int not null, "duration_minutes" int not null, "max_grams_per_run" int not null, "allowed_categories" jsonb not null, "checks_pin" boolean not null, "scans_barcode" boolean not null, "takes_returns" boolean not null, "proof_retention_days" int not null, "state" text not null, "published_at" timestamptz not null, "withdrawn_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create index "local_segments_courier_id_index" on "discovery"."local_segments" ("courier_id");`,
    );
    this.addSql(
      `create index "local_segments_from_location_id_index" on "discovery"."local_segments" ("from_location_id");`,
    );

    this.addSql(
      `create table "discovery"."locations" ("id" uuid not null, "kind" text not null, "name" text not null, "ascii_name" text not null, "iata" varchar(3) null, "city_id" uuid null, "country_code" varchar(2) not null, "customs_territory" text not null, "time_zone" text not null, "latitude" double precision not null, "longitude" double precision not null, "population" int not null, "listed" boolean not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "discovery"."locations" add constraint "locations_iata_unique" unique ("iata");`,
    );
    this.addSql(`create index "locations_city_id_index" on "discovery"."locations" ("city_id");`);

    this.addSql(
      `create table "discovery"."location_names" ("name" text collate "C" not null, "location_id" uuid not null, "kind" text not null, "weight" int not null, primary key ("name", "location_id"));`,
    );
    this.addSql(
      `create index "location_names_trigrams" on "location_names" using gin ("name" gin_trgm_ops);`,
    );

    this.addSql(
      `create table "discovery"."route_graph_edges" ("from_location_id" uuid not null, "to_location_id" uuid not null, "mode" text not null, "currency" varchar(3) not null, "legs" int not null, "typical_minor" bigint not null, "typical_minutes" int not null, primary key ("from_location_id", "to_location_id", "mode", "currency"));`,
    );

    this.addSql(
      `create table "discovery"."route_graph_nodes" ("location_id" uuid not null, "town_id" uuid not null, primary key ("location_id"));`,
    );
    this.addSql(
      `create index "route_graph_nodes_town_id_index" on "discovery"."route_graph_nodes" ("town_id");`,
    );

    this.addSql(
      `create table "discovery"."route_search_queries" ("id" uuid not null, "searcher_id" uuid null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "earliest_departure" timestamptz not null, "latest_arrival" timestamptz not null, "categories" jsonb not null, "max_weight_grams" int not null, "currency" varchar(3) not null, "sort_by" text not null, "found" int not null, "searched_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "route_search_queries_searched_at_index" on "discovery"."route_search_queries" ("searched_at");`,
    );

    this.addSql(
      `create table "discovery"."route_suggestions" ("id" uuid not null, "query_id" uuid not null, "rank" int not null, "currency" varchar(3) not null, "price_minor" bigint not null, "departs_at" timestamptz not null, "arrives_at" timestamptz not null, "risk" int not null, "hand_overs" int not null, "leg_ids" jsonb not null, "reason" text not null, "expires_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "route_suggestions_query_id_index" on "discovery"."route_suggestions" ("query_id");`,
    );

    this.addSql(
      `create table "discovery"."saved_searches" ("id" uuid not null, "owner_id" uuid not null, "name" text not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "category" text not null, "grams" int not null, "saved_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "saved_searches_owner_id_index" on "discovery"."saved_searches" ("owner_id");`);

    this.addSql(
      `create table "discovery"."searchable_legs" ("leg_id" uuid not null, "trip_id" uuid not null, "trip_version" int not null, "sequence" int not null, "traveller_id" uuid not null, "mode" text not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "departs_at" timestamptz not null, "arrives_at" timestamptz not null, "currency" varchar(3) not null, "base_minor" bigint not null, "per_kilogram_minor" bigint not null, "capacity_grams" int not null, "free_grams" int not null, "capacity_version" int not null, "allowed_categories" jsonb not null, "max_package_grams" int not null, "max_declared_value_minor" bigint null, "max_declared_value_currency" varchar(3) null, "bookable" boolean not null, primary key ("leg_id"));`,
    );
    this.addSql(`create index "searchable_legs_trip_id_index" on "discovery"."searchable_legs" ("trip_id");`);
    this.addSql(
      `create index "searchable_legs_departures" on "searchable_legs" ("departs_at", "from_location_id") where bookable;`,
    );

    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_prices" check (base_minor >= 0 and per_kilogram_minor >= 0);`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_hours" check (opens_at >= 0 and opens_at <= 1439 and closes_at >= 1 and closes_at <= 1440);`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_load" check (max_grams_per_run > 0 and duration_minutes > 0);`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_ends" check (from_location_id <> to_location_id);`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_state_check" check ("state" in ('published', 'withdrawn'));`,
    );

    this.addSql(
      `alter table "discovery"."locations" add constraint "locations_kind_check" check ("kind" in ('CITY', 'AIRPORT'));`,
    );

    this.addSql(
      `alter table "discovery"."location_names" add constraint "location_names_kind_check" check ("kind" in ('CITY', 'AIRPORT'));`,
    );

    this.addSql(
      `alter table "discovery"."route_graph_edges" add constraint "route_graph_edges_mode_check" check ("mode" in ('flight', 'car'));`,
    );

    this.addSql(
      `alter table "discovery"."route_search_queries" add constraint "route_search_queries_sort_by_check" check ("sort_by" in ('cheapest', 'best', 'quickest'));`,
    );

    this.addSql(
      `alter table "discovery"."searchable_legs" add constraint "searchable_legs_mode_check" check ("mode" in ('flight', 'car'));`,
    );
  }
}
