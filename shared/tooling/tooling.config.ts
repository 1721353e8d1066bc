import { resolve } from 'node:path';
import { z } from 'zod';

export const projectRoot = resolve(import.meta.dirname, '../..');

const environment = z.object({
  /** A PostgreSQL of one's own for the tests: its role must be allowed to create databases. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
});

/** Throws a `ZodError` that names the variable when one is malformed. */
export function toolingConfig(): { databaseUrl: string | undefined } {
  return { databaseUrl: environment.parse(process.env).DATABASE_URL };
}

/** What a tool started from here sees: this process's environment and `extra`. */
export const environmentWith = (extra: Record<string, string>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...extra,
});
