import { z } from 'zod';
import { defineConfig, type Environment, flag } from '#shared/runtime/config.ts';

const read = defineConfig({
  /** Of the single endpoint. */
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  /** An external PostgreSQL; without one the embedded server is started. */
  DATABASE_URL: z.string().optional(),
  /** Where the embedded server, the keys and uploaded files are kept. */
  DATA_DIR: z.string().default('.data'),
  /** `one`: everything in this process. `split`: gateway and every subgraph in a process of its own. */
  FORM: z.enum(['one', 'split']).default('one'),
  /**
   * `demo`: windows of seconds, and a few people and trips to begin with. `empty`: the same windows, nobody there.
   * `plain`: production's windows, nobody there.
   */
  WORLD: z.enum(['demo', 'empty', 'plain']).default('demo'),
  LOG_LEVEL: z.string().default('warn'),
  /** True where a machine reads the output: one JSON line when ready. */
  JSON_OUTPUT: flag(false),
  /** `<step>:<phase>` at which crashing.ts dies; tests only. */
  CRASH_AT: z.string().optional(),
  /** Endpoint that the demo talks to. */
  BATON_URL: z.url().default('http://127.0.0.1:4000/graphql'),
});

export type JourneysConfig = ReturnType<typeof read> & { readonly env: Environment };

/** `overrides` stand above the environment: they come from the command line. */
export function readJourneysConfig(overrides: Environment = {}): JourneysConfig {
  const env = { ...process.env, ...overrides };
  return { ...read(env), env };
}

/** What a process started by a test takes over from this one. */
export const inheritedEnvironment = (): Environment => ({ ...process.env });
