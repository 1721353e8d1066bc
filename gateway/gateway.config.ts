/** The gateway's environment: the only file here that reads it. Every fault is told at once. */
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { defineConfig, duration, type Environment, flag } from '#shared/runtime/config.ts';
import { type InternalSecrets, parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { explorerSettings } from './explorer/explorer.config.ts';
import { policySettings } from './policy/policy.config.ts';
import { telemetrySettings } from './telemetry/telemetry.config.ts';

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

/** `name=value,name=value`. */
function parsePairs(text: string, name: RegExp, value: RegExp): ReadonlyMap<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return new Map(
    pairs.map((pair) => {
      const [before = '', after = ''] = pair.trim().split(/=(.*)/s);
      if (!name.test(before) || !value.test(after)) throw new RangeError(`"${pair}" is not understood`);
      return [before, after] as const;
    }),
  );
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
  /** `kid:secret`, one or two. Without any, requests to subgraphs are not signed and tell nothing of the viewer. */
  INTERNAL_SECRETS: z
    .string()
    .default('')
    .transform(read((text): InternalSecrets => (text === '' ? [] : parseInternalSecrets(text)))),
  /** Browsers' origins that may call, by HTTP and WebSocket; the gateway's own origin always may. */
  ORIGINS: list,
  /** Refuses requests that a page elsewhere could make a browser send without asking first. */
  CSRF_PREVENTION: flag(true),
  /** Contracts of the API, each with the supergraph file that holds it: `partner=schema/partner.graphql`. */
  CONTRACTS: z
    .string()
    .default('')
    .transform(read((text) => parsePairs(text, /^[\w-]+$/, /^\S+$/))),
  /** Pages of subgraphs under an address of the gateway's own: `/track=custody:/track`. */
  PUBLIC_ROUTES: z
    .string()
    .default('')
    .transform(read((text) => parsePairs(text, /^\/[\w/-]+$/, /^[\w-]+:\/\S*$/))),
  SUBGRAPH_TIMEOUT: duration('5s'),
  /** Requests to one subgraph at once; ten times as many may wait. */
  SUBGRAPH_CONCURRENCY: z.coerce.number().int().positive().default(200),
  /** So many failures of a subgraph in a row, and it is left alone for `SUBGRAPH_REST`. */
  SUBGRAPH_FAILURES: z.coerce.number().int().positive().default(20),
  SUBGRAPH_REST: duration('2s'),
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
  /** Recent events that are kept for those who resume or lie behind, per upstream; and what a subgraph may be ahead. */
  SUBSCRIPTION_BUFFER: z.coerce.number().int().positive().default(256),
  /** The same in characters of JSON. */
  SUBSCRIPTION_BUFFER_SIZE: bytes(256 * 1024),
  /** A lost subgraph may come back so long before its subscriptions are interrupted. */
  SUBSCRIPTION_RECOVERY: duration('20s'),
  /** A source outlives its last client so long, for one that comes right back. */
  SUBSCRIPTION_LINGER: duration('0ms'),
  /** Bytes that a client may leave untaken before it is sent nothing more. */
  CLIENT_BACKLOG: bytes(128 * 1024),
  SUBSCRIPTIONS_PER_SOCKET: z.coerce.number().int().positive().default(10),
  SUBSCRIBES_PER_SECOND: z.coerce.number().int().positive().default(50),
  /** Of any kind, pings included, on one socket; a client that sends more is closed. */
  MESSAGES_PER_SECOND: z.coerce.number().int().positive().default(200),
  /** New sockets and event streams; who comes too many is told to come back a little later. */
  CONNECTIONS_PER_SECOND: z.coerce.number().int().positive().default(5_000),
  /** At once. Unset: 2,000, 20 and 50 in production, and no limit elsewhere. */
  CONNECTIONS_PER_ADDRESS: z.coerce.number().int().positive().optional(),
  CONNECTIONS_PER_DEVICE: z.coerce.number().int().positive().optional(),
  CONNECTIONS_PER_USER: z.coerce.number().int().positive().optional(),
  ...explorerSettings,
  ...policySettings,
  ...telemetrySettings,
});

export type GatewayConfig = ReturnType<typeof readGatewayConfig>;

export const gatewayConfigOf = (env: Environment = process.env): GatewayConfig => readGatewayConfig(env);

/** Constructing an `ApolloGateway` would otherwise start a metrics exporter and probe cloud metadata addresses. */
export function disableVendorTelemetry(): void {
  process.env.APOLLO_TELEMETRY_DISABLED = '1';
}
