/**
 * Tables, constraints and functions of the two-phase ledger; README.md beside this file explains them.
 * Every promise is kept here and not in TypeScript: whoever writes to these tables with plain SQL is refused
 * just the same. Functions pin the search path of the schema they were created in.
 */
const accounts = `
  create table ledger_accounts (
    id uuid primary key,
    code text collate "C" not null unique check (code <> ''),
    unit text collate "C" not null check (unit ~ '^([A-Z]{3}|[a-z][a-z0-9]{0,7})$'),
    normal text not null check (normal in ('debit', 'credit')),
    floor numeric(38, 0) check (floor <= 0),
    posted numeric(38, 0) not null default 0,
    pending_in numeric(38, 0) not null default 0 check (pending_in >= 0),
    pending_out numeric(38, 0) not null default 0 check (pending_out >= 0),
    meta jsonb not null default '{}',
    opened_at timestamptz not null default clock_timestamp(),
    unique (id, unit),
    constraint ledger_floor check (floor is null or posted - pending_out >= floor),
    constraint ledger_materialised
      check (floor is not null or (posted = 0 and pending_in = 0 and pending_out = 0))
  ) with (fillfactor = 70);`;

const journals = `
  create table ledger_journals (
    id uuid primary key,
    kind text not null check (kind in ('posted', 'pending', 'post', 'void')),
    key text not null unique check (key <> ''),
    request_hash bytea not null,
    reason text not null check (reason <> ''),
    cause jsonb not null,
    resolves uuid unique references ledger_journals (id),
    expires_at timestamptz,
    effective_at timestamptz not null,
    created_at timestamptz not null,
    unique (id, kind),
    constraint ledger_resolution check ((kind in ('post', 'void')) = (resolves is not null)),
    constraint ledger_expiry check ((kind = 'pending') = (expires_at is not null))
  );

  create table ledger_entries (
    id bigint generated always as identity primary key,
    journal_id uuid not null,
    kind text not null,
    account_id uuid not null,
    unit text collate "C" not null,
    side text not null check (side in ('debit', 'credit')),
    amount bigint not null check (amount > 0),
    foreign key (journal_id, kind) references ledger_journals (id, kind),
    foreign key (account_id, unit) references ledger_accounts (id, unit)
  );
  create index ledger_entries_of_journal on ledger_entries (journal_id);
  create index ledger_entries_of_account on ledger_entries (account_id, id);

  create table ledger_holds (
    journal_id uuid primary key references ledger_journals (id),
    expires_at timestamptz not null
  );
  create index ledger_holds_by_expiry on ledger_holds (expires_at, journal_id);`;

const chain = `
  create table ledger_chain (
    seq bigint primary key,
    journal_id uuid not null unique references ledger_journals (id),
    hash_version smallint not null,
    hash bytea not null
  );
  create table ledger_head (
    single boolean primary key default true check (single),
    seq bigint not null,
    hash bytea not null
  ) with (fillfactor = 50);
  insert into ledger_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));

  create function ledger_hash(version smallint, previous bytea, seq bigint, journal uuid) returns bytea
  language plpgsql stable set search_path from current as $$
  declare canonical text;
  begin
    if version <> 1 then return null; end if;
    select jsonb_build_array(
      version, encode(previous, 'hex'), seq, j.id, j.kind, j.key, encode(j.request_hash, 'hex'), j.reason, j.cause,
      j.resolves, extract(epoch from j.expires_at), extract(epoch from j.effective_at),
      extract(epoch from j.created_at),
      (select jsonb_agg(jsonb_build_array(
           e.id, e.kind, e.account_id, a.code, a.unit, a.normal, e.unit, e.side, e.amount) order by e.id)
         from ledger_entries e left join ledger_accounts a on a.id = e.account_id
        where e.journal_id = j.id))::text
      into canonical from ledger_journals j where j.id = journal;
    return sha256(convert_to(canonical, 'UTF8'));
  end $$;`;

/** Entries carry their journal's kind, so that no sum over an account needs a join. */
const balances = `
  create function ledger_derived(account uuid)
  returns table (posted numeric, pending_in numeric, pending_out numeric)
  language sql stable set search_path from current as $$
    select
      coalesce(sum(case when e.side = a.normal then e.amount else -e.amount end)
        filter (where e.kind in ('posted', 'post')), 0),
      coalesce(sum(e.amount) filter (where h.journal_id is not null and e.side = a.normal), 0),
      coalesce(sum(e.amount) filter (where h.journal_id is not null and e.side <> a.normal), 0)
    from ledger_accounts a
    join ledger_entries e on e.account_id = a.id
    left join ledger_holds h on h.journal_id = e.journal_id and e.kind = 'pending'
    where a.id = account
  $$;

  create function ledger_entries_written() returns trigger
  language plpgsql set search_path from current as $$
  begin
    if exists (select from written join ledger_chain using (journal_id)) then
      raise exception 'LEDGER_SEALED: the journal is complete' using errcode = 'restrict_violation';
    end if;
    perform from ledger_accounts
      where floor is not null and id in (select account_id from written) order by id for no key update;
    update ledger_accounts a
      set posted = a.posted + d.posted, pending_in = a.pending_in + d.pending_in,
          pending_out = a.pending_out + d.pending_out
      from (
        select w.account_id,
          coalesce(sum(case when w.side = o.normal then w.amount else -w.amount end)
            filter (where w.kind in ('posted', 'post')), 0) as posted,
          coalesce(sum(w.amount) filter (where w.kind = 'pending' and w.side = o.normal), 0) as pending_in,
          coalesce(sum(w.amount) filter (where w.kind = 'pending' and w.side <> o.normal), 0) as pending_out
        from written w join ledger_accounts o on o.id = w.account_id
        where o.floor is not null group by w.account_id) d
      where a.id = d.account_id;
    return null;
  end $$;
  create trigger ledger_entries_written after insert on ledger_entries
    referencing new table as written for each statement execute function ledger_entries_written();`;

/** Deleting the row of `ledger_holds` decides between two that resolve the same hold at once. */
const phases = `
  create function ledger_journal_arrives() returns trigger language plpgsql as $$
  begin
    new.created_at := clock_timestamp();
    new.effective_at := coalesce(new.effective_at, new.created_at);
    return new;
  end $$;
  create trigger ledger_journal_arrives before insert on ledger_journals
    for each row execute function ledger_journal_arrives();

  create function ledger_journal_written() returns trigger
  language plpgsql set search_path from current as $$
  begin
    if new.kind = 'pending' then
      insert into ledger_holds (journal_id, expires_at) values (new.id, new.expires_at);
    elsif new.resolves is not null then
      delete from ledger_holds where journal_id = new.resolves;
      if not found then
        raise exception 'LEDGER_HOLD_RESOLVED: % is no open hold', new.resolves
          using errcode = 'restrict_violation';
      end if;
      perform from ledger_accounts
        where floor is not null
          and id in (select account_id from ledger_entries where journal_id = new.resolves)
        order by id for no key update;
      update ledger_accounts a
        set pending_in = a.pending_in - d.pending_in, pending_out = a.pending_out - d.pending_out
        from (
          select e.account_id,
            coalesce(sum(e.amount) filter (where e.side = o.normal), 0) as pending_in,
            coalesce(sum(e.amount) filter (where e.side <> o.normal), 0) as pending_out
          from ledger_entries e join ledger_accounts o on o.id = e.account_id
          where e.journal_id = new.resolves and o.floor is not null group by e.account_id) d
        where a.id = d.account_id;
    end if;
    return null;
  end $$;
  create trigger ledger_journal_written after insert on ledger_journals
    for each row execute function ledger_journal_written();`;

/** Runs at commit, when all entries are there; from here on the chain's head is locked, and nothing else. */
const seal = `
  create function ledger_seal() returns trigger
  language plpgsql set search_path from current as $$
  declare head ledger_head;
  begin
    if (select count(*) from ledger_entries where journal_id = new.id) < 2 then
      raise exception 'LEDGER_UNBALANCED: journal % has fewer than two entries', new.id
        using errcode = 'check_violation';
    end if;
    if exists (
      select from ledger_entries where journal_id = new.id group by unit
      having sum(case side when 'debit' then amount else -amount end) <> 0
    ) then
      raise exception 'LEDGER_UNBALANCED: debits and credits of journal % differ', new.id
        using errcode = 'check_violation';
    end if;
    if new.resolves is not null and exists (
      select from ledger_entries where journal_id in (new.id, new.resolves) group by account_id, side
      having coalesce(sum(amount) filter (where journal_id = new.id), 0)
           > coalesce(sum(amount) filter (where journal_id = new.resolves), 0)
        or (new.kind = 'void' and sum(case journal_id when new.id then amount else -amount end) <> 0)
    ) then
      raise exception 'LEDGER_AMOUNT_INVALID: journal % does not fit the hold it resolves', new.id
        using errcode = 'check_violation';
    end if;
    select * into head from ledger_head for update;
    head.seq := head.seq + 1;
    head.hash := ledger_hash(1::smallint, head.hash, head.seq, new.id);
    insert into ledger_chain (seq, journal_id, hash_version, hash) values (head.seq, new.id, 1, head.hash);
    update ledger_head set seq = head.seq, hash = head.hash;
    return null;
  end $$;
  create constraint trigger ledger_seal after insert on ledger_journals
    deferrable initially deferred for each row execute function ledger_seal();`;

const guards = `
  create function ledger_refuse() returns trigger language plpgsql as $$
  begin
    raise exception 'LEDGER_APPEND_ONLY: % of % is refused', tg_op, tg_table_name
      using errcode = 'restrict_violation';
  end $$;
  create function ledger_refuse_from_outside() returns trigger language plpgsql as $$
  begin
    if pg_trigger_depth() < 2 then
      raise exception 'LEDGER_APPEND_ONLY: % of % is left to the ledger', tg_op, tg_table_name
        using errcode = 'restrict_violation';
    end if;
    return null;
  end $$;

  create trigger ledger_append_only before update or delete or truncate on ledger_journals
    for each statement execute function ledger_refuse();
  create trigger ledger_append_only before update or delete or truncate on ledger_entries
    for each statement execute function ledger_refuse();
  create trigger ledger_append_only before update or delete or truncate on ledger_chain
    for each statement execute function ledger_refuse();
  create trigger ledger_sealed_only before insert on ledger_chain
    for each statement execute function ledger_refuse_from_outside();
  create trigger ledger_one_head before insert or delete or truncate on ledger_head
    for each statement execute function ledger_refuse();
  create trigger ledger_sealed_only before update on ledger_head
    for each statement execute function ledger_refuse_from_outside();
  create trigger ledger_accounts_stay before delete or truncate on ledger_accounts
    for each statement execute function ledger_refuse();
  create trigger ledger_accounts_fixed
    before update of id, code, unit, normal, floor, opened_at on ledger_accounts
    for each statement execute function ledger_refuse();
  create trigger ledger_balances_derived before update of posted, pending_in, pending_out on ledger_accounts
    for each statement execute function ledger_refuse_from_outside();
  create function ledger_account_opened() returns trigger language plpgsql as $$
  begin
    if new.posted <> 0 or new.pending_in <> 0 or new.pending_out <> 0 then
      raise exception 'LEDGER_APPEND_ONLY: an account opens at zero' using errcode = 'restrict_violation';
    end if;
    return null;
  end $$;
  create trigger ledger_account_opened after insert on ledger_accounts
    for each row execute function ledger_account_opened();
  create trigger ledger_holds_kept before insert or delete or truncate on ledger_holds
    for each statement execute function ledger_refuse_from_outside();
  create trigger ledger_holds_fixed before update of journal_id on ledger_holds
    for each statement execute function ledger_refuse();`;

export const ledgerSteps: readonly { name: string; sql: string }[] = [
  { name: 'ledger_001', sql: [accounts, journals, chain, balances, phases, seal, guards].join('\n') },
];
