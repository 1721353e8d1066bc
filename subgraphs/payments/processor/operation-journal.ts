/**
 * Owns the journal of everything asked of the card processor (`psp_operations`): written before each call,
 * resolved in the same commit as the call's effect here. Promises that a lost answer, a crash or two callers at
 * once end in one effect: what may have happened is looked for by its key before the same key is sent again, and
 * a new key is used only when the old one is known to have done nothing. Payments and payouts define their calls.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Refusal } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { after, type Clock, HOUR, MINUTE, SECOND } from '#shared/kernel/time.ts';
import { id } from '#shared/kernel/wire.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import { type AnyJob, type Durable, defineJob, type JobName } from '#shared/runtime/durable.ts';
import { PeerUnreachable } from '#shared/runtime/transient.ts';
import { OutcomeUnknown } from '../providers/card-processor.ts';
import {
  liveStates,
  PspOperationEntity,
  type PspOperationRow,
  type Sending,
} from './psp-operation.entities.ts';

export interface Operation<Request> {
  readonly id: string;
  readonly subjectId: string;
  readonly request: Request;
  /** What `prepared` had the ledger set aside. */
  readonly holdId?: string | null;
}

/** One kind of call. Requests are plain JSON: after a crash the call is made again from the journal. */
export interface Procedure<Request extends object, Result> {
  /** In the commit that begins the operation: what must be set aside first; gives the ledger's hold, if any. */
  prepared?(tx: Transaction, operation: Omit<Operation<Request>, 'holdId'>): Promise<string | undefined>;
  send(request: Request, key: string): Promise<Result>;
  /** What an earlier sending did; null where the processor knows of nothing. */
  find(request: Request, sending: { key: string; sentAt: Date }): Promise<Result | null>;
  /** In the commit that confirms the operation. */
  done(tx: Transaction, operation: Operation<Request>, result: Result): Promise<void>;
  /** In the commit that fails the operation: the processor said no and nothing was changed. */
  refused?(tx: Transaction, operation: Operation<Request>, refusal: Refusal): Promise<void>;
  /** When nobody knows what happened; `done` or `refused` follows. */
  lost?(tx: Transaction, operation: Operation<Request>): Promise<void>;
}

type AnyProcedure = Procedure<Record<string, unknown>, unknown>;

export const recoverOperationJob: JobName<{ operationId: string }> = {
  name: 'payments.recover-operation',
  payload: z.object({ operationId: id }),
};

/** A process that has not said how its call ended by now has died. */
const RECOVER_AFTER_MS = 2 * MINUTE;
const ASK_AGAIN_AFTER_MS = 5 * SECOND;
/** The processor forgets keys after 24 hours; no call survives as long. */
const KEY_LASTS_MS = 23 * HOUR;
const SAME_SENDING_MS = 30 * MINUTE;

export class OperationJournal {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #durable: Durable;
  readonly #procedures = new Map<string, AnyProcedure>();

  constructor(deps: { db: Database; clock: Clock; durable: Durable }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#durable = deps.durable;
  }

  /** Makes a kind of call known and gives the way to make it: once per subject at a time. */
  define<Request extends object, Result>(
    kind: string,
    procedure: Procedure<Request, Result>,
  ): (subjectId: string, request: Request) => Promise<void> {
    this.#procedures.set(kind, procedure as unknown as AnyProcedure);
    return (subjectId, request) => this.#carryOut(kind, subjectId, request as Record<string, unknown>);
  }

  readonly jobs: readonly AnyJob[] = [
    defineJob({ ...recoverOperationJob, run: ({ operationId }) => this.recover(operationId) }),
  ];

  /**
   * Finds out how the unfinished call of a subject ended, if there is one. Throws `PeerUnreachable` while
   * nobody knows; a call that turns out refused is a finished one.
   */
  async settle(subjectId: string): Promise<void> {
    const live = await this.#db.read((em) =>
      em.findOne(PspOperationEntity, { subjectId, state: { $in: [...liveStates] } }),
    );
    if (live) await this.recover(live.id);
  }

  /** As `settle`, for one operation. */
  async recover(operationId: string): Promise<void> {
    const operation = await this.#db.read((em) => em.findOne(PspOperationEntity, { id: operationId }));
    if (!operation || !liveStates.includes(operation.state)) return;
    await this.#call(operation).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
    });
  }

  async #carryOut(kind: string, subjectId: string, request: Record<string, unknown>): Promise<void> {
    if (this.#db.inTransaction) throw new Error(`${kind} was called inside a transaction`);
    const operation = await this.#begin(kind, subjectId, request);
    if (operation.kind !== kind) {
      // What the caller decided on may have changed with it: it has to look again.
      await this.recover(operation.id);
      throw new PeerUnreachable('an earlier operation of the card processor');
    }
    await this.#call(operation);
  }

  /** The operation as it now stands in the journal: a new one, or the one under way on this subject. */
  #begin(kind: string, subjectId: string, request: Record<string, unknown>): Promise<PspOperationRow> {
    return this.#db.transaction(async (tx) => {
      const now = this.#clock.now();
      const operationId = newId();
      const [made] = await tx.sql(
        `insert into psp_operations (id, kind, subject_id, state, request, key_number, sendings, prepared_at)
         values (?, ?, ?, 'prepared', ?::jsonb, 1, '[]'::jsonb, ?)
         on conflict (subject_id) where state in ('prepared', 'sent', 'unknown') do nothing returning id`,
        [operationId, kind, subjectId, JSON.stringify(request), now],
      );
      const operation = await tx.em.findOneOrFail(
        PspOperationEntity,
        made ? { id: operationId } : { subjectId, state: { $in: [...liveStates] } },
      );
      if (!made) return operation;
      operation.holdId =
        (await this.#procedures.get(kind)!.prepared?.(tx, { id: operationId, subjectId, request })) ?? null;
      const at = { id: operationId, runAt: after(now, RECOVER_AFTER_MS) };
      await this.#durable.schedule(tx, recoverOperationJob, at, { operationId });
      return operation;
    });
  }

  async #call(operation: PspOperationRow): Promise<void> {
    const procedure = this.#procedures.get(operation.kind)!;
    const again = operation.state !== 'prepared';
    if (again) {
      const found = await this.#find(procedure, operation);
      if (found !== null) return this.#confirm(operation, found);
    }
    const key = await this.#sending(operation);
    let result: unknown;
    try {
      result = await procedure.send(operation.request, key);
    } catch (error) {
      if (error instanceof Refusal) return this.#refuse(operation, error);
      if (!(error instanceof OutcomeUnknown)) throw error;
      // The processor keeps a failure for its key and will repeat it: only another key can succeed, and this
      // one did nothing, since we have just looked and it has answered.
      await this.#lose(operation, again && error.reason === 'PROCESSOR_FAILED');
      throw new PeerUnreachable('the card processor', { cause: error });
    }
    await this.#confirm(operation, result);
  }

  async #find(procedure: AnyProcedure, { request, sendings }: PspOperationRow): Promise<unknown> {
    for (const { key, sentAt } of sendings) {
      const found = await answered(() => procedure.find(request, { key, sentAt: new Date(sentAt) }));
      if (found !== null) return found;
    }
    return null;
  }

  /** Writes down that the call is being made, and under which key. */
  #sending({ id: operationId }: PspOperationRow): Promise<string> {
    return this.#db.transaction(async (tx) => {
      const operation = await this.#lock(tx, operationId);
      const now = this.#clock.now();
      const since = (sending: Sending | undefined): number =>
        sending ? now.getTime() - Date.parse(sending.sentAt) : 0;
      const first = operation.sendings.find(({ key }) => key === keyOf(operation));
      if (since(first) > KEY_LASTS_MS) operation.keyNumber += 1;
      const key = keyOf(operation);
      const last = operation.sendings.at(-1);
      if (last?.key !== key || since(last) > SAME_SENDING_MS)
        operation.sendings = [...operation.sendings, { key, sentAt: now.toISOString() }];
      if (operation.state === 'prepared') operation.state = 'sent';
      return key;
    });
  }

  #confirm({ id: operationId, kind }: PspOperationRow, result: unknown): Promise<void> {
    return this.#resolve(operationId, (tx, operation) => {
      operation.state = 'confirmed';
      return this.#procedures.get(kind)!.done(tx, operation, result);
    });
  }

  async #refuse({ id: operationId, kind }: PspOperationRow, refusal: Refusal): Promise<void> {
    await this.#resolve(operationId, async (tx, operation) => {
      operation.state = 'failed';
      operation.failure = refusal.code;
      await this.#procedures.get(kind)!.refused?.(tx, operation, refusal);
    });
    throw refusal;
  }

  #lose({ id: operationId, kind }: PspOperationRow, keyIsSpent: boolean): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const operation = await this.#lock(tx, operationId);
      if (!liveStates.includes(operation.state)) return;
      operation.state = 'unknown';
      if (keyIsSpent) operation.keyNumber += 1;
      await this.#procedures.get(kind)!.lost?.(tx, operation);
      const at = { id: `${operationId}:lost`, runAt: after(this.#clock.now(), ASK_AGAIN_AFTER_MS) };
      await this.#durable.schedule(tx, recoverOperationJob, at, { operationId });
    });
  }

  /** Runs the effect once: whoever comes second finds the operation resolved. */
  #resolve(
    operationId: string,
    effect: (tx: Transaction, operation: PspOperationRow) => Promise<void>,
  ): Promise<void> {
    return this.#db.transaction(async (tx) => {
      const operation = await this.#lock(tx, operationId);
      if (!liveStates.includes(operation.state)) return;
      await effect(tx, operation);
      operation.resolvedAt = this.#clock.now();
      await tx.em.flush();
    });
  }

  #lock(tx: Transaction, operationId: string): Promise<PspOperationRow> {
    return tx.em.findOneOrFail(
      PspOperationEntity,
      { id: operationId },
      { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true },
    );
  }
}

const keyOf = ({ id: operationId, keyNumber }: PspOperationRow): string => `${operationId}:${keyNumber}`;

/** A processor that does not answer a question is trouble of the infrastructure, and no refusal of the request. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'UNAVAILABLE')
      throw new PeerUnreachable('the card processor', { cause: error });
    throw error;
  }
}
