import { Migration } from '@mikro-orm/migrations';

export class Migration20261122223439_bookings extends Migration {
  override name = 'Migration20261122223439_bookings';

  override up(): void | Promise<void> {
    this.addSql(`create schema if not exists "bookings";`);
    this.addSql(
      `create table "bookings"."fees" ("id" uuid not null, "type" text not null, "parts_per_million" int not null, "effective_from" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "bookings"."fees" add constraint "fees_type_effective_from_unique" unique ("type", "effective_from");`,
    );

    this.addSql(
      `create table "bookings"."itineraries" ("id" uuid not null, "shipment_id" uuid not null, "sender_id" uuid not null, "recipient_id" uuid not null, "recipient_user_id" uuid null, "state" text not null, "states_version" int not null, "version" int not null, "grams" int not null, "categories" jsonb not null, "currency" text not null, "carriers_minor" bigint not null, "suggestion_token" text not null, "quote_id" uuid null, "hold_id" uuid null, "hold_until" timestamptz null, "answer_by" timestamptz null, "cancel_asked_at" timestamptz null, "cancel_reason" text null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "itineraries_sender_id_index" on "bookings"."itineraries" ("sender_id");`);
    this.addSql(
      `create index "itineraries_recipient_id_index" on "bookings"."itineraries" ("recipient_id");`,
    );
    this.addSql(
      `create index "itineraries_shipment_id_id_index" on "bookings"."itineraries" ("shipment_id", "id");`,
    );
    this.addSql(
      `create unique index "one_live_itinerary_per_shipment" on "bookings"."itineraries" ("shipment_id") where state in ('requested', 'partially_accepted', 'accepted', 'confirmed', 'in_progress');`,
    );

    this.addSql(
      `create table "bookings"."itinerary_legs" ("id" uuid not null, "itinerary_id" uuid not null, "itinerary_version" int not null, "sequence" int not null, "leg_kind" text not null, "leg_id" uuid not null, "trip_id" uuid null, "carrier_type" text not null, "carrier_id" uuid not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "departs_at" timestamptz not null, "arrives_at" timestamptz not null, "currency" text not null, "price_minor" bigint not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "itinerary_legs_itinerary_id_index" on "bookings"."itinerary_legs" ("itinerary_id");`,
    );
    this.addSql(`create index "itinerary_legs_leg_id_index" on "bookings"."itinerary_legs" ("leg_id");`);
    this.addSql(`create index "itinerary_legs_trip_id_index" on "bookings"."itinerary_legs" ("trip_id");`);
    this.addSql(
      `create index "itinerary_legs_carrier_id_index" on "bookings"."itinerary_legs" ("carrier_id");`,
    );
    this.addSql(
      `alter table "bookings"."itinerary_legs" add constraint "itinerary_legs_itinerary_id_itinerary_version_sequence_unique" unique ("itinerary_id", "itinerary_version", "sequence");`,
    );

    this.addSql(
      `create table "bookings"."leg_assignments" ("id" uuid not null, "booking_id" uuid not null, "carrier_id" uuid not null, "assigned_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "bookings"."leg_assignments" add constraint "leg_assignments_booking_id_unique" unique ("booking_id");`,
    );
    this.addSql(
      `create index "leg_assignments_carrier_id_index" on "bookings"."leg_assignments" ("carrier_id");`,
    );

    this.addSql(
      `create table "bookings"."leg_bookings" ("id" uuid not null, "itinerary_id" uuid not null, "itinerary_leg_id" uuid not null, "leg_id" uuid not null, "shipment_id" uuid not null, "sender_id" uuid not null, "carrier_id" uuid not null, "state" text not null, "states_version" int not null, "grams" int not null, "currency" text not null, "price_minor" bigint not null, "fee_share_minor" bigint not null, "answer_by" timestamptz not null, "reason" text null, "requested_at" timestamptz not null, "answered_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create index "leg_bookings_itinerary_id_index" on "bookings"."leg_bookings" ("itinerary_id");`,
    );
    this.addSql(
      `alter table "bookings"."leg_bookings" add constraint "leg_bookings_itinerary_leg_id_unique" unique ("itinerary_leg_id");`,
    );
    this.addSql(`create index "leg_bookings_leg_id_index" on "bookings"."leg_bookings" ("leg_id");`);
    this.addSql(
      `create index "leg_bookings_carrier_id_state_id_index" on "bookings"."leg_bookings" ("carrier_id", "state", "id");`,
    );

    this.addSql(
      `create table "bookings"."price_quotes" ("id" uuid not null, "itinerary_id" uuid not null, "itinerary_version" int not null, "sender_id" uuid not null, "currency" text not null, "carriers_minor" bigint not null, "fee_minor" bigint not null, "total_minor" bigint not null, "lines" jsonb not null, "fee_id" uuid not null, "signature" text not null, "expires_at" timestamptz not null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "price_quotes_itinerary_id_index" on "bookings"."price_quotes" ("itinerary_id");`,
    );

    this.addSql(
      `alter table "bookings"."fees" add constraint "share_of_the_whole" check (parts_per_million >= 0 and parts_per_million <= 1000000);`,
    );

    this.addSql(
      `alter table "bookings"."itineraries" add constraint "something_to_carry" check (grams > 0);`,
    );
    this.addSql(
      `alter table "bookings"."itineraries" add constraint "asked_under_terms" check (state in ('planned', 'cancelled') or (quote_id is not null and hold_id is not null and answer_by is not null));`,
    );

    this.addSql(
      `alter table "bookings"."itinerary_legs" add constraint "price_not_negative" check (price_minor >= 0);`,
    );

    this.addSql(
      `alter table "bookings"."leg_bookings" add constraint "something_to_carry" check (grams > 0);`,
    );

    this.addSql(
      `alter table "bookings"."price_quotes" add constraint "total_is_sum" check (total_minor = carriers_minor + fee_minor);`,
    );
  }
}
