import { Migration } from '@mikro-orm/migrations';

export class Migration20261122230014_communications extends Migration {
  override name = 'Migration20261122230014_communications';

  override up(): void | Promise<void> {
    this.addSql(`create schema if not exists "communications";`);
    this.addSql(
      `create table "communications"."address_book" ("user_id" uuid not null, "email" text not null, "display_name" text not null, "locale" text not null, "time_zone" text not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "communications"."mailbox_messages" ("id" uuid not null, "message_id" text not null, "sender" text not null, "recipient" text not null, "subject" text not null, "text" text not null, "html" text null, "received_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "mailbox_messages_recipient_id_index" on "communications"."mailbox_messages" ("recipient", "id");`,
    );
    this.addSql(
      `alter table "communications"."mailbox_messages" add constraint "mailbox_messages_message_id_recipient_unique" unique ("message_id", "recipient");`,
    );

    this.addSql(
      `create table "communications"."mail_deliveries" ("id" uuid not null, "event_id" uuid not null, "recipient" uuid not null, "recipient_kind" text not null, "address" text null, "template" text not null, "facts" jsonb null, "shipment_id" uuid null, "state" text not null, "states_version" int not null, "useful_until" timestamptz null, "created_at" timestamptz not null, "ended_at" timestamptz null, "failure" text null, primary key ("id"));`,
    );
    this.addSql(
      `alter table "communications"."mail_deliveries" add constraint "mail_deliveries_once" unique ("event_id", "recipient", "template");`,
    );

    this.addSql(
      `create table "communications"."notifications" ("id" uuid not null, "user_id" uuid not null, "seq" int not null, "event_id" uuid not null, "kind" text not null, "category" text not null, "title" text not null, "body" text not null, "shipment_id" uuid null, "itinerary_id" uuid null, "created_at" timestamptz not null, "read_at" timestamptz null, primary key ("id"));`,
    );
    this.addSql(
      `create index "notifications_user_id_read_at_index" on "communications"."notifications" ("user_id", "read_at");`,
    );
    this.addSql(
      `alter table "communications"."notifications" add constraint "notifications_user_id_seq_unique" unique ("user_id", "seq");`,
    );
    this.addSql(
      `alter table "communications"."notifications" add constraint "notifications_once" unique ("event_id", "user_id", "kind");`,
    );

    this.addSql(
      `create table "communications"."notification_streams" ("user_id" uuid not null, "last_seq" int not null, primary key ("user_id"));`,
    );

    this.addSql(
      `create table "communications"."push_subscriptions" ("id" uuid not null, "user_id" uuid not null, "endpoint" text not null, "p256dh" text not null, "auth" text not null, "created_at" timestamptz not null, primary key ("id"));`,
    );
    this.addSql(
      `create index "push_subscriptions_user_id_index" on "communications"."push_subscriptions" ("user_id");`,
    );
    this.addSql(
      `alter table "communications"."push_subscriptions" add constraint "push_subscriptions_endpoint_unique" unique ("endpoint");`,
    );

    this.addSql(
      `create table "communications"."shipment_ends" ("shipment_id" uuid not null, "sender_id" uuid null, "recipient_id" uuid null, "recipient_name" text null, "recipient_email" text null, "recipient_user_id" uuid null, primary key ("shipment_id"));`,
    );

    this.addSql(
      `create table "communications"."user_notification_prefs" ("user_id" uuid not null, "muted_email" text[] not null, "muted_in_app" text[] not null, "quiet_from" int null, "quiet_to" int null, "updated_at" timestamptz not null, primary key ("user_id"));`,
    );

    this.addSql(
      `alter table "communications"."mail_deliveries" add constraint "ended_deliveries_keep_no_contents" check (state = 'scheduled' or (facts is null and address is null));`,
    );

    this.addSql(
      `alter table "communications"."user_notification_prefs" add constraint "quiet_hours_are_minutes_of_a_day" check ((quiet_from is null) = (quiet_to is null) and quiet_from <> quiet_to and quiet_from >= 0 and quiet_from <= 1439 and quiet_to >= 0 and quiet_to <= 1439);`,
    );
  }
}
