/** How cases read results: what is not as expected fails with words. */
import assert from 'node:assert/strict';
import { codeOf, type Result, type ResultError } from '../client/result.ts';
import type { Operation } from '../client/socket.ts';

/** The data of a result without errors. */
export function dataOf(result: Result): Readonly<Record<string, unknown>> {
  assert.equal(result.errors, undefined, `no errors, but ${JSON.stringify(result.errors)}`);
  assert.ok(result.data, 'data that is not null');
  return result.data;
}

/** What the only root field of each result holds. */
export const valuesOf = (results: readonly Result[]): unknown[] =>
  results.map((result) => Object.values(dataOf(result))[0]);

/** The `number` of each result's root field. */
export const numbersOf = (results: readonly Result[]): unknown[] =>
  valuesOf(results).map((value) => (value as { number?: unknown } | null)?.number);

export async function nextValue(operation: Operation): Promise<unknown> {
  return valuesOf([await operation.next()])[0];
}

/** 1, 2, … */
export const countTo = (count: number, from = 1): number[] =>
  Array.from({ length: count - from + 1 }, (_, index) => from + index);

export const repeat = <Item>(count: number, item: (number: number) => Item): Item[] =>
  countTo(count).map(item);

/**
 * The errors with which the operation ends before any event: those of an `error`, or, as servers do that learn of
 * the refusal late, those of a result and the `complete` after it.
 */
export async function refusalOf(operation: Operation): Promise<readonly ResultError[]> {
  const { type, payload } = await operation.any();
  if (type === 'error') return payload as readonly ResultError[];
  assert.equal(type, 'next', 'an error, or a result of errors');
  const { data, errors } = payload as Result;
  assert.ok(errors?.length, `errors, but it was ${JSON.stringify(payload)}`);
  assert.ok(
    Object.values(data ?? {}).every((value) => value === null),
    'no data',
  );
  await operation.completed();
  return errors;
}

export async function refusedWith(operation: Operation, code: string): Promise<void> {
  assert.equal(codeOf(await refusalOf(operation)), code);
}
