/**
 * One PostgreSQL schema of one subgraph: its ORM instance and its unit of work.
 * `transaction` is the only way to write. It joins the transaction already open in this async context, so a
 * service method is whole on its own and still part of its caller's commit. Facts told inside are written to
 * the outbox by the same commit; nothing told survives a rollback. Nothing is undone in part: whoever catches
 * a refusal of what joined goes on with all that was written and told until then.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyEntity, EntityClass, EntitySchema } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Invalid } from '../kernel/errors.ts';
import type { EventDefinition, PayloadOf } from '../kernel/event.ts';
import { newId } from '../kernel/ids.ts';

export type Entities = (EntityClass<AnyEntity> | EntitySchema)[];

export interface Transaction {
  readonly em: EntityManager;
  /** Runs SQL in this transaction with `?` placeholders; unqualified names are this subgraph's tables. */
  sql<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]>;
  /** Tells a fact with this commit. Listeners hear it afterwards, at least once, in order per key. */
  tell<E extends EventDefinition>(event: E, payload: PayloadOf<E>): void;
  /** Runs once after a successful commit; for wake-ups only, since a crash may lose it. */
  afterCommit(hint: () => void): void;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly schema: string;
  readonly entities: Entities;
  /** Folder of this subgraph's migrations. */
  readonly migrations: string;
  readonly poolSize?: number;
  /** Called with every statement sent: how tests count queries. */
  readonly onQuery?: (sql: string) => void;
  /** Told after each commit that wrote to the outbox. */
  readonly onTold?: (publisher: string) => void;
  /** Told what a hint threw: the commit stands all the same. */
  readonly onLostHint?: (error: unknown) => void;
}

interface Told {
  readonly definition: EventDefinition;
  readonly payload: unknown;
}

class OpenTransaction implements Transaction {
  readonly em: EntityManager;
  readonly told: Told[] = [];
  readonly hints: (() => void)[] = [];
  over = false;

  constructor(em: EntityManager) {
    this.em = em;
  }

  async sql<Row extends object>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    this.#requireOpen();
    return this.em.execute(text, parameters as unknown[]) as unknown as Promise<Row[]>;
  }

  tell<E extends EventDefinition>(definition: E, payload: PayloadOf<E>): void {
    this.#requireOpen();
    this.told.push({ definition, payload });
  }

  afterCommit(hint: () => void): void {
    this.#requireOpen();
    this.hints.push(hint);
  }

  /** What is told after the commit would be lost without a sound. */
  #requireOpen(): void {
    if (this.over) throw new Error('The transaction is over: something was not awaited inside it');
  }
}

const maxTries = 5;

/** PostgreSQL's codes for text that it cannot keep: a NUL byte (also where it cuts a statement short), a lone surrogate. */
const unstorable = new Set(['22021', '22P05', '08P01']);

export class Database {
  readonly schema: string;
  readonly orm: MikroORM;
  readonly #ambient = new AsyncLocalStorage<OpenTransaction>();
  readonly #onTold: (publisher: string) => void;
  readonly #onLostHint: (error: unknown) => void;

  private constructor(orm: MikroORM, options: DatabaseOptions) {
    this.orm = orm;
    this.schema = options.schema;
    this.#onTold = options.onTold ?? (() => {});
    this.#onLostHint = options.onLostHint ?? (() => {});
  }

  static async open(options: DatabaseOptions): Promise<Database> {
    const orm = await MikroORM.init({
      clientUrl: options.url,
      schema: options.schema,
      entities: options.entities,
      extensions: [Migrator],
      discovery: { warnWhenNoEntities: false },
      forceUtcTimezone: true,
      debug: options.onQuery ? ['query'] : false,
      logger: options.onQuery ?? (() => {}),
      pool: { min: 0, max: options.poolSize ?? 8 },
      driverOptions: {
        connectionTimeoutMillis: 5_000,
        query_timeout: 20_000,
        options: `-c search_path=${options.schema},public`,
      },
      migrations: {
        path: options.migrations,
        glob: '!(*.d).{js,ts}',
        tableName: 'migrations',
        snapshot: false,
        emit: 'ts',
        disableForeignKeys: false,
        safe: true,
      },
      schemaGenerator: {
        createForeignKeyConstraints: true,
        disableForeignKeys: false,
        skipTables: [...runtimeTables],
      },
    });
    return new Database(orm as unknown as MikroORM, options);
  }

  /**
   * Runs `work` in a transaction, or in the one already open here (REQUIRED). Serialization failures and
   * deadlocks of the outermost transaction are tried again, so `work` must not act outside the database.
   * A statement that failed ends a transaction even where its error is caught: the commit is refused then.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const open = this.#open;
    if (open) return work(open);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#begin(work);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code && unstorable.has(code))
          throw new Invalid('TEXT_INVALID', 'A text holds a character that cannot be kept, such as NUL');
        if ((code !== '40001' && code !== '40P01') || attempt === maxTries) throw error;
        await sleep(Math.random() * 2 ** attempt * 5);
      }
    }
  }

  /** Reads what the open transaction sees, or what is committed where none is open. */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const open = this.#open;
    return work(open ? open.em : (this.orm.em.fork() as EntityManager));
  }

  /** True where the current async context already holds a transaction: no vendor may be called here. */
  get inTransaction(): boolean {
    return this.#open !== undefined;
  }

  /** Timers and listeners that a transaction set up still carry it when it is over; they are no part of it. */
  get #open(): OpenTransaction | undefined {
    const open = this.#ambient.getStore();
    return open?.over ? undefined : open;
  }

  async #begin<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const em = this.orm.em.fork() as EntityManager;
    const { result, tx } = await em.transactional(async (inner) => {
      const tx = new OpenTransaction(inner as EntityManager);
      try {
        const result = await this.#ambient.run(tx, () => work(tx));
        await inner.flush();
        tx.over = true;
        await writeOutbox(tx);
        return { result, tx };
      } finally {
        tx.over = true;
      }
    });
    if (tx.told.length > 0) this.#hint(() => this.#onTold(this.schema));
    for (const hint of tx.hints) this.#hint(hint);
    return result;
  }

  #hint(hint: () => void): void {
    try {
      hint();
    } catch (error) {
      this.#onLostHint(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.orm.close(true);
  }
}

/** Tables that the runtime keeps in every subgraph's schema (see runtime-tables.ts); the ORM leaves them alone. */
export const runtimeTables = [
  'runtime_migrations',
  'outbox',
  'outbox_keys',
  'inbox',
  'inbox_cursors',
  'inbox_parked',
  'contract_calls',
  'ledger_accounts',
  'ledger_journals',
  'ledger_entries',
  'ledger_holds',
  'ledger_chain',
  'ledger_head',
] as const;

/**
 * Sequence numbers per key are allotted under the keys' row locks, last thing before commit: no gaps. The locks
 * are taken in the order of the keys, so that two transactions which tell of the same things never deadlock.
 */
async function writeOutbox({ em, told }: OpenTransaction): Promise<void> {
  if (told.length === 0) return;
  const rows = told.map(({ definition, payload }, index) => {
    const encoded = z.encode(definition.payload, payload as never) as Record<string, unknown>;
    const key = encoded[definition.key];
    if (typeof key !== 'string')
      throw new TypeError(`${definition.name} is ordered by ${definition.key}, which is no text here`);
    return { index, id: newId(), event: definition.name, version: definition.version, key, payload: encoded };
  });
  await em.execute(
    `with told as materialized (
       select * from jsonb_to_recordset(?::jsonb)
         as t (index integer, id uuid, event text, version integer, key text, payload jsonb)),
     allotted as (
       insert into outbox_keys (key, last_seq)
       select key, count(*) from told group by key order by key
       on conflict (key) do update set last_seq = outbox_keys.last_seq + excluded.last_seq
       returning key, last_seq)
     insert into outbox (id, event, version, key, key_seq, payload)
     select t.id, t.event, t.version, t.key,
            a.last_seq - count(*) over (partition by t.key) + row_number() over (partition by t.key order by t.index),
            t.payload
       from told t join allotted a using (key) order by t.index`,
    [JSON.stringify(rows)],
  );
}
