import { z } from 'zod';
import { defineConfig, duration, type Environment } from '#shared/runtime/config.ts';
import { parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { Secrets } from '#shared/runtime/secrets.ts';

/** A text that `read` can read; its complaint is the fault that is told. */
const readable = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

const read = defineConfig({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  /** 32 random bytes or more in base64url: every key of the platform is derived from it. */
  MASTER_SECRET: readable((text) => new Secrets(text)),
  /** `kid:secret` or two of them while they rotate; signs calls between processes. */
  INTERNAL_SECRETS: readable(parseInternalSecrets),
  /** Where clients reach the gateway. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:4000'),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Stable name of this replica: after a restart it takes up its own unfinished work at once. */
  EXECUTOR_ID: z.string().optional(),
  /** `name=url,…` where subgraphs listen elsewhere than rover.yaml says. */
  SUBGRAPH_URLS: z.string().default(''),
  CONTRACT_TIMEOUT: duration('10s'),
});

export type ProcessConfig = ReturnType<typeof read> & { readonly env: Environment };

/** What every process of subgraphs needs; the rest of the environment goes to their own configurations. */
export const readProcessConfig = (env: Environment = process.env): ProcessConfig => ({ ...read(env), env });
