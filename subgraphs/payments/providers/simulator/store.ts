/**
 * The simulator's memory: every Stripe object is one row whose `doc` is the object as it is answered.
 * All state is in PostgreSQL and every request is one transaction, so a simulator may be killed at any
 * moment and several of them may share a database.
 */
import { randomBytes } from 'node:crypto';
import { Pool, type PoolClient } from 'pg';
import type Stripe from 'stripe';
import { noSuch } from './api-error.ts';

/** What each kind of row holds. */
export interface Documents {
  account: Stripe.Account;
  balance_transaction: Stripe.BalanceTransaction;
  charge: Stripe.Charge;
  customer: Stripe.Customer;
  event: Stripe.Event;
  payment_intent: Stripe.PaymentIntent;
  payment_method: Stripe.PaymentMethod;
  payout: Stripe.Payout;
  refund: Stripe.Refund;
  transfer: Stripe.Transfer;
  transfer_reversal: Stripe.TransferReversal;
}
export type Kind = keyof Documents;

/** What the simulator knows of an object and does not tell: how a test card behaves, for example. */
export type Hidden = Readonly<Record<string, unknown>>;

export interface Row<K extends Kind> {
  readonly kind: K;
  readonly account: string;
  readonly doc: Documents[K];
  readonly hidden: Hidden;
}

export interface Page<K extends Kind> {
  readonly rows: Row<K>[];
  readonly more: boolean;
}

export interface PageRequest {
  readonly limit?: number;
  readonly startingAfter?: string;
  readonly endingBefore?: string;
  readonly created?: Stripe.RangeQueryParam | number;
}

interface RawRow<K extends Kind> {
  object: K;
  account: string;
  doc: Documents[K];
  hidden: Hidden;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A random id with Stripe's prefix, `pi_…`. */
export function stripeId(prefix: string, length = 24): string {
  return `${prefix}_${[...randomBytes(length)].map((byte) => alphabet[byte % alphabet.length]).join('')}`;
}

const createdRules = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** One transaction on the objects. */
export class Transaction {
  readonly client: PoolClient;
  readonly schema: string;

  constructor(client: PoolClient, schema: string) {
    this.client = client;
    this.schema = schema;
  }

  /** @param dueAt unix seconds at which the object changes by itself, see `due.ts` */
  async insert<K extends Kind>(
    kind: K,
    account: string,
    doc: Documents[K] & { readonly id: string },
    { hidden = {}, dueAt = null, created }: { hidden?: Hidden; dueAt?: number | null; created: number },
  ): Promise<void> {
    await this.client.query(
      `INSERT INTO ${this.schema}.objects (id, object, account, created, doc, hidden, due_at) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
      [doc.id, kind, account, created, JSON.stringify(doc), JSON.stringify(hidden), dueAt],
    );
  }

  async save<K extends Kind>(
    doc: Documents[K] & { readonly id: string },
    changes: { hidden?: Hidden; dueAt?: number | null } = {},
  ): Promise<void> {
    await this.client.query(
      `UPDATE ${this.schema}.objects SET doc = $2, hidden = coalesce($3, hidden), due_at = CASE WHEN $4 THEN $5::bigint ELSE due_at END WHERE id = $1`,
      [
        doc.id,
        JSON.stringify(doc),
        changes.hidden === undefined ? null : JSON.stringify(changes.hidden),
        changes.dueAt !== undefined,
        changes.dueAt ?? null,
      ],
    );
  }

  async find<K extends Kind>(kind: K, id: string, account = ''): Promise<Row<K> | undefined> {
    return this.#one(kind, id, account, '');
  }

  /** The object, or Stripe's 404. */
  async get<K extends Kind>(kind: K, id: string, account = '', param = 'id'): Promise<Row<K>> {
    const row = await this.find(kind, id, account);
    if (!row) throw noSuch(kind, id, param);
    return row;
  }

  /** The object, locked until the transaction ends, or Stripe's 404. */
  async lock<K extends Kind>(kind: K, id: string, account = '', param = 'id'): Promise<Row<K>> {
    const row = await this.#one(kind, id, account, 'FOR UPDATE');
    if (!row) throw noSuch(kind, id, param);
    return row;
  }

  async #one<K extends Kind>(kind: K, id: string, account: string, suffix: string) {
    const { rows } = await this.client.query<RawRow<K>>(
      `SELECT object, account, doc, hidden FROM ${this.schema}.objects WHERE id = $1 AND object = $2 AND account = $3 ${suffix}`,
      [id, kind, account],
    );
    return rows[0] && { kind, account: rows[0].account, doc: rows[0].doc, hidden: rows[0].hidden };
  }

  /** Any object by its id, for `expand`. */
  async lookUp(id: string): Promise<Documents[Kind] | undefined> {
    const { rows } = await this.client.query<RawRow<Kind>>(
      `SELECT object, account, doc, hidden FROM ${this.schema}.objects WHERE id = $1`,
      [id],
    );
    return rows[0]?.doc;
  }

  /** Newest first. @param where members that the object must contain, as in `{ payment_intent: 'pi_1' }` */
  async list<K extends Kind>(
    kind: K,
    account: string,
    where: object,
    page: PageRequest = {},
  ): Promise<Page<K>> {
    const limit = page.limit ?? 10;
    const values: unknown[] = [kind, account, JSON.stringify(where), limit + 1];
    const conditions: string[] = [];
    const bind = (value: unknown) => `$${values.push(value)}`;
    const sequenceOf = (id: string) => `(SELECT sequence FROM ${this.schema}.objects WHERE id = ${bind(id)})`;
    if (page.startingAfter) conditions.push(`sequence < ${sequenceOf(page.startingAfter)}`);
    if (page.endingBefore) conditions.push(`sequence > ${sequenceOf(page.endingBefore)}`);
    const created =
      typeof page.created === 'number' ? { gte: page.created, lte: page.created } : page.created;
    for (const [rule, sign] of Object.entries(createdRules)) {
      const bound = created?.[rule as keyof typeof createdRules];
      if (bound !== undefined) conditions.push(`created ${sign} ${bind(bound)}`);
    }
    const backwards = page.endingBefore !== undefined;
    const { rows } = await this.client.query<RawRow<K>>(
      `SELECT object, account, doc, hidden FROM ${this.schema}.objects
       WHERE object = $1 AND account = $2 AND doc @> $3::jsonb ${conditions.map((c) => `AND ${c}`).join(' ')}
       ORDER BY sequence ${backwards ? 'ASC' : 'DESC'} LIMIT $4`,
      values,
    );
    const found = rows
      .slice(0, limit)
      .map(({ doc, hidden, account: owner }) => ({ kind, doc, hidden, account: owner }));
    return { rows: backwards ? found.reverse() : found, more: rows.length > limit };
  }

  /** Holds a name until the transaction ends: balances are checked and spent under it. */
  async holdName(name: string): Promise<void> {
    await this.client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `${this.schema}:${name}`,
    ]);
  }

  /** As `holdName`, but false at once where another transaction has it. */
  async tryHoldName(name: string): Promise<boolean> {
    const { rows } = await this.client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS held',
      [`${this.schema}:${name}`],
    );
    return rows[0]?.held ?? false;
  }

  /** Runs a part that is undone alone when it throws. */
  async savepoint<T>(work: () => Promise<T>, keepOn: (error: unknown) => boolean): Promise<T> {
    await this.client.query('SAVEPOINT part');
    try {
      const result = await work();
      await this.client.query('RELEASE SAVEPOINT part');
      return result;
    } catch (error) {
      await this.client.query(keepOn(error) ? 'RELEASE SAVEPOINT part' : 'ROLLBACK TO SAVEPOINT part');
      throw error;
    }
  }
}

export class Store {
  readonly schema: string;
  readonly #pool: Pool;

  private constructor(pool: Pool, schema: string) {
    this.#pool = pool;
    this.schema = schema;
  }

  /** Connects and makes the tables where they are missing. */
  static async open(databaseUrl: string, schema: string, onLost: (error: Error) => void): Promise<Store> {
    if (!/^[a-z_][a-z0-9_]{0,40}$/.test(schema)) throw new RangeError(`"${schema}" cannot name a schema`);
    const pool = new Pool({
      connectionString: databaseUrl,
      max: 8,
      connectionTimeoutMillis: 10_000,
      query_timeout: 30_000,
      statement_timeout: 30_000,
      lock_timeout: 20_000,
      idle_in_transaction_session_timeout: 120_000,
      keepAlive: true,
    });
    pool.on('error', onLost);
    const store = new Store(pool, schema);
    try {
      await store.transaction(async (tx) => {
        // Two simulators that start at once would both find the schema missing.
        await tx.holdName('tables');
        await tx.client.query(tables(schema));
      });
    } catch (error) {
      await pool.end();
      throw error;
    }
    return store;
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(new Transaction(client, this.schema));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((lost: Error) => {
        broken = lost;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

const tables = (schema: string) => `
  CREATE SCHEMA IF NOT EXISTS ${schema};
  CREATE TABLE IF NOT EXISTS ${schema}.objects (
    id text PRIMARY KEY,
    object text NOT NULL,
    account text NOT NULL,
    created bigint NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    doc jsonb NOT NULL,
    hidden jsonb NOT NULL,
    due_at bigint
  );
  CREATE INDEX IF NOT EXISTS objects_newest ON ${schema}.objects (object, account, sequence DESC);
  CREATE INDEX IF NOT EXISTS objects_due ON ${schema}.objects (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS objects_contents ON ${schema}.objects USING gin (doc jsonb_path_ops);
  CREATE UNIQUE INDEX IF NOT EXISTS charges_settle_once ON ${schema}.objects ((doc->>'source'))
    WHERE object = 'balance_transaction' AND doc->>'type' = 'charge';
  CREATE TABLE IF NOT EXISTS ${schema}.idempotency (
    account text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    request_id text NOT NULL,
    status int NOT NULL,
    body text NOT NULL,
    created bigint NOT NULL,
    PRIMARY KEY (account, key)
  );
  CREATE TABLE IF NOT EXISTS ${schema}.deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL REFERENCES ${schema}.objects,
    url text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    emitted_at_ms bigint NOT NULL,
    next_at_ms bigint NOT NULL,
    leased_until timestamptz,
    delivered_at timestamptz,
    last_error text,
    UNIQUE (event_id, url)
  );
  CREATE INDEX IF NOT EXISTS deliveries_waiting ON ${schema}.deliveries (next_at_ms) WHERE delivered_at IS NULL;
`;
