/** The gateway's environment: the only file here that reads it. Every fault is told at once. */
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { defineConfig, duration, type Environment, flag } from '#shared/runtime/config.ts';
import { type InternalSecrets, parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { policySettings } from './policy/policy.config.ts';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean),
  );

function read<Value>(parse: (text: string) => Value) {
  return (text: string, context: z.RefinementCtx): Value => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  };
}

const keySet = z.object({
  keys: z.array(z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() })),
});

function parseKeys(text: string): JSONWebKeySet {
  if (text.trim() === '') return { keys: [] };
  const parsed = keySet.safeParse(JSON.parse(text));
  if (!parsed.success) throw new RangeError('is no JWK set of Ed25519 public keys');
  if (parsed.data.keys.some((key) => 'd' in key)) throw new RangeError('holds a private key');
  return parsed.data;
}

function parseUrls(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return new Map(
    pairs.map((pair) => {
      const [, name, url] = /^\s*([\w-]+)=(\S+)\s*$/.exec(pair) ?? [];
      if (!name || !url || !URL.canParse(url)) throw new RangeError(`"${pair}" is not name=url`);
      return [name, url] as const;
    }),
  );
}

const bytes = (fallback: number) => z.coerce.number().int().positive().default(fallback);

export const readGatewayConfig = defineConfig({
  PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  PRODUCTION: flag(false),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SUPERGRAPH_PATH: z.string().default('schema/supergraph.graphql'),
  /** Between two looks at the supergraph file. */
  SUPERGRAPH_POLL: duration('1s'),
  /** Where subgraphs are, where that differs from the supergraph file: `name=url,name=url`. */
  SUBGRAPH_URLS: z.string().default('').transform(read(parseUrls)),
  /** JWK set of Ed25519 public keys; empty: every viewer is anonymous. */
  ACCESS_TOKEN_PUBLIC_KEYS: z.string().default('').transform(read(parseKeys)),
  /** `kid:secret`, one or two; needed as soon as one subgraph is in another process. */
  INTERNAL_SECRETS: z
    .string()
    .default('')
    .transform(read((text): InternalSecrets => (text === '' ? [] : parseInternalSecrets(text)))),
  /** Browsers' origins that may call, by HTTP and WebSocket; the gateway's own origin always may. */
  ORIGINS: list,
  SUBGRAPH_TIMEOUT: duration('5s'),
  /** Longer, since a mutation may wait for a vendor; what it began goes on when the gateway stops waiting. */
  MUTATION_TIMEOUT: duration('30s'),
  ROUTE_TIMEOUT: duration('30s'),
  ROUTE_BODY_LIMIT: bytes(20 * 1024 * 1024),
  REQUEST_TIMEOUT: duration('30s'),
  /** What runs when the gateway is told to stop may take so long. */
  DRAIN_TIMEOUT: duration('10s'),
  SOCKET_INIT_TIMEOUT: duration('3s'),
  SOCKET_PING: duration('12s'),
  /** A client that takes nothing for so long is closed and told to resume. */
  SOCKET_STALL: duration('10s'),
  /** Events that one subscription may lie behind; beyond that it is interrupted and told to resume. */
  SUBSCRIPTION_BUFFER: z.coerce.number().int().positive().default(256),
  SUBSCRIPTIONS_PER_SOCKET: z.coerce.number().int().positive().default(10),
  ...policySettings,
});

export type GatewayConfig = ReturnType<typeof readGatewayConfig>;

export const gatewayConfigOf = (env: Environment = process.env): GatewayConfig => readGatewayConfig(env);

/** Constructing an `ApolloGateway` would otherwise start a metrics exporter and probe cloud metadata addresses. */
export function disableVendorTelemetry(): void {
  process.env.APOLLO_TELEMETRY_DISABLED = '1';
}
