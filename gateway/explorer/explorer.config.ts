/** The part of the gateway's environment that says what the explorer shows besides the schema itself. */
import { z } from 'zod';
import { flag } from '#shared/runtime/config.ts';

/** `contract=path,contract=path`; a bare path is for every contract. */
const changeLogs = z
  .string()
  .default('')
  .transform((text, context): ReadonlyMap<string | null, string> => {
    const logs = new Map<string | null, string>();
    for (const each of text.split(',').map((part) => part.trim())) {
      if (each === '') continue;
      const [, contract, path] = /^(?:([\w-]+)=)?([^\s=]+)$/.exec(each) ?? [];
      if (path) logs.set(contract ?? null, path);
      else context.addIssue({ code: 'custom', message: `"${each}" is not contract=path` });
    }
    return logs;
  });

export const explorerSettings = {
  /** Serves the schema explorer at `/explorer`. */
  EXPLORER: flag(true),
  /** What the API is called on the page. */
  EXPLORER_TITLE: z.string().trim().min(1).default('GraphQL API'),
  /** Folder of `.graphql` files with ready-made operations; empty: none. */
  EXPLORER_OPERATIONS: z.string().default(''),
  /** Change logs of contracts, JSON: `partner=schema/partner-changes.json`. */
  EXPLORER_CHANGES: changeLogs,
};
