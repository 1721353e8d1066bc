/**
 * The tables that the runtime keeps in every subgraph's schema: outbox, inbox, contract calls and, where a
 * subgraph asks for it, the two-phase ledger. Each step runs once per schema and is never edited once merged.
 */
import type { Client } from 'pg';
import { ledgerSteps } from './ledger/ledger.sql.ts';

interface Step {
  readonly name: string;
  readonly sql: string;
}

const steps: readonly Step[] = [
  {
    name: '001_outbox',
    sql: `
      create table outbox (
        id uuid primary key,
        xid xid8 not null default pg_current_xact_id(),
        position bigint generated always as identity,
        event text not null,
        version integer not null,
        key text not null,
        key_seq bigint not null,
        payload jsonb not null,
        told_at timestamptz not null default clock_timestamp(),
        unique (key, key_seq)
      );
      create index outbox_order on outbox (xid, position);
      create table outbox_keys (key text primary key, last_seq bigint not null);`,
  },
  {
    name: '002_inbox',
    sql: `
      create table inbox (
        message_id uuid primary key,
        handled_at timestamptz not null default clock_timestamp()
      );
      create table inbox_cursors (
        publisher text primary key,
        xid xid8 not null,
        position bigint not null
      );
      create table inbox_parked (
        message_id uuid primary key,
        publisher text not null,
        event text not null,
        version integer not null,
        key text not null,
        key_seq bigint not null,
        payload jsonb not null,
        attempts integer not null default 0,
        next_try_at timestamptz,
        dead boolean not null default false,
        error text,
        parked_at timestamptz not null default clock_timestamp(),
        unique (publisher, key, key_seq)
      );`,
  },
  {
    name: '003_contract_calls',
    sql: `
      create table contract_calls (
        method text not null,
        key text not null,
        request_hash text not null,
        response jsonb,
        called_at timestamptz not null default clock_timestamp(),
        primary key (method, key)
      );`,
  },
  {
    name: '004_parked_told_at',
    sql: `
      alter table inbox_parked add column told_at timestamptz;
      update inbox_parked set told_at = parked_at;
      alter table inbox_parked alter column told_at set not null;`,
  },
];

/** Brings the runtime's tables of one schema up to date; creates the schema where it is missing. */
export async function migrateRuntimeTables(client: Client, schema: string, ledger: boolean): Promise<void> {
  await client.query(`create schema if not exists "${schema}"`);
  await client.query(`set search_path to "${schema}", public`);
  await client.query(
    `create table if not exists runtime_migrations (name text primary key, applied_at timestamptz not null default now())`,
  );
  const applied = await client.query<{ name: string }>('select name from runtime_migrations');
  const done = new Set(applied.rows.map((row) => row.name));
  for (const step of [...steps, ...(ledger ? ledgerSteps : [])]) {
    if (done.has(step.name)) continue;
    await client.query('begin');
    try {
      await client.query(step.sql);
      await client.query('insert into runtime_migrations (name) values ($1)', [step.name]);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    }
  }
}
