/**
 * Calls between subgraphs. Whether the answerer lives in this process or in another, both sides pass the same
 * schemas and the same idempotency record, so nothing that works in one process can break when split.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Answers, Caller, Contract, Method } from '../kernel/contract.ts';
import { Conflict, NotFound, Refusal, type RefusalRecord, refusalFromRecord } from '../kernel/errors.ts';
import type { Database } from './database.ts';
import { PeerUnreachable } from './transient.ts';

/** One method call in JSON, as it crosses processes. */
export interface ContractCall {
  readonly input: unknown;
  readonly key?: string;
}

export type ContractAnswer = { readonly output: unknown } | { readonly refusal: RefusalRecord };

/** Reaches an answerer in another process; throws `PeerUnreachable` where it does not answer. */
export type RemoteContracts = (
  answerer: string,
  method: string,
  call: ContractCall,
) => Promise<ContractAnswer>;

type Answer = (method: string, call: ContractCall) => Promise<ContractAnswer>;

export class Contracts {
  readonly #local = new Map<string, Answer>();
  readonly #remote: RemoteContracts;

  constructor(remote: RemoteContracts = (answerer) => Promise.reject(new PeerUnreachable(answerer))) {
    this.#remote = remote;
  }

  /** Makes a subgraph of this process answer its contract. */
  implement<C extends Contract>(contract: C, answers: Answers<C>, db: Database): void {
    this.#local.set(contract.answerer, answering(contract, answers as Record<string, Implementation>, db));
  }

  /** What another process sends to a subgraph of this one. */
  answer(answerer: string, method: string, call: ContractCall): Promise<ContractAnswer> {
    const local = this.#local.get(answerer);
    if (!local) throw new NotFound('CONTRACT_UNKNOWN', `${answerer} does not answer here`);
    return local(method, call);
  }

  /** The contract as functions. Refusals of the answerer are thrown here as they were there. */
  caller<C extends Contract>(contract: C): Caller<C> {
    const call = (name: string, method: Method) => async (input: unknown, options?: { key: string }) => {
      const encoded: ContractCall = { input: z.encode(method.input, input as never), key: options?.key };
      const local = this.#local.get(contract.answerer);
      const answer = local
        ? await local(name, encoded)
        : await this.#remote(contract.answerer, name, encoded);
      if ('refusal' in answer) throw refusalFromRecord(answer.refusal);
      return z.decode(method.output, answer.output as never);
    };
    return Object.fromEntries(
      Object.entries(contract.methods).map(([name, method]) => [name, call(name, method)]),
    ) as Caller<C>;
  }
}

type Implementation = (input: unknown, key: string) => Promise<unknown>;

function answering(contract: Contract, answers: Record<string, Implementation>, db: Database): Answer {
  const run = async (name: string, { input, key }: ContractCall): Promise<unknown> => {
    const method = contract.methods[name];
    if (!method) throw new NotFound('CONTRACT_METHOD_UNKNOWN', `${contract.answerer} has no method ${name}`);
    const act = async (): Promise<unknown> =>
      z.encode(
        method.output,
        (await answers[name]!(z.decode(method.input, input as never), key ?? '')) as never,
      );
    if (method.kind === 'question') return act();
    if (!key) throw new Conflict('IDEMPOTENCY_KEY_MISSING', `${name} needs an idempotency key`);
    const hash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
    if (method.kind === 'command') return once(db, name, key, hash, act);
    const known = await recorded(db, name, key, hash);
    return known ? known.response : remember(db, name, key, hash, await act());
  };
  return async (name, call) => {
    try {
      return { output: await run(name, call) };
    } catch (error) {
      if (error instanceof Refusal) return { refusal: error.toRecord() };
      throw error;
    }
  };
}

/** Claims the key first: a second caller waits on the claim and then reads the first one's answer. */
function once(
  db: Database,
  method: string,
  key: string,
  hash: string,
  act: () => Promise<unknown>,
): Promise<unknown> {
  return db.transaction(async (tx) => {
    const claimed = await tx.sql(
      'insert into contract_calls (method, key, request_hash) values (?, ?, ?) on conflict do nothing returning 1',
      [method, key, hash],
    );
    if (claimed.length === 0) return (await recorded(db, method, key, hash))?.response;
    const response = await act();
    await tx.sql('update contract_calls set response = ?::jsonb where method = ? and key = ?', [
      JSON.stringify(response ?? null),
      method,
      key,
    ]);
    return response;
  });
}

async function remember(
  db: Database,
  method: string,
  key: string,
  hash: string,
  response: unknown,
): Promise<unknown> {
  await db.transaction((tx) =>
    tx.sql(
      'insert into contract_calls (method, key, request_hash, response) values (?, ?, ?, ?::jsonb) on conflict do nothing',
      [method, key, hash, JSON.stringify(response ?? null)],
    ),
  );
  return response;
}

async function recorded(
  db: Database,
  method: string,
  key: string,
  hash: string,
): Promise<{ response: unknown } | undefined> {
  const [row] = await db.read((em) =>
    em.execute<{ request_hash: string; response: unknown }[]>(
      'select request_hash, response from contract_calls where method = ? and key = ?',
      [method, key],
    ),
  );
  if (row && row.request_hash !== hash) {
    throw new Conflict('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another request');
  }
  return row;
}
