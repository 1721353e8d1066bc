/** A policy over subgraphs that tests steer, and tokens that it believes. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { pino } from 'pino';
import type { Environment } from '#shared/runtime/config.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { readGatewayConfig } from '../../gateway.config.ts';
import type { RouteRequest, SubgraphClient } from '../../subgraph-client/subgraph-client.ts';
import { createPolicy } from '../create-policy.ts';
import type { Policy } from '../policy.ts';

export class FixedClock {
  time = new Date('2026-11-23T00:00:00Z').getTime();
  now(): Date {
    return new Date(this.time);
  }
}

const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
const keys = JSON.stringify({ keys: [await exportJWK(publicKey)] });

/** Endless with `secondsLeft` null. */
export function token(
  clock: FixedClock,
  claims: Record<string, unknown> = {},
  secondsLeft: number | null = 300,
  key = privateKey,
): Promise<string> {
  const now = Math.floor(clock.time / 1000);
  const unsigned = new SignJWT({ typ: 'access', sub: 'u1', sid: 's1', roles: ['reader'], ...claims })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuedAt(now);
  if (secondsLeft !== null) unsigned.setExpirationTime(now + secondsLeft);
  return unsigned.sign(key);
}

/** The subgraph `who`, whose routes a test answers. */
export class Who {
  readonly asked: { method: string; target: string; viewer: RequestFacts['viewer']; body: string }[] = [];
  answer: (request: { target: string; body: string }) => { status: number; body: unknown } = () => ({
    status: 404,
    body: {},
  });

  get client(): SubgraphClient {
    const unused = () => {
      throw new Error('not asked for here');
    };
    return {
      name: 'who',
      execute: unused,
      subscribe: unused,
      fetchRoute: async ({ method, target, body }: RouteRequest, { viewer }) => {
        const text = body ? Buffer.concat(await body.toArray()).toString() : '';
        this.asked.push({ method, target, viewer, body: text });
        const answer = this.answer({ target, body: text });
        return Response.json(answer.body, { status: answer.status });
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
}

export function policyOf(
  options: { env?: Environment; who?: Who; clock?: FixedClock; log?: (line: string) => void } = {},
): Policy {
  const { env = {}, who, clock = new FixedClock(), log = () => undefined } = options;
  return createPolicy({
    config: readGatewayConfig({ ACCESS_TOKEN_PUBLIC_KEYS: keys, ...env }),
    clients: () => new Map(who ? [['who', who.client]] : []),
    clock,
    logger: pino({ level: 'info' }, { write: log }),
  });
}
