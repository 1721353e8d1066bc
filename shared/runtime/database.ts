/**
 * One PostgreSQL schema of one subgraph: its ORM instance and its unit of work.
 * `transaction` is the only way to write. It joins the transaction already open in this async context, so a
 * service method is whole on its own and still part of its caller's commit. Facts told inside are written to
 * the outbox by the same commit; nothing told survives a rollback.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AnyEntity, EntityClass, EntitySchema } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { z } from 'zod';
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
}

interface Told {
  readonly definition: EventDefinition;
  readonly payload: unknown;
}

class OpenTransaction implements Transaction {
  readonly em: EntityManager;
  readonly told: Told[] = [];
  readonly hints: (() => void)[] = [];

  constructor(em: EntityManager) {
    this.em = em;
  }

  sql<Row extends object>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return this.em.execute(text, parameters as unknown[]) as unknown as Promise<Row[]>;
  }

  tell<E extends EventDefinition>(definition: E, payload: PayloadOf<E>): void {
    this.told.push({ definition, payload });
  }

  afterCommit(hint: () => void): void {
    this.hints.push(hint);
  }
}

export class Database {
  readonly schema: string;
  readonly orm: MikroORM;
  readonly #ambient = new AsyncLocalStorage<OpenTransaction>();
  readonly #onTold: (publisher: string) => void;

  private constructor(orm: MikroORM, options: DatabaseOptions) {
    this.orm = orm;
    this.schema = options.schema;
    this.#onTold = options.onTold ?? (() => {});
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
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const open = this.#ambient.getStore();
    if (open) return work(open);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#begin(work);
      } catch (error) {
        const code = (error as { code?: string }).code;
        if ((code !== '40001' && code !== '40P01') || attempt === 5) throw error;
      }
    }
  }

  /** Reads with a fresh identity map, inside the open transaction when there is one. */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const open = this.#ambient.getStore();
    return work(open ? open.em : (this.orm.em.fork() as EntityManager));
  }

  /** True where the current async context already holds a transaction: no vendor may be called here. */
  get inTransaction(): boolean {
    return this.#ambient.getStore() !== undefined;
  }

  async #begin<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const em = this.orm.em.fork() as EntityManager;
    let open!: OpenTransaction;
    const result = await em.transactional(async (inner) => {
      open = new OpenTransaction(inner as EntityManager);
      const value = await this.#ambient.run(open, () => work(open));
      await inner.flush();
      await writeOutbox(open);
      return value;
    });
    if (open.told.length > 0) this.#onTold(this.schema);
    for (const hint of open.hints) hint();
    return result;
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

/** Sequence numbers per key are allotted under the key's row lock, last thing before commit: no gaps. */
async function writeOutbox(open: OpenTransaction): Promise<void> {
  for (const { definition, payload } of open.told) {
    const encoded = z.encode(definition.payload, payload as never) as Record<string, unknown>;
    const key = String(encoded[definition.key]);
    await open.sql(
      `with next as (
         insert into outbox_keys (key, last_seq) values (?, 1)
         on conflict (key) do update set last_seq = outbox_keys.last_seq + 1
         returning last_seq)
       insert into outbox (id, event, version, key, key_seq, payload)
       select ?::uuid, ?, ?, ?, last_seq, ?::jsonb from next`,
      [key, newId(), definition.name, definition.version, key, JSON.stringify(encoded)],
    );
  }
}
