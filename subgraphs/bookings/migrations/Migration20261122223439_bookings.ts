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

  override down(): void | Promise<void> {
    this.addSql(`create schema if not exists "communications";`);
    this.addSql(`create schema if not exists "identity";`);
    this.addSql(`create schema if not exists "trips";`);
    this.addSql(`create schema if not exists "payments";`);
    this.addSql(`create schema if not exists "discovery";`);
    this.addSql(`create schema if not exists "custody";`);
    this.addSql(`create schema if not exists "shipments";`);
    this.addSql(
      `create table "communications"."address_book" ("user_id" uuid not null, "email" text not null, "display_name" text not null, "locale" text not null, "time_zone" text not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."auth_identities" ("id" uuid not null, "user_id" uuid not null, "provider" text not null, "subject" text not null, "proven_at" timestamptz(6) not null, "last_used_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "identity"."auth_identities" add constraint "auth_identities_provider_subject_unique" unique ("provider", "subject");`,
    );
    this.addSql(`create index "auth_identities_user_id_index" on "identity"."auth_identities" ("user_id");`);

    this.addSql(
      `create table "identity"."auth_quotas" ("id" text not null, "used" int4 not null, "ends_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(`create index "auth_quotas_ends_at_index" on "identity"."auth_quotas" ("ends_at");`);

    this.addSql(
      `create table "trips"."carried_legs" ("booking_id" uuid not null, "leg_id" uuid not null, "trip_id" uuid not null, "state" text not null, primary key ("booking_id"));`,
    );
    this.addSql(`create index "carried_legs_leg_id_index" on "trips"."carried_legs" ("leg_id");`);
    this.addSql(`create index "carried_legs_trip_id_index" on "trips"."carried_legs" ("trip_id");`);

    this.addSql(
      `create table "payments"."charges" ("id" uuid not null, "payment_id" uuid not null, "processor_charge_id" text not null, "amount_minor" int8 not null, "currency" text not null, "fee_minor" int8 null, "fee_currency" text null, "captured_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."charges" add constraint "charges_payment_id_unique" unique ("payment_id");`,
    );
    this.addSql(
      `alter table "payments"."charges" add constraint "charges_processor_charge_id_unique" unique ("processor_charge_id");`,
    );

    this.addSql(
      `create table "discovery"."courier_runs" ("segment_id" uuid not null, "day" varchar(10) not null, primary key ("segment_id", "day"));`,
    );

    this.addSql(
      `create table "discovery"."couriers" ("id" uuid not null, "operator_id" uuid not null, "name" text not null, "registered_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "discovery"."couriers" add constraint "couriers_operator_id_unique" unique ("operator_id");`,
    );

    this.addSql(
      `create table "custody"."custody_events" ("id" uuid not null, "package_id" uuid not null, "shipment_id" uuid not null, "number" int4 not null, "from_type" text null, "from_id" uuid null, "to_type" text not null, "to_id" uuid not null, "handoff_step_id" uuid null, "at" timestamptz(6) not null, "canonical" text not null, "previous_hash" varchar(64) not null, "hash" varchar(64) not null, "signature" varchar(86) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_package_id_number_unique" unique ("package_id", "number");`,
    );

    this.addSql(
      `create table "custody"."custody_packages" ("package_id" uuid not null, "shipment_id" uuid not null, "declared_minor" int8 not null, "currency" varchar(3) not null, primary key ("package_id"));`,
    );
    this.addSql(
      `create index "custody_packages_shipment_id_index" on "custody"."custody_packages" ("shipment_id");`,
    );

    this.addSql(
      `create table "custody"."custody_parties" ("id" uuid not null, "shipment_id" uuid not null, "party_type" text not null, "party_id" uuid not null, "user_id" uuid null, "itinerary_id" uuid null, "booking_id" uuid null, "leg_id" uuid null, "leg_kind" text null, primary key ("id"));`,
    );
    this.addSql(
      `create index "custody_parties_itinerary_id_index" on "custody"."custody_parties" ("itinerary_id");`,
    );
    this.addSql(
      `create unique index "custody_parties_once" on "custody"."custody_parties" ("shipment_id", "party_type", "party_id", "booking_id");`,
    );

    this.addSql(
      `create table "custody"."custody_states" ("package_id" uuid not null, "shipment_id" uuid not null, "itinerary_id" uuid not null, "phase" text not null, "holder_type" text not null, "holder_id" uuid not null, "condition" text not null, "since" timestamptz(6) not null, "head_number" int4 not null, "head_hash" varchar(64) not null, primary key ("package_id"));`,
    );
    this.addSql(
      `create index "custody_states_shipment_id_index" on "custody"."custody_states" ("shipment_id");`,
    );

    this.addSql(
      `create table "shipments"."customs_declarations" ("id" uuid not null, "shipment_id" uuid not null, "content_type" text not null, "incoterm" text null, "lines" jsonb null, "signer_name" text not null, "declared_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "customs_declarations_shipment_id_unique" unique ("shipment_id");`,
    );

    this.addSql(
      `create table "custody"."delivery_proofs" ("id" uuid not null, "shipment_id" uuid not null, "itinerary_id" uuid not null, "handoff_step_id" uuid not null, "delivered_at" timestamptz(6) not null, "scan_ids" jsonb not null, "photos" jsonb not null, "custody" jsonb not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."delivery_proofs" add constraint "delivery_proofs_handoff_step_id_unique" unique ("handoff_step_id");`,
    );
    this.addSql(
      `create index "delivery_proofs_shipment_id_index" on "custody"."delivery_proofs" ("shipment_id");`,
    );

    this.addSql(
      `create table "identity"."devices" ("id" uuid not null, "user_id" uuid not null, "fingerprint" text not null, "public_key" text null, "first_seen_at" timestamptz(6) not null, "last_seen_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "identity"."devices" add constraint "devices_user_id_fingerprint_unique" unique ("user_id", "fingerprint");`,
    );

    this.addSql(
      `create table "payments"."earnings" ("booking_id" uuid not null, "payee_id" uuid not null, "amount_minor" int8 not null, "currency" text not null, "processor_charge_id" text not null, "itinerary_id" uuid not null, "released_at" timestamptz(6) not null, "payout_id" uuid null, primary key ("booking_id"));`,
    );
    this.addSql(
      `create index "earnings_payee_id_payout_id_index" on "payments"."earnings" ("payee_id", "payout_id");`,
    );

    this.addSql(
      `create table "payments"."escrow_entries" ("id" uuid not null, "payment_id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "booking_id" uuid not null, "sequence" int4 not null, "payer_id" uuid not null, "payee_id" uuid not null, "currency" text not null, "amount_minor" int8 not null, "fee_share_minor" int8 not null, "state" text not null, "states_version" int4 not null, "frozen" bool not null, "custody_event_id" uuid null, "release_at" timestamptz(6) null, "released_at" timestamptz(6) null, "processor_charge_id" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_booking_id_unique" unique ("booking_id");`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_custody_event_id_unique" unique ("custody_event_id");`,
    );
    this.addSql(
      `create index "escrow_entries_itinerary_id_index" on "payments"."escrow_entries" ("itinerary_id");`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_payment_id_sequence_unique" unique ("payment_id", "sequence");`,
    );
    this.addSql(
      `create index "escrow_entries_shipment_id_index" on "payments"."escrow_entries" ("shipment_id");`,
    );

    this.addSql(
      `create table "identity"."files" ("id" uuid not null, "owner_id" uuid not null, "purpose" text not null, "media_type" text not null, "bytes" int4 not null, "filename" text null, "created_at" timestamptz(6) not null, "upload_until" timestamptz(6) not null, "attempt" uuid null, "sha256" text null, "stored_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(`create index "files_owner_id_index" on "identity"."files" ("owner_id");`);

    this.addSql(
      `create table "discovery"."gazetteer_loads" ("version" int4 not null, "places" int4 not null, "loaded_at" timestamptz(6) not null default now(), primary key ("version"));`,
    );

    this.addSql(
      `create table "custody"."handoff_photos" ("sha256" varchar(64) not null, "step_id" uuid not null, "scan_id" uuid null, "file_id" uuid not null, "side" text not null, "attached_at" timestamptz(6) not null, primary key ("sha256"));`,
    );
    this.addSql(`create index "handoff_photos_step_id_index" on "custody"."handoff_photos" ("step_id");`);

    this.addSql(
      `create table "custody"."handoff_scans" ("id" uuid not null, "step_id" uuid null, "qr_code_id" uuid null, "actor" text not null, "session_id" uuid null, "side" text null, "method" text not null, "presented_hash" varchar(64) not null, "idempotency_key" text not null, "scan_result" text not null, "refusal" jsonb null, "outcome" text null, "location_id" uuid null, "weight_grams" int4 null, "discrepancy" text null, "device_time" timestamptz(6) null, "clock_suspect" bool not null, "scanned_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_actor_presented_hash_idempotency_key_unique" unique ("actor", "presented_hash", "idempotency_key");`,
    );
    this.addSql(`create index "handoff_scans_step_id_index" on "custody"."handoff_scans" ("step_id");`);

    this.addSql(
      `create table "custody"."handoff_steps" ("id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "sequence" int4 not null, "from_type" text not null, "from_id" uuid not null, "to_type" text not null, "to_id" uuid not null, "location_id" uuid not null, "finished_booking_ids" jsonb not null, "started_booking_id" uuid null, "leg_id" uuid not null, "leg_kind" text not null, "package_ids" jsonb not null, "starts_last_leg" bool not null, "delivers" bool not null, "planned_at" timestamptz(6) not null, "opens_at" timestamptz(6) not null, "closes_at" timestamptz(6) not null, "required_photos" int2 not null, "state" text not null, "machine_version" int2 not null, "half_side" text null, "half_confirmed_at" timestamptz(6) null, "half_scan_id" uuid null, "half_code_id" uuid null, "transferred_at" timestamptz(6) null, "refused_reason" text null, "spoken_tries" int2 not null default 0, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_itinerary_id_sequence_unique" unique ("itinerary_id", "sequence");`,
    );
    this.addSql(
      `create index "handoff_steps_shipment_id_index" on "custody"."handoff_steps" ("shipment_id");`,
    );

    this.addSql(
      `create table "discovery"."local_segments" ("id" uuid not null, "courier_id" uuid not null, "operator_id" uuid not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "currency" varchar(3) not null, "base_minor" int8 not null, "per_kilogram_minor" int8 not null, "time_zone" text not null, "days" jsonb not null, "opens_at" int4 not null, "closes_at" int4 not null, "duration_minutes" int4 not null, "max_grams_per_run" int4 not null, "allowed_categories" jsonb not null, "checks_pin" bool not null, "scans_barcode" bool not null, "takes_returns" bool not null, "proof_retention_days" int4 not null, "state" text not null, "published_at" timestamptz(6) not null, "withdrawn_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(
      `create index "local_segments_courier_id_index" on "discovery"."local_segments" ("courier_id");`,
    );
    this.addSql(
      `create index "local_segments_from_location_id_index" on "discovery"."local_segments" ("from_location_id");`,
    );

    this.addSql(
      `create table "discovery"."location_names" ("name" text collate "C" not null, "location_id" uuid not null, "kind" text not null, "weight" int4 not null, primary key ("name", "location_id"));`,
    );
    this.addSql(`create index "location_names_trigrams" on "discovery"."location_names" using gin ("name");`);

    this.addSql(
      `create table "discovery"."locations" ("id" uuid not null, "kind" text not null, "name" text not null, "ascii_name" text not null, "iata" varchar(3) null, "city_id" uuid null, "country_code" varchar(2) not null, "customs_territory" text not null, "time_zone" text not null, "latitude" float8 not null, "longitude" float8 not null, "population" int4 not null, "listed" bool not null, primary key ("id"));`,
    );
    this.addSql(`create index "locations_city_id_index" on "discovery"."locations" ("city_id");`);
    this.addSql(
      `alter table "discovery"."locations" add constraint "locations_iata_unique" unique ("iata");`,
    );

    this.addSql(
      `create table "communications"."mail_deliveries" ("id" uuid not null, "event_id" uuid not null, "recipient" uuid not null, "recipient_kind" text not null, "address" text null, "template" text not null, "facts" jsonb null, "shipment_id" uuid null, "state" text not null, "states_version" int4 not null, "useful_until" timestamptz(6) null, "created_at" timestamptz(6) not null, "ended_at" timestamptz(6) null, "failure" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "communications"."mail_deliveries" add constraint "mail_deliveries_once" unique ("event_id", "recipient", "template");`,
    );

    this.addSql(
      `create table "communications"."mailbox_messages" ("id" uuid not null, "message_id" text not null, "sender" text not null, "recipient" text not null, "subject" text not null, "text" text not null, "html" text null, "received_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "communications"."mailbox_messages" add constraint "mailbox_messages_message_id_recipient_unique" unique ("message_id", "recipient");`,
    );
    this.addSql(
      `create index "mailbox_messages_recipient_id_index" on "communications"."mailbox_messages" ("recipient", "id");`,
    );

    this.addSql(
      `create table "communications"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "custody"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "discovery"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "identity"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "payments"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "shipments"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "trips"."migrations" ("id" serial primary key, "name" varchar(255) not null, "executed_at" timestamptz(6) not null default current_timestamp(6));`,
    );

    this.addSql(
      `create table "communications"."notification_streams" ("user_id" uuid not null, "last_seq" int4 not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "communications"."notifications" ("id" uuid not null, "user_id" uuid not null, "seq" int4 not null, "event_id" uuid not null, "kind" text not null, "category" text not null, "title" text not null, "body" text not null, "shipment_id" uuid null, "itinerary_id" uuid null, "created_at" timestamptz(6) not null, "read_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "communications"."notifications" add constraint "notifications_once" unique ("event_id", "user_id", "kind");`,
    );
    this.addSql(
      `create index "notifications_user_id_read_at_index" on "communications"."notifications" ("user_id", "read_at");`,
    );
    this.addSql(
      `alter table "communications"."notifications" add constraint "notifications_user_id_seq_unique" unique ("user_id", "seq");`,
    );

    this.addSql(
      `create table "identity"."otp_challenges" ("id" uuid not null, "email" text not null, "device_fingerprint" text not null, "code_hash" text not null, "tries" int4 not null default 0, "expires_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "identity"."otp_challenges" add constraint "otp_challenges_email_unique" unique ("email");`,
    );
    this.addSql(
      `create index "otp_challenges_expires_at_index" on "identity"."otp_challenges" ("expires_at");`,
    );

    this.addSql(
      `create table "shipments"."package_items" ("id" uuid not null, "package_id" uuid not null, "sequence" int4 not null, "description" text not null, "quantity" int4 not null, "unit_minor" int8 not null, "currency" text not null, "weight_grams" int4 not null, "hs_code" text null, "origin_country" text null, "lithium_watt_hours" float8 null, "airline_approval" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "package_items_package_id_sequence_unique" unique ("package_id", "sequence");`,
    );

    this.addSql(
      `create table "shipments"."package_photos" ("id" uuid not null, "package_id" uuid not null, "file_id" uuid not null, "sha256" text not null, "media_type" text not null, "added_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."package_photos" add constraint "package_photos_package_id_file_id_unique" unique ("package_id", "file_id");`,
    );

    this.addSql(
      `create table "shipments"."packages" ("id" uuid not null, "shipment_id" uuid not null, "sequence" int4 not null, "category" text not null, "weight_grams" int4 not null, "length_mm" int4 not null, "width_mm" int4 not null, "height_mm" int4 not null, "declared_minor" int8 not null, "currency" text not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "packages_shipment_id_sequence_unique" unique ("shipment_id", "sequence");`,
    );

    this.addSql(
      `create table "payments"."payment_accounts" ("id" uuid not null, "user_id" uuid not null, "kind" text not null, "processor_id" text null, "country" text null, "currency" text null, "transfers_enabled" bool not null, "payouts_enabled" bool not null, "requirements" text[] not null, "created_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."payment_accounts" add constraint "payment_accounts_processor_id_unique" unique ("processor_id");`,
    );
    this.addSql(
      `alter table "payments"."payment_accounts" add constraint "payment_accounts_user_id_kind_unique" unique ("user_id", "kind");`,
    );

    this.addSql(
      `create table "payments"."payment_intents" ("id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "payer_id" uuid not null, "currency" text not null, "total_minor" int8 not null, "refunded_minor" int8 not null, "state" text not null, "states_version" int4 not null, "version" int4 not null, "processor_payment_id" text null, "capture_before" timestamptz(6) null, "authorised_at" timestamptz(6) null, "captured_at" timestamptz(6) null, "cancelled_at" timestamptz(6) null, "cancel_reason" text null, "decline_code" text null, "created_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "payment_intents_itinerary_id_unique" unique ("itinerary_id");`,
    );
    this.addSql(
      `create index "payment_intents_payer_id_index" on "payments"."payment_intents" ("payer_id");`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "payment_intents_processor_payment_id_unique" unique ("processor_payment_id");`,
    );

    this.addSql(
      `create table "payments"."payment_methods" ("id" uuid not null, "user_id" uuid not null, "processor_method_id" text not null, "brand" text not null, "last4" text not null, "expires_month" int4 not null, "expires_year" int4 not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."payment_methods" add constraint "payment_methods_processor_method_id_unique" unique ("processor_method_id");`,
    );
    this.addSql(`create index "payment_methods_user_id_index" on "payments"."payment_methods" ("user_id");`);

    this.addSql(
      `create table "payments"."payouts" ("id" uuid not null, "payee_id" uuid not null, "amount_minor" int8 not null, "currency" text not null, "processor_charge_id" text not null, "itinerary_id" uuid not null, "state" text not null, "states_version" int4 not null, "version" int4 not null, "requirements" text[] not null, "failures" int4 not null, "created_at" timestamptz(6) not null, "paid_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(`create index "payouts_payee_id_id_index" on "payments"."payouts" ("payee_id", "id");`);

    this.addSql(
      `create table "payments"."psp_events" ("id" text not null, "type" text not null, "object_kind" text not null, "object_id" text not null, "state" text not null, "attempts" int4 not null, "received_at" timestamptz(6) not null, "processed_at" timestamptz(6) null, primary key ("id"));`,
    );

    this.addSql(
      `create table "payments"."psp_operations" ("id" uuid not null, "kind" text not null, "subject_id" uuid not null, "state" text not null, "request" jsonb not null, "key_number" int4 not null, "sendings" jsonb not null, "hold_id" uuid null, "failure" text null, "prepared_at" timestamptz(6) not null, "resolved_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "psp_operations_one_live" on "payments"."psp_operations" ("subject_id") where state = ANY (ARRAY['prepared'::text, 'sent'::text, 'unknown'::text]);`,
    );

    this.addSql(
      `create table "communications"."push_subscriptions" ("id" uuid not null, "user_id" uuid not null, "endpoint" text not null, "p256dh" text not null, "auth" text not null, "created_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "communications"."push_subscriptions" add constraint "push_subscriptions_endpoint_unique" unique ("endpoint");`,
    );
    this.addSql(
      `create index "push_subscriptions_user_id_index" on "communications"."push_subscriptions" ("user_id");`,
    );

    this.addSql(
      `create table "custody"."qr_codes" ("id" uuid not null, "step_id" uuid not null, "shipment_id" uuid not null, "direction" text not null, "party_type" text not null, "party_id" uuid not null, "token_hash" varchar(64) not null, "key_id" int2 not null, "not_before" timestamptz(6) not null, "not_after" timestamptz(6) not null, "state" text not null, "wrong_scans" int2 not null default 0, "created_at" timestamptz(6) not null, "ended_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "qr_codes_one_minted" on "custody"."qr_codes" ("step_id", "direction") where state = 'minted'::text;`,
    );
    this.addSql(`create index "qr_codes_step_id_index" on "custody"."qr_codes" ("step_id");`);
    this.addSql(
      `alter table "custody"."qr_codes" add constraint "qr_codes_token_hash_unique" unique ("token_hash");`,
    );

    this.addSql(
      `create table "shipments"."recipients" ("id" uuid not null, "shipment_id" uuid not null, "name" text not null, "email" text not null, "phone" text not null, "address" text not null, "user_id" uuid null, primary key ("id"));`,
    );
    this.addSql(`create index "recipients_email_index" on "shipments"."recipients" ("email");`);
    this.addSql(
      `alter table "shipments"."recipients" add constraint "recipients_shipment_id_unique" unique ("shipment_id");`,
    );
    this.addSql(`create index "recipients_user_id_index" on "shipments"."recipients" ("user_id");`);

    this.addSql(
      `create table "discovery"."route_graph_edges" ("from_location_id" uuid not null, "to_location_id" uuid not null, "mode" text not null, "currency" varchar(3) not null, "legs" int4 not null, "typical_minor" int8 not null, "typical_minutes" int4 not null, primary key ("from_location_id", "to_location_id", "mode", "currency"));`,
    );

    this.addSql(
      `create table "discovery"."route_graph_nodes" ("location_id" uuid not null, "town_id" uuid not null, primary key ("location_id"));`,
    );
    this.addSql(
      `create index "route_graph_nodes_town_id_index" on "discovery"."route_graph_nodes" ("town_id");`,
    );

    this.addSql(
      `create table "discovery"."route_search_queries" ("id" uuid not null, "searcher_id" uuid null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "earliest_departure" timestamptz(6) not null, "latest_arrival" timestamptz(6) not null, "categories" jsonb not null, "max_weight_grams" int4 not null, "currency" varchar(3) not null, "sort_by" text not null, "found" int4 not null, "searched_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "route_search_queries_searched_at_index" on "discovery"."route_search_queries" ("searched_at");`,
    );

    this.addSql(
      `create table "discovery"."route_suggestions" ("id" uuid not null, "query_id" uuid not null, "rank" int4 not null, "currency" varchar(3) not null, "price_minor" int8 not null, "departs_at" timestamptz(6) not null, "arrives_at" timestamptz(6) not null, "risk" int4 not null, "hand_overs" int4 not null, "leg_ids" jsonb not null, "reason" text not null, "expires_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "route_suggestions_query_id_index" on "discovery"."route_suggestions" ("query_id");`,
    );

    this.addSql(
      `create table "discovery"."saved_searches" ("id" uuid not null, "owner_id" uuid not null, "name" text not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "category" text not null, "grams" int4 not null, "saved_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(`create index "saved_searches_owner_id_index" on "discovery"."saved_searches" ("owner_id");`);

    this.addSql(
      `create table "discovery"."searchable_legs" ("leg_id" uuid not null, "trip_id" uuid not null, "trip_version" int4 not null, "sequence" int4 not null, "traveller_id" uuid not null, "mode" text not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "departs_at" timestamptz(6) not null, "arrives_at" timestamptz(6) not null, "currency" varchar(3) not null, "base_minor" int8 not null, "per_kilogram_minor" int8 not null, "capacity_grams" int4 not null, "free_grams" int4 not null, "capacity_version" int4 not null, "allowed_categories" jsonb not null, "max_package_grams" int4 not null, "max_declared_value_minor" int8 null, "max_declared_value_currency" varchar(3) null, "bookable" bool not null, primary key ("leg_id"));`,
    );
    this.addSql(
      `create index "searchable_legs_departures" on "discovery"."searchable_legs" ("departs_at", "from_location_id") where bookable;`,
    );
    this.addSql(`create index "searchable_legs_trip_id_index" on "discovery"."searchable_legs" ("trip_id");`);

    this.addSql(
      `create table "identity"."sessions" ("id" uuid not null, "user_id" uuid not null, "device_id" uuid not null, "device_fingerprint" text not null, "user_agent" text not null, "refresh_hash" text not null, "previous_refresh_hash" text null, "rotated_at" timestamptz(6) null, "opened_at" timestamptz(6) not null, "last_used_at" timestamptz(6) not null, "expires_at" timestamptz(6) not null, "absolute_expires_at" timestamptz(6) not null, "ended_at" timestamptz(6) null, "end_reason" text null, primary key ("id"));`,
    );
    this.addSql(`create index "sessions_user_id_index" on "identity"."sessions" ("user_id");`);

    this.addSql(
      `create table "communications"."shipment_ends" ("shipment_id" uuid not null, "sender_id" uuid null, "recipient_id" uuid null, "recipient_name" text null, "recipient_email" text null, "recipient_user_id" uuid null, primary key ("shipment_id"));`,
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
      `create table "shipments"."shipments" ("id" uuid not null, "sender_id" uuid not null, "state" text not null, "states_version" int4 not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "origin_territory" text not null, "destination_territory" text not null, "destination_time_zone" text not null, "sender_name" text not null, "sender_email" text not null, "sender_phone" text not null, "sender_address" text not null, "special_handling" text null, "itinerary_id" uuid null, "escrow_closed_at" timestamptz(6) null, "created_at" timestamptz(6) not null, "submitted_at" timestamptz(6) null, primary key ("id"));`,
    );
    this.addSql(
      `create index "shipments_sender_id_id_index" on "shipments"."shipments" ("sender_id", "id");`,
    );

    this.addSql(
      `create table "custody"."tracking_events" ("id" uuid not null, "shipment_id" uuid not null, "seq" int4 not null, "type" text not null, "at" timestamptz(6) not null, "message" text not null, "package_id" uuid null, "carrier_id" uuid null, "trip_leg_id" uuid null, "location_id" uuid null, "handoff_step_id" uuid null, "once_key" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."tracking_events" add constraint "tracking_events_shipment_id_once_key_unique" unique ("shipment_id", "once_key");`,
    );
    this.addSql(
      `alter table "custody"."tracking_events" add constraint "tracking_events_shipment_id_seq_unique" unique ("shipment_id", "seq");`,
    );

    this.addSql(
      `create table "custody"."tracking_streams" ("shipment_id" uuid not null, "last_seq" int4 not null, primary key ("shipment_id"));`,
    );

    this.addSql(
      `create table "payments"."transfers" ("id" uuid not null, "payout_id" uuid not null, "processor_transfer_id" text not null, "processor_account_id" text not null, "amount_minor" int8 not null, "currency" text not null, "made_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."transfers" add constraint "transfers_payout_id_unique" unique ("payout_id");`,
    );
    this.addSql(
      `alter table "payments"."transfers" add constraint "transfers_processor_transfer_id_unique" unique ("processor_transfer_id");`,
    );

    this.addSql(
      `create table "trips"."trip_constraints" ("trip_id" uuid not null, "max_package_grams" int4 not null, "allowed_categories" text[] not null, "max_declared_value_minor" int8 null, "max_declared_value_currency" text null, "notes" text null, primary key ("trip_id"));`,
    );

    this.addSql(
      `create table "trips"."trip_documents" ("id" uuid not null, "trip_id" uuid not null, "kind" text not null, "file_id" uuid not null, "sha256" text not null, "added_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "trips"."trip_documents" add constraint "trip_documents_trip_id_file_id_unique" unique ("trip_id", "file_id");`,
    );
    this.addSql(`create index "trip_documents_trip_id_index" on "trips"."trip_documents" ("trip_id");`);

    this.addSql(
      `create table "trips"."trip_legs" ("id" uuid not null, "trip_id" uuid not null, "sequence" int4 not null, "mode" text not null, "from_location_id" uuid not null, "to_location_id" uuid not null, "departs_at" timestamptz(6) not null, "arrives_at" timestamptz(6) not null, "carrier_reference" text null, "currency" text not null, "base_minor" int8 not null, "per_kilogram_minor" int8 not null, "capacity_grams" int4 not null, "capacity_version" int4 not null default 0, primary key ("id"));`,
    );
    this.addSql(`create index "trip_legs_trip_id_index" on "trips"."trip_legs" ("trip_id");`);
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "trip_legs_trip_id_sequence_unique" unique ("trip_id", "sequence");`,
    );

    this.addSql(
      `create table "trips"."trips" ("id" uuid not null, "traveller_id" uuid not null, "state" text not null, "states_version" int4 not null, "version" int4 not null, "origin_location_id" uuid not null, "destination_location_id" uuid not null, "transport_mode" text not null, "earliest_departure" timestamptz(6) not null, "latest_arrival" timestamptz(6) not null, "created_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(`create index "trips_traveller_id_id_index" on "trips"."trips" ("traveller_id", "id");`);

    this.addSql(
      `create table "communications"."user_notification_prefs" ("user_id" uuid not null, "muted_email" text[] not null, "muted_in_app" text[] not null, "quiet_from" int4 null, "quiet_to" int4 null, "updated_at" timestamptz(6) not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."user_profiles" ("user_id" uuid not null, "display_name" text not null, "avatar_file_id" uuid null, "completed_at" timestamptz(6) null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."user_settings" ("user_id" uuid not null, "locale" text not null, "time_zone" text not null, "currency" text not null, "measurement" text not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."user_stats" ("user_id" uuid not null, "carried_legs" int4 not null default 0, "carried_packages" int4 not null default 0, "released_legs" int4 not null default 0, "delivered_shipments" int4 not null default 0, "last_carried_at" timestamptz(6) null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "identity"."users" ("id" uuid not null, "email" text not null, "registered_at" timestamptz(6) not null, primary key ("id"));`,
    );
    this.addSql(`alter table "identity"."users" add constraint "users_email_unique" unique ("email");`);

    this.addSql(
      `alter table "identity"."auth_identities" add constraint "auth_identities_provider" check ("provider" in ('email', 'google', 'apple'));`,
    );

    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_from_type_check" check ("from_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_to_type_check" check ("to_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `create or replace function "custody"."custody_events_custody_events_append_only_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "custody_events_append_only" BEFORE DELETE OR UPDATE on "custody"."custody_events" for each STATEMENT execute function "custody"."custody_events_custody_events_append_only_fn"();`,
    );
    this.addSql(
      `create or replace function "custody"."custody_events_custody_events_continue_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "custody_events_continue" BEFORE INSERT on "custody"."custody_events" for each ROW execute function "custody"."custody_events_custody_events_continue_fn"();`,
    );

    this.addSql(
      `alter table "custody"."custody_parties" add constraint "custody_parties_leg_kind_check" check ("leg_kind" in ('trip_leg', 'courier_segment'));`,
    );
    this.addSql(
      `alter table "custody"."custody_parties" add constraint "custody_parties_party_type_check" check ("party_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );

    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_condition_check" check ("condition" in ('intact', 'discrepancy'));`,
    );
    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_holder_type_check" check ("holder_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_phase_check" check ("phase" in ('held', 'in_handoff'));`,
    );

    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "content_type_known" check ("content_type" in ('documents', 'gift', 'sample', 'merchandise', 'return'));`,
    );
    this.addSql(
      `alter table "shipments"."customs_declarations" add constraint "incoterm_known" check ("incoterm" in ('dap', 'ddp'));`,
    );
    this.addSql(
      `create or replace function "shipments"."customs_declarations_customs_declarations_frozen_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "customs_declarations_frozen" BEFORE DELETE OR INSERT OR UPDATE on "shipments"."customs_declarations" for each ROW execute function "shipments"."customs_declarations_customs_declarations_frozen_fn"();`,
    );

    this.addSql(
      `create or replace function "custody"."delivery_proofs_delivery_proofs_append_only_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "delivery_proofs_append_only" BEFORE DELETE OR UPDATE on "custody"."delivery_proofs" for each STATEMENT execute function "custody"."delivery_proofs_delivery_proofs_append_only_fn"();`,
    );

    this.addSql(
      `alter table "payments"."earnings" add constraint "earning_above_zero" check (amount_minor > 0);`,
    );

    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "frozen_is_not_released" check ((NOT frozen) OR (state <> ALL (ARRAY['released'::text, 'voided'::text])));`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "released_only_with_evidence" check ((state <> 'released'::text) OR ((custody_event_id IS NOT NULL) AND (released_at IS NOT NULL)));`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "shares_not_negative" check ((amount_minor >= 0) AND (fee_share_minor >= 0));`,
    );

    this.addSql(`alter table "identity"."files" add constraint "files_bytes" check (bytes > 0);`);
    this.addSql(
      `alter table "identity"."files" add constraint "files_sha256" check (sha256 ~ '^[0-9a-f]{64}$'::text);`,
    );
    this.addSql(
      `alter table "identity"."files" add constraint "files_stored_whole" check (((attempt IS NULL) = (sha256 IS NULL)) AND ((attempt IS NULL) = (stored_at IS NULL)));`,
    );
    this.addSql(
      `create or replace function "identity"."files_files_keep_stored_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(`create trigger "files_keep_stored" BEFORE DELETE OR UPDATE on "identity"."files" for each ROW
  when ((old.stored_at IS NOT NULL)) execute function "identity"."files_files_keep_stored_fn"();`);

    this.addSql(
      `alter table "custody"."handoff_photos" add constraint "handoff_photos_side_check" check ("side" in ('giver', 'receiver'));`,
    );

    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_method_check" check ("method" in ('qr', 'spoken'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_outcome_check" check ("outcome" in ('half_confirmed', 'transferred'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_scan_result_check" check ("scan_result" in ('ok', 'duplicate', 'expired', 'not_yet', 'wrong_party', 'wrong_sequence', 'consumed', 'revoked', 'bad_signature', 'unknown_key', 'requirements_missing', 'not_open'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_side_check" check ("side" in ('giver', 'receiver'));`,
    );
    this.addSql(
      `create or replace function "custody"."handoff_scans_handoff_scans_append_only_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "handoff_scans_append_only" BEFORE DELETE OR UPDATE on "custody"."handoff_scans" for each STATEMENT execute function "custody"."handoff_scans_handoff_scans_append_only_fn"();`,
    );

    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_from_type_check" check ("from_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_half_side_check" check ("half_side" in ('giver', 'receiver'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_leg_kind_check" check ("leg_kind" in ('trip_leg', 'courier_segment'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_state_check" check ("state" in ('planned', 'ready', 'half_confirmed', 'transferred', 'refused', 'cancelled'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_to_type_check" check ("to_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );

    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_ends" check (from_location_id <> to_location_id);`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_hours" check ((opens_at >= 0) AND (opens_at <= 1439) AND (closes_at >= 1) AND (closes_at <= 1440));`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_load" check ((max_grams_per_run > 0) AND (duration_minutes > 0));`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_prices" check ((base_minor >= 0) AND (per_kilogram_minor >= 0));`,
    );
    this.addSql(
      `alter table "discovery"."local_segments" add constraint "local_segments_state_check" check ("state" in ('published', 'withdrawn'));`,
    );

    this.addSql(
      `alter table "discovery"."location_names" add constraint "location_names_kind_check" check ("kind" in ('CITY', 'AIRPORT'));`,
    );

    this.addSql(
      `alter table "discovery"."locations" add constraint "locations_kind_check" check ("kind" in ('CITY', 'AIRPORT'));`,
    );

    this.addSql(
      `alter table "communications"."mail_deliveries" add constraint "ended_deliveries_keep_no_contents" check ((state = 'scheduled'::text) OR ((facts IS NULL) AND (address IS NULL)));`,
    );

    this.addSql(
      `alter table "identity"."otp_challenges" add constraint "otp_challenges_tries" check ((tries >= 0) AND (tries <= 5));`,
    );

    this.addSql(
      `alter table "shipments"."package_items" add constraint "hs_code_has_six_digits" check (hs_code ~ '^[0-9]{6}$'::text);`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "item_is_there" check ((quantity > 0) AND (weight_grams > 0));`,
    );
    this.addSql(
      `alter table "shipments"."package_items" add constraint "unit_value_not_negative" check (unit_minor >= 0);`,
    );
    this.addSql(
      `create or replace function "shipments"."package_items_package_items_frozen_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "package_items_frozen" BEFORE DELETE OR INSERT OR UPDATE on "shipments"."package_items" for each ROW execute function "shipments"."package_items_package_items_frozen_fn"();`,
    );

    this.addSql(
      `create or replace function "shipments"."package_photos_package_photos_frozen_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "package_photos_frozen" BEFORE DELETE OR INSERT OR UPDATE on "shipments"."package_photos" for each ROW execute function "shipments"."package_photos_package_photos_frozen_fn"();`,
    );

    this.addSql(
      `alter table "shipments"."packages" add constraint "declared_value_not_negative" check (declared_minor >= 0);`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "package_has_size" check ((length_mm > 0) AND (width_mm > 0) AND (height_mm > 0));`,
    );
    this.addSql(
      `alter table "shipments"."packages" add constraint "package_weighs_something" check (weight_grams > 0);`,
    );
    this.addSql(
      `create or replace function "shipments"."packages_packages_frozen_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "packages_frozen" BEFORE DELETE OR INSERT OR UPDATE on "shipments"."packages" for each ROW execute function "shipments"."packages_packages_frozen_fn"();`,
    );

    this.addSql(
      `alter table "payments"."payment_intents" add constraint "refunded_only_if_captured" check ((refunded_minor = 0) OR (captured_at IS NOT NULL));`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "refunded_within_total" check ((refunded_minor >= 0) AND (refunded_minor <= total_minor));`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "total_above_zero" check (total_minor > 0);`,
    );

    this.addSql(
      `alter table "payments"."payouts" add constraint "payout_above_zero" check (amount_minor > 0);`,
    );

    this.addSql(
      `alter table "custody"."qr_codes" add constraint "qr_codes_direction_check" check ("direction" in ('give', 'receive'));`,
    );
    this.addSql(
      `alter table "custody"."qr_codes" add constraint "qr_codes_party_type_check" check ("party_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."qr_codes" add constraint "qr_codes_state_check" check ("state" in ('minted', 'consumed', 'expired', 'revoked'));`,
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

    this.addSql(
      `alter table "identity"."sessions" add constraint "sessions_end" check ((ended_at IS NULL) = (end_reason IS NULL));`,
    );
    this.addSql(
      `alter table "identity"."sessions" add constraint "sessions_expiry" check (expires_at <= absolute_expires_at);`,
    );

    this.addSql(
      `alter table "shipments"."shipments" add constraint "shipment_state_known" check ("state" in ('draft', 'searching', 'awaiting_acceptance', 'booked', 'in_transit', 'awaiting_delivery', 'delivered', 'completed', 'cancelled'));`,
    );

    this.addSql(
      `alter table "custody"."tracking_events" add constraint "tracking_events_type_check" check ("type" in ('ITINERARY_CONFIRMED', 'HANDOFF_READY', 'SCANNED', 'PICKED_UP', 'TRANSFERRED', 'DEPARTED', 'ARRIVED', 'LOCATION_NOTED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'REFUSED', 'FUNDS_RELEASED', 'COMPLETED'));`,
    );
    this.addSql(
      `create or replace function "custody"."tracking_events_tracking_events_append_only_fn"() returns trigger as $$ begin ; end; $$ language plpgsql;`,
    );
    this.addSql(
      `create trigger "tracking_events_append_only" BEFORE DELETE OR UPDATE on "custody"."tracking_events" for each STATEMENT execute function "custody"."tracking_events_tracking_events_append_only_fn"();`,
    );

    this.addSql(
      `alter table "trips"."trip_legs" add constraint "leg_offers_something" check (capacity_grams > 0);`,
    );
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "leg_takes_time" check (arrives_at > departs_at);`,
    );
    this.addSql(
      `alter table "trips"."trip_legs" add constraint "prices_not_negative" check ((base_minor >= 0) AND (per_kilogram_minor >= 0));`,
    );

    this.addSql(
      `alter table "communications"."user_notification_prefs" add constraint "quiet_hours_are_minutes_of_a_day" check (((quiet_from IS NULL) = (quiet_to IS NULL)) AND (quiet_from <> quiet_to) AND (quiet_from >= 0) AND (quiet_from <= 1439) AND (quiet_to >= 0) AND (quiet_to <= 1439));`,
    );

    this.addSql(
      `alter table "identity"."user_profiles" add constraint "user_profiles_display_name_length" check ((char_length(display_name) >= 1) AND (char_length(display_name) <= 60));`,
    );

    this.addSql(
      `alter table "identity"."user_settings" add constraint "user_settings_currency" check (currency ~ '^[A-Z]{3}$'::text);`,
    );
    this.addSql(
      `alter table "identity"."user_settings" add constraint "user_settings_measurement" check ("measurement" in ('metric', 'imperial'));`,
    );

    this.addSql(
      `alter table "identity"."user_stats" add constraint "user_stats_counts" check ((carried_legs >= 0) AND (carried_packages >= 0) AND (released_legs >= 0) AND (delivered_shipments >= 0));`,
    );

    this.addSql(
      `alter table "identity"."users" add constraint "users_email_canonical" check ((email = lower(email)) AND (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'::text));`,
    );
  }
}
