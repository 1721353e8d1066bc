/** Relay connections over keyset pagination: opaque cursors, bounded pages. */
import { Invalid } from './errors.ts';

export const MAX_PAGE_SIZE = 100;

export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
}

export interface Connection<Node> {
  edges: { cursor: string; node: Node }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** Page size asked for, by default 20. Refuses `PAGE_SIZE_INVALID` outside 1..100. */
export function pageSize(page: PageArguments, fallback = 20): number {
  const size = page.first ?? fallback;
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
    throw new Invalid('PAGE_SIZE_INVALID', `first must be between 1 and ${MAX_PAGE_SIZE}`, {
      max: MAX_PAGE_SIZE,
    });
  }
  return size;
}

export const encodeCursor = (key: string): string => Buffer.from(key, 'utf8').toString('base64url');

/**
 * The key inside a cursor. Refuses `CURSOR_INVALID` for what no list can have made; the list itself refuses
 * keys that are none of its own.
 */
export function decodeCursor(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (key === '' || /\p{Cc}/u.test(key) || encodeCursor(key) !== cursor)
    throw new Invalid('CURSOR_INVALID', 'The cursor was not made by this list');
  return key;
}

/** Builds the connection from `size + 1` rows: the surplus row only says that there is more. */
export function connection<Node>(
  rows: readonly Node[],
  size: number,
  key: (node: Node) => string,
): Connection<Node> {
  const edges = rows.slice(0, size).map((node) => ({ cursor: encodeCursor(key(node)), node }));
  return { edges, pageInfo: { hasNextPage: rows.length > size, endCursor: edges.at(-1)?.cursor ?? null } };
}
