/**
 * Calls between subgraphs. Whether the answerer lives in this process or in another, both sides pass the same
 * schemas and the same idempotency record, so nothing that works in one process can break when split.
 * An answer is an output or a refusal. Whatever else goes wrong is trouble of the infrastructure (transient)
 * or a fault of the code (`ContractFault`): no caller may take either for the answerer's decision.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Answers, Caller, Contract, Method } from '../kernel/contract.ts';
import { Conflict, Refusal, type RefusalRecord, refusalFromRecord } from '../kernel/errors.ts';
import type { Database } from './database.ts';
import { PeerUnreachable } from './transient.ts';

/** One method call in JSON, as it crosses processes. */
export interface ContractCall {
  readonly input: unknown;
  readonly key?: string;
}

export type ContractAnswer = { readonly output: unknown } | { readonly refusal: RefusalRecord };

/** Two sides that do not fit each other, or an answerer that failed at something unforeseen. */
export class ContractFault extends Error {
  override readonly name = 'ContractFault';
}

const refusalRecord = z.object({
  kind: z.enum(['INVALID', 'FORBIDDEN', 'NOT_FOUND', 'CONFLICT', 'UNAVAILABLE']),
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});

/** The shape of an answer that comes from another process. */
export const contractAnswer: z.ZodType<ContractAnswer> = z.union([
  z.object({ refusal: refusalRecord }),
  z.object({ output: z.unknown() }),
]);

/**
 * Reaches an answerer in another process; throws `PeerUnreachable` where it does not answer in time and
 * `ContractFault` where it failed.
 */
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
    if (!local) throw new ContractFault(`${answerer} does not answer here`);
    return local(method, call);
  }

  /** The contract as functions. Refusals of the answerer are thrown here as they were there. */
  caller<C extends Contract>(contract: C): Caller<C> {
    const call = (name: string, method: Method) => async (input: unknown, options?: { key: string }) => {
      const what = `${contract.answerer}.${name}`;
      const encoded = fitting(`input of ${what}`, () => z.encode(method.input, input as never));
      const message: ContractCall = { input: json(encoded), key: options?.key };
      const local = this.#local.get(contract.answerer);
      const answer = local
        ? await local(name, message)
        : await this.#remote(contract.answerer, name, message);
      if ('refusal' in answer) throw refusalFromRecord(answer.refusal);
      return fitting(`output of ${what}`, () => z.decode(method.output, answer.output as never));
    };
    return Object.fromEntries(
      Object.entries(contract.methods).map(([name, method]) => [name, call(name, method)]),
    ) as Caller<C>;
  }
}

type Implementation = (input: unknown, key: string) => Promise<unknown>;

/** What is left of a value on the wire, so that nothing passes in one process that would not between two. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** A value that does not fit its schema is a fault of the code on one side, told without the value itself. */
function fitting<T>(what: string, convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    if (!(error instanceof z.core.$ZodError)) throw error;
    const faults = error.issues.map(({ path, code }) => `${path.join('.') || 'the whole'} (${code})`);
    throw new ContractFault(`The ${what} does not fit the contract: ${faults.join(', ')}`);
  }
}

function answering(contract: Contract, answers: Record<string, Implementation>, db: Database): Answer {
  const run = async (name: string, { input, key }: ContractCall): Promise<unknown> => {
    const what = `${contract.answerer}.${name}`;
    const method = Object.hasOwn(contract.methods, name) ? contract.methods[name] : undefined;
    if (!method) throw new ContractFault(`${what} is no method`);
    const act = async (): Promise<unknown> => {
      const decoded = fitting(`input of ${what}`, () => z.decode(method.input, input as never));
      const output = await answers[name]!(decoded, key ?? '');
      return json(fitting(`output of ${what}`, () => z.encode(method.output, output as never)));
    };
    if (method.kind === 'question') return act();
    if (!key) throw new Conflict('IDEMPOTENCY_KEY_MISSING', `${name} needs an idempotency key`);
    const call: KeyedCall = { db, method: name, key, hash: hashOf(input) };
    return method.kind === 'command' ? once(call, act) : journaled(call, act);
  };
  return async (name, call) => {
    try {
      return { output: await run(name, call) };
    } catch (error) {
      if (error instanceof Refusal) return { refusal: json(error.toRecord()) as RefusalRecord };
      throw error;
    }
  };
}

interface KeyedCall {
  readonly db: Database;
  readonly method: string;
  readonly key: string;
  readonly hash: string;
}

const hashOf = (input: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(input ?? null))
    .digest('hex');

/**
 * In one transaction with what the command changes. Claims the key first: a second caller waits on the claim
 * and then reads the first one's answer. A refusal lets go of the claim.
 */
function once(call: KeyedCall, act: () => Promise<unknown>): Promise<unknown> {
  return call.db.transaction(async () => {
    const known = await claim(call);
    if (known) return known.response;
    const response = await act();
    await remember(call, response);
    return response;
  });
}

/** Without a transaction around it: two at once both act, and the service's own journal makes them one. */
async function journaled(call: KeyedCall, act: () => Promise<unknown>): Promise<unknown> {
  const known = await claim(call);
  if (known) return known.response;
  const response = await act();
  await remember(call, response);
  return response;
}

/** The answer given under this key, if any. Refuses `IDEMPOTENCY_KEY_REUSED` for another request. */
function claim({ db, method, key, hash }: KeyedCall): Promise<{ response: unknown } | undefined> {
  return db.transaction(async (tx) => {
    const claimed = await tx.sql(
      'insert into contract_calls (method, key, request_hash) values (?, ?, ?) on conflict do nothing returning 1',
      [method, key, hash],
    );
    if (claimed.length > 0) return undefined;
    const [row] = await tx.sql<{ request_hash: string; response: unknown; answered: boolean }>(
      `select request_hash, response, response is not null as answered
         from contract_calls where method = ? and key = ?`,
      [method, key],
    );
    if (row && row.request_hash !== hash)
      throw new Conflict('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used for another request');
    return row?.answered ? { response: row.response } : undefined;
  });
}

async function remember({ db, method, key }: KeyedCall, response: unknown): Promise<void> {
  await db.transaction((tx) =>
    tx.sql(
      'update contract_calls set response = ?::jsonb where method = ? and key = ? and response is null',
      [JSON.stringify(response), method, key],
    ),
  );
}
