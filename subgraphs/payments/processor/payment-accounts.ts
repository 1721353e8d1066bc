/**
 * Owns who is who at the card processor (`payment_accounts`): the customer that a payer is, the account that a
 * payee is paid out to. Promises one of each per person. Payments and payouts call it.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { newId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { CardProcessor, PayoutAccountStatus } from '../providers/card-processor.ts';
import type { OperationJournal } from './operation-journal.ts';
import { PaymentAccountEntity, type PaymentAccountRow } from './payment-account.entities.ts';

export type { PaymentAccountRow };

export class PaymentAccounts {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #operations: OperationJournal;
  readonly #createCustomer: (accountId: string, request: object) => Promise<void>;
  readonly #createPayoutAccount: (
    accountId: string,
    request: { country: string; currency: string },
  ) => Promise<void>;

  constructor(deps: { db: Database; clock: Clock; processor: CardProcessor; operations: OperationJournal }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#operations = deps.operations;
    // An account whose making got no answer cannot be looked for, and does no harm: the key finds it, or another is made.
    this.#createCustomer = deps.operations.define('create customer', {
      send: (_, key) => deps.processor.createCustomer({ operationKey: key }),
      find: async () => null,
      done: async (tx, { subjectId }, { id }) => {
        (await this.#lock(tx, subjectId)).processorId = id;
      },
    });
    this.#createPayoutAccount = deps.operations.define('create payout account', {
      send: (request: { country: string; currency: string }, key) =>
        deps.processor.createPayoutAccount({ operationKey: key, ...request }),
      find: async () => null,
      done: async (tx, { subjectId }, status) => {
        const account = await this.#lock(tx, subjectId);
        account.processorId = status.id;
        this.#learn(account, status);
      },
    });
  }

  /** The processor's id of the payer. */
  async customerOf(userId: string): Promise<string> {
    const account = await this.#ensure(userId, 'payer');
    if (account.processorId != null) return account.processorId;
    await this.#operations.settle(account.id);
    if ((await this.payer(userId))?.processorId == null) await this.#createCustomer(account.id, {});
    return (await this.payer(userId))!.processorId!;
  }

  /** Opens the account that somebody is paid out to, once; later calls find it. */
  async openPayee(
    userId: string,
    request: { country: string; currency: string },
  ): Promise<PaymentAccountRow> {
    const account = await this.#ensure(userId, 'payee', request);
    if (account.processorId != null) return account;
    await this.#operations.settle(account.id);
    if ((await this.payee(userId))?.processorId == null)
      await this.#createPayoutAccount(account.id, {
        country: account.country!,
        currency: account.currency!,
      });
    return (await this.payee(userId))!;
  }

  payer(userId: string): Promise<PaymentAccountRow | null> {
    return this.#db.read((em) =>
      em.findOne(PaymentAccountEntity, { userId, kind: 'payer' }, { refresh: true }),
    );
  }

  payee(userId: string): Promise<PaymentAccountRow | null> {
    return this.#db.read((em) =>
      em.findOne(PaymentAccountEntity, { userId, kind: 'payee' }, { refresh: true }),
    );
  }

  /** The payee's account, locked, so that nothing is decided on how it stood before. */
  lockPayee(tx: Transaction, userId: string): Promise<PaymentAccountRow | null> {
    return tx.em.findOne(
      PaymentAccountEntity,
      { userId, kind: 'payee' },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }

  payees(userIds: readonly string[]): Promise<PaymentAccountRow[]> {
    return this.#db.read((em) =>
      em.find(PaymentAccountEntity, { userId: { $in: [...userIds] }, kind: 'payee' }),
    );
  }

  /** Notes how a payout account stands; null where it is none of ours. */
  async record(tx: Transaction, status: PayoutAccountStatus): Promise<PaymentAccountRow | null> {
    const account = await tx.em.findOne(
      PaymentAccountEntity,
      { processorId: status.id, kind: 'payee' },
      { lockMode: LockMode.PESSIMISTIC_WRITE },
    );
    if (account) this.#learn(account, status);
    return account;
  }

  #learn(account: PaymentAccountRow, status: PayoutAccountStatus): void {
    account.transfersEnabled = status.transfersEnabled;
    account.payoutsEnabled = status.payoutsEnabled;
    account.requirements = [...status.requirementsDue];
  }

  #lock(tx: Transaction, accountId: string): Promise<PaymentAccountRow> {
    return tx.em.findOneOrFail(
      PaymentAccountEntity,
      { id: accountId },
      { lockMode: LockMode.PESSIMISTIC_WRITE },
    );
  }

  async #ensure(
    userId: string,
    kind: PaymentAccountRow['kind'],
    { country, currency }: { country?: string; currency?: string } = {},
  ): Promise<PaymentAccountRow> {
    return this.#db.transaction(async (tx) => {
      await tx.sql(
        `insert into payment_accounts
           (id, user_id, kind, country, currency, transfers_enabled, payouts_enabled, requirements, created_at)
         values (?, ?, ?, ?, ?, false, false, '{}', ?) on conflict (user_id, kind) do nothing`,
        [newId(), userId, kind, country ?? null, currency ?? null, this.#clock.now()],
      );
      return tx.em.findOneOrFail(PaymentAccountEntity, { userId, kind });
    });
  }
}

/** May money be moved to the account? */
export const isReady = (
  account: PaymentAccountRow | null,
): account is PaymentAccountRow & { processorId: string } =>
  account?.processorId != null && account.transfersEnabled && account.payoutsEnabled;
