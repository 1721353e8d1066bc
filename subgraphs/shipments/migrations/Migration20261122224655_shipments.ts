import { Migration } from '@mikro-orm/migrations';

export class Migration20261122224655_shipments extends Migration {
  override name = 'Migration20261122224655_shipments';

  override up(): void | Promise<void> {
    this.addSql(`create schema if not exists "shipments";`);
    this.addSql(
      `create table "shipments"."customs_declarations" ("id" uuid not null, "shipment_id" uuid not null, "content_type" text not null, "incoterm" text null, "lines" jsonb null, "signer_name" text not null, "declared_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "customs_declarations_shipment_id_unique" unique ("shipment_id");`,
    );

    this.addSql(
      `create table "shipments"."packages" ("id" uuid not null, "shipment_id" uuid not null, "sequence" int not null, "category" text not null, "weight_grams" int not null, "length_mm" int not null, "width_mm" int not null, "height_mm" int not null, "declared_minor" bigint not null, "currency" text not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "packages_shipment_id_sequence_unique" unique ("shipment_id", "sequence");`,
    );

    this.addSql(
      `create table "shipments"."package_items" ("id" uuid not null, "package_id" uuid not null, "sequence" int not null, "description" text not null, "quantity" int not null, "unit_minor" bigint not null, "currency" text not null, "weight_grams" int not null, "hs_code" text null, "origin_country" text null, "lithium_watt_hours" double precision null, "airline_approval" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "package_items_package_id_sequence_unique" unique ("package_id", "sequence");`,
    );

    this.addSql(
      `create table "shipments"."package_photos" ("id" uuid not null, "package_id" uuid not null, "file_id" uuid not null, "sha256" text not null, "media_type" text not null, "added_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."package_photos" add constraint "package_photos_package_id_file_id_unique" unique ("package_id", "file_id");`,
    );

    this.addSql(
      `create table "shipments"."recipients" ("id" uuid not null, "shipment_id" uuid not null, "name" text not null, "email" text not null, "phone" text not null, "address" text not null, "user_id" uuid null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."recipients" add constraint "recipients_shipment_id_unique" unique ("shipment_id");`,
    );
    this.addSql(`create index "recipients_email_index" on "shipments"."recipients" ("email");`);
    this.addSql(`create index "recipients_user_id_index" on "shipments"."recipients" ("user_id");`);

    this.addSql(
      `create table "shipments"."shipments" ("id" uuid not null, "sender_id" uuid not null, "state" text not null, "states_version" int not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "origin_territory" text not null, "destination_territory" text not null, "destination_time_zone" text not null, "sender_name" text not null, "sender_email" text not null, "sender_phone" text not null, "sender_address" text not null, "special_handling" text null, "itinerary_id" uuid null, "escrow_closed_at" timestamptz null, "created_at" timestamptz not null, "submitted_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create index "shipments_sender_id_id_index" on "shipments"."shipments" ("sender_id", "id");`,
    );

    this.addSql(
      `create table "shipments"."shipment_parties" ("booking_id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "carrier_id" uuid not null, primary key ("booking_id"));`,
    );
    this.addSql(
      `create index "shipment_parties_itinerary_id_index" on "shipments"."shipment_parties" ("itinerary_id");`,
    );
    this.addSql(
      `create index "shipment_parties_shipment_id_carrier_id_index" on "shipments"."shipment_parties" ("shipment_id", "carrier_id");`,
    );

    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "content_type_known" check (content_type in ('documents', 'gift', 'sample', 'merchandise', 'return'));`,
    );
    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "incoterm_known" check (incoterm in ('dap', 'ddp'));`,
    );

    this.addSql(
      `alter table "shipments"."packages" add constraint "package_weighs_something" check (weight_grams > 0);`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "package_has_size" check (length_mm > 0 and width_mm > 0 and height_mm > 0);`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "declared_value_not_negative" check (declared_minor >= 0);`,
    );

    this.addSql(
      `alter table "shipments"."package_items" add constraint "item_is_there" check (quantity > 0 and weight_grams > 0);`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "unit_value_not_negative" check (unit_minor >= 0);`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "hs_code_has_six_digits" check (hs_code ~ '^[0-9]{6}$');`,
    );

    this.addSql(
      `alter table "shipments"."shipments" add constraint "shipment_state_known" check (state in ('draft', 'searching', 'awaiting_acceptance', 'booked', 'in_transit', 'awaiting_delivery', 'delivered', 'completed', 'cancelled'));`,
    );
  }
}
