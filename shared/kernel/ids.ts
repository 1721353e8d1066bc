import { v7, validate } from 'uuid';
import { Invalid } from './errors.ts';

/** A new UUIDv7: unique everywhere, ordered by time of making, safe as a message id. */
export const newId = (): string => v7();

export const isId = (text: string): boolean => validate(text);

/** Refuses with `ID_MALFORMED` whatever is no UUID; PostgreSQL would answer with an error of its own. */
export function requireId(text: string, what = 'id'): string {
  if (!isId(text)) throw new Invalid('ID_MALFORMED', `${what} is not an id`);
  return text;
}
