/** The change log of each contract, as its file tells it; newest first. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ContractRelease } from './session.ts';

const releases = z.array(
  z.object({
    date: z.iso.date(),
    note: z.string(),
    changes: z.array(
      z.object({
        kind: z.enum(['ADDED', 'REMOVED', 'CHANGED', 'DEPRECATED']),
        what: z.string(),
        breaking: z.boolean(),
        detail: z.string().nullable(),
      }),
    ),
  }),
);

/** Reads a log anew each time: they are small, and a release should show without a restart. */
export async function changeLogOf(
  contract: string | null,
  files: ReadonlyMap<string | null, string>,
): Promise<readonly ContractRelease[]> {
  if (contract === null) return [];
  const file = files.get(contract) ?? files.get(null);
  if (file === undefined) return [];
  const log = releases.parse(JSON.parse(await readFile(file, 'utf8')));
  return log.toSorted((one, other) => (one.date < other.date ? 1 : one.date > other.date ? -1 : 0));
}
