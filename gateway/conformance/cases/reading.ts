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
 * The operation ends with this code before any event: by an error, or, as servers do whose resolver refused, by
 * a result of errors and the complete.
 */
export async function refusedWith(operation: Operation, code: string): Promise<void> {
  const { type, payload } = await operation.any();
  if (type === 'error') return assert.equal(codeOf(payload as readonly ResultError[]), code);
  assert.equal(type, 'next', 'an error, or a result of errors');
  const { data, errors } = payload as Result;
  assert.equal(codeOf(errors), code);
  assert.ok(
    Object.values(data ?? {}).every((value) => value === null),
    'no data',
  );
  await operation.completed();
}
