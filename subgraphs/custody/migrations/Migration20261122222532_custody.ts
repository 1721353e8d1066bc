import { Migration } from '@mikro-orm/migrations';

export class Migration20261122222532_custody extends Migration {
  override name = 'Migration20261122222532_custody';

  override up(): void {
    this.addSql(`create schema if not exists "custody";`);
    this.addSql(
      `create table "custody"."custody_events" ("id" uuid not null, "package_id" uuid not null, "shipment_id" uuid not null, "number" int not null, "from_type" text null, "from_id" uuid null, "to_type" text not null, "to_id" uuid not null, "handoff_step_id" uuid null, "at" timestamptz not null, "canonical" text not null, "previous_hash" varchar(64) not null, "hash" varchar(64) not null, "signature" varchar(86) not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_package_id_number_unique" unique ("package_id", "number");`,
    );

    this.addSql(
      `create table "custody"."custody_packages" ("package_id" uuid not null, "shipment_id" uuid not null, "declared_minor" bigint not null, "currency" varchar(3) not null, primary key ("package_id"));`,
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
      `create unique index "custody_parties_once" on "custody"."custody_parties" ("shipment_id", "party_type", "party_id", "booking_id") nulls not distinct;`,
    );

    this.addSql(
      `create table "custody"."custody_states" ("package_id" uuid not null, "shipment_id" uuid not null, "itinerary_id" uuid not null, "phase" text not null, "holder_type" text not null, "holder_id" uuid not null, "condition" text not null, "since" timestamptz not null, "head_number" int not null, "head_hash" varchar(64) not null, primary key ("package_id"));`,
    );
    this.addSql(
      `create index "custody_states_shipment_id_index" on "custody"."custody_states" ("shipment_id");`,
    );

    this.addSql(
      `create table "custody"."delivery_proofs" ("id" uuid not null, "shipment_id" uuid not null, "itinerary_id" uuid not null, "handoff_step_id" uuid not null, "delivered_at" timestamptz not null, "scan_ids" jsonb not null, "photos" jsonb not null, "custody" jsonb not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "delivery_proofs_shipment_id_index" on "custody"."delivery_proofs" ("shipment_id");`,
    );
    this.addSql(
      `alter table "custody"."delivery_proofs" add constraint "delivery_proofs_handoff_step_id_unique" unique ("handoff_step_id");`,
    );

    this.addSql(
      `create table "custody"."handoff_photos" ("sha256" varchar(64) not null, "step_id" uuid not null, "scan_id" uuid null, "file_id" uuid not null, "side" text not null, "attached_at" timestamptz not null, primary key ("sha256"));`,
    );
    this.addSql(`create index "handoff_photos_step_id_index" on "custody"."handoff_photos" ("step_id");`);

    this.addSql(
      `create table "custody"."handoff_scans" ("id" uuid not null, "step_id" uuid null, "qr_code_id" uuid null, "actor" text not null, "session_id" uuid null, "side" text null, "method" text not null, "presented_hash" varchar(64) not null, "idempotency_key" text not null, "scan_result" text not null, "refusal" jsonb null, "outcome" text null, "location_id" uuid null, "weight_grams" int null, "discrepancy" text null, "device_time" timestamptz null, "clock_suspect" boolean not null, "scanned_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(`create index "handoff_scans_step_id_index" on "custody"."handoff_scans" ("step_id");`);
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_actor_presented_hash_idempotency_key_unique" unique ("actor", "presented_hash", "idempotency_key");`,
    );

    this.addSql(
      `create table "custody"."handoff_steps" ("id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "sequence" int not null, "from_type" text not null, "from_id" uuid not null, "to_type" text not null, "to_id" uuid not null, "location_id" uuid not null, "finished_booking_ids" jsonb not null, "started_booking_id" uuid null, "leg_id" uuid not null, "leg_kind" text not null, "package_ids" jsonb not null, "starts_last_leg" boolean not null, "delivers" boolean not null, "planned_at" timestamptz not null, "opens_at" timestamptz not null, "closes_at" timestamptz not null, "required_photos" smallint not null, "state" text not null, "machine_version" smallint not null, "half_side" text null, "half_confirmed_at" timestamptz null, "half_scan_id" uuid null, "half_code_id" uuid null, "transferred_at" timestamptz null, "refused_reason" text null, "spoken_tries" smallint not null default 0, primary key ("id"));`,
    );
    this.addSql(
      `create index "handoff_steps_shipment_id_index" on "custody"."handoff_steps" ("shipment_id");`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_itinerary_id_sequence_unique" unique ("itinerary_id", "sequence");`,
    );

    this.addSql(
      `create table "custody"."qr_codes" ("id" uuid not null, "step_id" uuid not null, "shipment_id" uuid not null, "direction" text not null, "party_type" text not null, "party_id" uuid not null, "token_hash" varchar(64) not null, "key_id" smallint not null, "not_before" timestamptz not null, "not_after" timestamptz not null, "state" text not null, "wrong_scans" smallint not null default 0, "created_at" timestamptz not null, "ended_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."qr_codes" add constraint "qr_codes_token_hash_unique" unique ("token_hash");`,
    );
    this.addSql(`create index "qr_codes_step_id_index" on "custody"."qr_codes" ("step_id");`);
    this.addSql(
      `create unique index "qr_codes_one_minted" on "custody"."qr_codes" ("step_id", "direction") where "state" = 'minted';`,
    );

    this.addSql(
      `create table "custody"."tracking_events" ("id" uuid not null, "shipment_id" uuid not null, "seq" int not null, "type" text not null, "at" timestamptz not null, "message" text not null, "package_id" uuid null, "carrier_id" uuid null, "trip_leg_id" uuid null, "location_id" uuid null, "handoff_step_id" uuid null, "once_key" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "custody"."tracking_events" add constraint "tracking_events_shipment_id_seq_unique" unique ("shipment_id", "seq");`,
    );
    this.addSql(
      `alter table "custody"."tracking_events" add constraint "tracking_events_shipment_id_once_key_unique" unique ("shipment_id", "once_key");`,
    );

    this.addSql(
      `create table "custody"."tracking_streams" ("shipment_id" uuid not null, "last_seq" int not null, primary key ("shipment_id"));`,
    );

    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_from_type_check" check ("from_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."custody_events" add constraint "custody_events_to_type_check" check ("to_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );

    this.addSql(
      `alter table "custody"."custody_parties" add constraint "custody_parties_party_type_check" check ("party_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."custody_parties" add constraint "custody_parties_leg_kind_check" check ("leg_kind" in ('trip_leg', 'courier_segment'));`,
    );

    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_phase_check" check ("phase" in ('held', 'in_handoff'));`,
    );
    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_holder_type_check" check ("holder_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."custody_states" add constraint "custody_states_condition_check" check ("condition" in ('intact', 'discrepancy'));`,
    );

    this.addSql(
      `alter table "custody"."handoff_photos" add constraint "handoff_photos_side_check" check ("side" in ('giver', 'receiver'));`,
    );

    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_side_check" check ("side" in ('giver', 'receiver'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_method_check" check ("method" in ('qr', 'spoken'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_scan_result_check" check ("scan_result" in ('ok', 'duplicate', 'expired', 'not_yet', 'wrong_party', 'wrong_sequence', 'consumed', 'revoked', 'bad_signature', 'unknown_key', 'requirements_missing', 'not_open'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_scans" add constraint "handoff_scans_outcome_check" check ("outcome" in ('half_confirmed', 'transferred'));`,
    );

    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_from_type_check" check ("from_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_to_type_check" check ("to_type" in ('sender', 'traveller', 'local_courier', 'recipient', 'system'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_leg_kind_check" check ("leg_kind" in ('trip_leg', 'courier_segment'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_state_check" check ("state" in ('planned', 'ready', 'half_confirmed', 'transferred', 'refused', 'cancelled'));`,
    );
    this.addSql(
      `alter table "custody"."handoff_steps" add constraint "handoff_steps_half_side_check" check ("half_side" in ('giver', 'receiver'));`,
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
      `alter table "custody"."tracking_events" add constraint "tracking_events_type_check" check ("type" in ('ITINERARY_CONFIRMED', 'HANDOFF_READY', 'SCANNED', 'PICKED_UP', 'TRANSFERRED', 'DEPARTED', 'ARRIVED', 'LOCATION_NOTED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'REFUSED', 'FUNDS_RELEASED', 'COMPLETED'));`,
    );
  }
}
