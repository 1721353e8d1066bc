/** A gateway over the toy subgraphs, in either form, and what a client application needs to talk to it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Logger, pino } from 'pino';
import { systemClock } from '#shared/kernel/time.ts';
import { parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { type ServedSubgraph, serveSubgraph } from '#shared/runtime/server/subgraph-server.ts';
import { readGatewayConfig } from '../gateway.config.ts';
import { type Gateway, startGateway } from '../server.ts';
import { sdl, toySubgraphs, World } from './toys.ts';

export type Form = 'in memory' | 'split';
export const forms: Form[] = ['in memory', 'split'];
export const logger = pino({ level: 'silent' });
export const INTERNAL_SECRETS = `k1:${'s'.repeat(32)}`;

export function compose(subgraphs: Record<string, string>): string {
  const services = Object.entries(subgraphs).map(([name, text]) => ({
    name,
    typeDefs: parse(text),
    url: `http://${name}.example/graphql`,
  }));
  const { supergraphSdl, errors } = composeServices(services);
  if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
  return supergraphSdl;
}

type SigningKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

/** The toys composed once; the split form tells their addresses by `SUBGRAPH_URLS`. */
const supergraph = compose(sdl);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    data?: Record<string, unknown> | null;
    errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
  };
}

export class Platform implements AsyncDisposable {
  readonly world: World;
  readonly gateway: Gateway;
  readonly served: ReadonlyMap<string, ServedSubgraph>;
  readonly supergraphPath: string;
  readonly #signingKey: SigningKey;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: {
    world: World;
    gateway: Gateway;
    served: ReadonlyMap<string, ServedSubgraph>;
    supergraphPath: string;
    signingKey: SigningKey;
    resources: AsyncDisposableStack;
  }) {
    this.world = parts.world;
    this.gateway = parts.gateway;
    this.served = parts.served;
    this.supergraphPath = parts.supergraphPath;
    this.#signingKey = parts.signingKey;
    this.#resources = parts.resources;
  }

  /** `log`: where the gateway writes, and the subgraphs that are served. */
  static async start(form: Form, env: Record<string, string> = {}, log: Logger = logger): Promise<Platform> {
    const resources = new AsyncDisposableStack();
    const world = new World();
    const locals = toySubgraphs(world);
    const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'));
    resources.defer(() => rm(folder, { recursive: true }));
    const served = new Map<string, ServedSubgraph>();
    const secrets = parseInternalSecrets(INTERNAL_SECRETS);
    const serving = { host: '127.0.0.1', port: 0, secrets, clock: systemClock, logger: log };
    for (const [name, local] of form === 'split' ? locals : [])
      served.set(name, resources.use(await serveSubgraph({ ...serving, local })));
    const urls = [...served].map(([name, { url }]) => `${name}=${url}`).join(',');
    const supergraphPath = join(folder, 'supergraph.graphql');
    await writeFile(supergraphPath, supergraph);
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    const config = readGatewayConfig({
      PORT: '0',
      SUPERGRAPH_PATH: supergraphPath,
      SUPERGRAPH_POLL: '50ms',
      INTERNAL_SECRETS,
      SUBGRAPH_URLS: urls,
      ACCESS_TOKEN_PUBLIC_KEYS: JSON.stringify({ keys: [await exportJWK(publicKey)] }),
      DRAIN_TIMEOUT: '1s',
      ...env,
    });
    const localSubgraphs = form === 'in memory' ? { localSubgraphs: locals } : {};
    const gateway = resources.use(
      await startGateway({ config, ...localSubgraphs, logger: log, clock: systemClock }),
    );
    return new Platform({
      world,
      gateway,
      served,
      supergraphPath,
      signingKey: privateKey,
      resources,
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.gateway.port}`;
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send({
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  query(query: string, variables: Record<string, unknown> = {}, token?: string): Promise<Answer> {
    return this.post({ query, variables }, token ? { authorization: `Bearer ${token}` } : {});
  }

  async send(init: RequestInit, path = '/graphql'): Promise<Answer> {
    const response = await fetch(this.origin + path, { signal: AbortSignal.timeout(10_000), ...init });
    const body = (await response.json()) as Answer['body'];
    return { status: response.status, headers: response.headers, body };
  }

  /** An access token of user `u1` unless told otherwise. */
  token(claims: Record<string, unknown> = {}, secondsLeft = 60): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ typ: 'access', sub: 'u1', sid: 's1', roles: ['reader'], ...claims })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuedAt(now)
      .setExpirationTime(now + secondsLeft)
      .sign(this.#signingKey);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** Waits for a condition, five seconds at most. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('The condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
