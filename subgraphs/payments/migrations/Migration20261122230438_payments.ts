import { Migration } from '@mikro-orm/migrations';

export class Migration20261122230438_payments extends Migration {
  override name = 'Migration20261122230438_payments';

  override up(): void {
    this.addSql(`create schema if not exists "payments";`);
    this.addSql(
      `create table "payments"."charges" ("id" uuid not null, "payment_id" uuid not null, "processor_charge_id" text not null, "amount_minor" bigint not null, "currency" text not null, "fee_minor" bigint null, "fee_currency" text null, "captured_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."charges" add constraint "charges_payment_id_unique" unique ("payment_id");`,
    );
    this.addSql(
      `alter table "payments"."charges" add constraint "charges_processor_charge_id_unique" unique ("processor_charge_id");`,
    );

    this.addSql(
      `create table "payments"."earnings" ("booking_id" uuid not null, "payee_id" uuid not null, "amount_minor" bigint not null, "currency" text not null, "processor_charge_id" text not null, "itinerary_id" uuid not null, "released_at" timestamptz not null, "payout_id" uuid null, primary key ("booking_id"));`,
    );
    this.addSql(
      `create index "earnings_payee_id_payout_id_index" on "payments"."earnings" ("payee_id", "payout_id");`,
    );

    this.addSql(
      `create table "payments"."escrow_entries" ("id" uuid not null, "payment_id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "booking_id" uuid not null, "sequence" int not null, "payer_id" uuid not null, "payee_id" uuid not null, "currency" text not null, "amount_minor" bigint not null, "fee_share_minor" bigint not null, "state" text not null, "states_version" int not null, "frozen" boolean not null, "custody_event_id" uuid null, "release_at" timestamptz null, "released_at" timestamptz null, "processor_charge_id" text null, primary key ("id"));`,
    );
    this.addSql(
      `create index "escrow_entries_itinerary_id_index" on "payments"."escrow_entries" ("itinerary_id");`,
    );
    this.addSql(
      `create index "escrow_entries_shipment_id_index" on "payments"."escrow_entries" ("shipment_id");`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_booking_id_unique" unique ("booking_id");`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_custody_event_id_unique" unique ("custody_event_id");`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "escrow_entries_payment_id_sequence_unique" unique ("payment_id", "sequence");`,
    );

    this.addSql(
      `create table "payments"."payment_intents" ("id" uuid not null, "itinerary_id" uuid not null, "shipment_id" uuid not null, "payer_id" uuid not null, "currency" text not null, "total_minor" bigint not null, "refunded_minor" bigint not null, "state" text not null, "states_version" int not null, "version" int not null, "processor_payment_id" text null, "capture_before" timestamptz null, "authorised_at" timestamptz null, "captured_at" timestamptz null, "cancelled_at" timestamptz null, "cancel_reason" text null, "decline_code" text null, "created_at" timestamptz not null, primary key ("id"));`,
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
      `create table "payments"."payment_accounts" ("id" uuid not null, "user_id" uuid not null, "kind" text not null, "processor_id" text null, "country" text null, "currency" text null, "transfers_enabled" boolean not null, "payouts_enabled" boolean not null, "requirements" text[] not null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."payment_accounts" add constraint "payment_accounts_processor_id_unique" unique ("processor_id");`,
    );
    this.addSql(
      `alter table "payments"."payment_accounts" add constraint "payment_accounts_user_id_kind_unique" unique ("user_id", "kind");`,
    );

    this.addSql(
      `create table "payments"."payment_methods" ("id" uuid not null, "user_id" uuid not null, "processor_method_id" text not null, "brand" text not null, "last4" text not null, "expires_month" int not null, "expires_year" int not null, primary key ("id"));`,
    );
    this.addSql(`create index "payment_methods_user_id_index" on "payments"."payment_methods" ("user_id");`);
    this.addSql(
      `alter table "payments"."payment_methods" add constraint "payment_methods_processor_method_id_unique" unique ("processor_method_id");`,
    );

    this.addSql(
      `create table "payments"."payouts" ("id" uuid not null, "payee_id" uuid not null, "amount_minor" bigint not null, "currency" text not null, "processor_charge_id" text not null, "itinerary_id" uuid not null, "state" text not null, "states_version" int not null, "version" int not null, "requirements" text[] not null, "failures" int not null, "created_at" timestamptz not null, "paid_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(`create index "payouts_payee_id_id_index" on "payments"."payouts" ("payee_id", "id");`);

    this.addSql(
      `create table "payments"."psp_events" ("id" text not null, "type" text not null, "object_kind" text not null, "object_id" text not null, "state" text not null, "attempts" int not null, "received_at" timestamptz not null, "processed_at" timestamptz null, primary key ("id"));`,
    );

    this.addSql(
      `create table "payments"."psp_operations" ("id" uuid not null, "kind" text not null, "subject_id" uuid not null, "state" text not null, "request" jsonb not null, "key_number" int not null, "sendings" jsonb not null, "hold_id" uuid null, "failure" text null, "prepared_at" timestamptz not null, "resolved_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create unique index "psp_operations_one_live" on "payments"."psp_operations" ("subject_id") where state in ('prepared', 'sent', 'unknown');`,
    );

    this.addSql(
      `create table "payments"."transfers" ("id" uuid not null, "payout_id" uuid not null, "processor_transfer_id" text not null, "processor_account_id" text not null, "amount_minor" bigint not null, "currency" text not null, "made_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "payments"."transfers" add constraint "transfers_payout_id_unique" unique ("payout_id");`,
    );
    this.addSql(
      `alter table "payments"."transfers" add constraint "transfers_processor_transfer_id_unique" unique ("processor_transfer_id");`,
    );

    this.addSql(
      `alter table "payments"."earnings" add constraint "earning_above_zero" check (amount_minor > 0);`,
    );

    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "shares_not_negative" check (amount_minor >= 0 and fee_share_minor >= 0);`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "released_only_with_evidence" check (state <> 'released' or (custody_event_id is not null and released_at is not null));`,
    );
    this.addSql(
      `alter table "payments"."escrow_entries" add constraint "frozen_is_not_released" check (frozen = false or (state <> 'released' and state <> 'voided'));`,
    );

    this.addSql(
      `alter table "payments"."payment_intents" add constraint "total_above_zero" check (total_minor > 0);`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "refunded_within_total" check (refunded_minor >= 0 and refunded_minor <= total_minor);`,
    );
    this.addSql(
      `alter table "payments"."payment_intents" add constraint "refunded_only_if_captured" check (refunded_minor = 0 or captured_at is not null);`,
    );

    this.addSql(
      `alter table "payments"."payouts" add constraint "payout_above_zero" check (amount_minor > 0);`,
    );
  }
}
