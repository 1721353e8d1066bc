import type Stripe from 'stripe';
import { invalidRequest } from './api-error.ts';
import type { Context } from './context.ts';
import type { Documents, Kind, PageRequest } from './store.ts';

/** Answers a list request: newest first, cursors by id. */
export async function listOf<K extends Kind>(
  context: Context,
  kind: K,
  url: string,
  where: object,
  params: Stripe.PaginationParams & { created?: PageRequest['created'] },
): Promise<Stripe.ApiList<Documents[K]>> {
  const page = await context.tx.list(kind, context.account, where, {
    ...(params.limit === undefined ? {} : { limit: params.limit }),
    ...(params.starting_after === undefined ? {} : { startingAfter: params.starting_after }),
    ...(params.ending_before === undefined ? {} : { endingBefore: params.ending_before }),
    ...(params.created === undefined ? {} : { created: params.created }),
  });
  return { object: 'list', data: page.rows.map((row) => row.doc), has_more: page.more, url };
}

/** Members that are given, for a `where`. */
export const given = (members: Record<string, unknown>): object =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

/**
 * Replaces the ids at the paths of `expand[]` by their objects. Refuses paths that the answer does not have.
 * A copy as JSON: what is answered must not change what is kept.
 */
export async function expandAnswer(
  context: Context,
  answer: object,
  paths: readonly string[],
): Promise<object> {
  const root: Json = JSON.parse(JSON.stringify(answer));
  for (const path of paths) {
    if (path.split('.').length > 4)
      throw invalidRequest('You cannot expand more than 4 levels of a property');
    await expandAt(context, root, path.split('.'), path);
  }
  return root as object;
}

async function expandAt(
  context: Context,
  at: Json,
  [member, ...rest]: string[],
  path: string,
): Promise<void> {
  if (Array.isArray(at)) {
    for (const item of at) await expandAt(context, item, [member ?? '', ...rest], path);
    return;
  }
  if (at === null) return;
  if (typeof at !== 'object' || member === undefined || !(member in at))
    throw invalidRequest(`This property cannot be expanded (${path}).`, { param: 'expand' });
  const value = at[member];
  if (typeof value === 'string') {
    const found = await context.tx.lookUp(value);
    if (!found) throw invalidRequest(`This property cannot be expanded (${path}).`, { param: 'expand' });
    at[member] = JSON.parse(JSON.stringify(found));
  }
  if (rest.length > 0) await expandAt(context, at[member] ?? null, rest, path);
}
