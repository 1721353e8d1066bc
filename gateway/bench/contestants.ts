/** The gateways that are compared, each as a process of its own: ours, the stock one, and the bare floor. */
import { rm } from 'node:fs/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort } from '../conformance/gateway-process.ts';
import { MeasuredProcess } from './measured-process.ts';

export const contestantNames = ['bare', 'ours', 'stock'] as const;
export type ContestantName = (typeof contestantNames)[number];

export interface Contestant extends AsyncDisposable {
  readonly name: ContestantName;
  readonly origin: string;
  readonly process: MeasuredProcess;
}

/** A viewer's token, and the environment by which our gateway proves it. */
export interface Token {
  readonly authorization: string;
  readonly publicKeys: string;
}

export async function issueToken(): Promise<Token> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const token = await new SignJWT({ typ: 'access', sid: 'session-1', roles: ['developer'] })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'k1' })
    .setSubject('user-1')
    .setAudience('baton')
    .setExpirationTime('2h')
    .sign(privateKey);
  const key = { ...(await exportJWK(publicKey)), kid: 'k1' };
  return { authorization: `Bearer ${token}`, publicKeys: JSON.stringify({ keys: [key] }) };
}

/** Ours with every guard: production mode, limits, validation, access tokens, masked errors. */
export function oursEnvironment(supergraph: string, port: number, { publicKeys }: Token) {
  return {
    SUPERGRAPH_PATH: supergraph,
    PORT: String(port),
    HOST: '127.0.0.1',
    PRODUCTION: 'true',
    LOG_LEVEL: 'warn',
    ACCESS_TOKEN_PUBLIC_KEYS: publicKeys,
  };
}

export interface ContestOptions {
  readonly supergraph: string;
  readonly query: string;
  readonly token: Token;
  /** Whether ours signs each request to a subgraph, which neither of the others does. */
  readonly signed: boolean;
}

export async function startContestant(
  name: ContestantName,
  { supergraph, query, token, signed }: ContestOptions,
): Promise<Contestant> {
  const port = await freePort();
  const file = (path: string): URL => new URL(path, import.meta.url);
  const place = [supergraph, String(port)];
  const process = {
    bare: () => new MeasuredProcess({ file: file('bare-runner.ts'), args: [...place, query] }),
    stock: () => new MeasuredProcess({ file: file('../conformance/stock-gateway.ts'), args: place }),
    ours: () =>
      new MeasuredProcess({
        file: file('../main.ts'),
        env: {
          ...oursEnvironment(supergraph, port, token),
          ...(signed ? { INTERNAL_SECRETS: `k1:${'s'.repeat(43)}` } : {}),
        },
      }),
  }[name]();
  const origin = `http://127.0.0.1:${port}`;
  return { name, origin, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

export const removing = (path: string) => () => rm(path, { recursive: true, force: true });
