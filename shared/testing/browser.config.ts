import { z } from 'zod';
import { defineConfig } from '#shared/runtime/config.ts';

const read = defineConfig({
  /** A Chromium or Chrome to test with; without it the usual names are looked for. */
  CHROMIUM_PATH: z.string().optional(),
  PATH: z.string().default('/usr/local/bin:/usr/bin:/bin'),
});

/** Where a browser may be. */
export function browserConfig(): { chromiumPath: string | undefined; searchPath: readonly string[] } {
  const { CHROMIUM_PATH, PATH } = read(process.env);
  return { chromiumPath: CHROMIUM_PATH, searchPath: PATH.split(':').filter(Boolean) };
}
