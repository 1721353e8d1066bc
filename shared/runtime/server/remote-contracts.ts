/** Contracts across processes: a signed request to the answerer, and what its answer means to the caller. */
import { request } from 'undici';
import type { Clock } from '#shared/kernel/time.ts';
import { ContractFault, contractAnswer, type RemoteContracts } from '#shared/runtime/contracts.ts';
import { type InternalSecrets, signInternal, VIEWER_HEADER } from '#shared/runtime/internal-auth.ts';
import { PeerUnreachable } from '#shared/runtime/transient.ts';

export interface RemoteContractsOptions {
  /** Routing URLs of the subgraphs by name. */
  readonly urls: ReadonlyMap<string, string>;
  readonly secrets: InternalSecrets;
  /** Milliseconds from the first byte sent to the last one read. */
  readonly timeout: number;
  /** Who asks. */
  readonly caller: string;
  readonly clock: Clock;
}

export function remoteContracts({
  urls,
  secrets,
  timeout,
  caller,
  clock,
}: RemoteContractsOptions): RemoteContracts {
  return async (answerer, method, call) => {
    const url = urls.get(answerer);
    if (!url) throw new PeerUnreachable(answerer);
    const body = JSON.stringify(call);
    const viewer = { kind: 'service', name: caller } as const;
    const token = signInternal({ secrets, audience: answerer, viewer, body, clock });
    const { status, text } = await send(new URL(`/contracts/${method}`, url), { body, token, timeout }).catch(
      (cause) => {
        throw new PeerUnreachable(answerer, { cause });
      },
    );
    const answer = contractAnswer.safeParse(jsonOf(text));
    if (answer.success) return answer.data;
    const failure = `${answerer} answered ${status} to ${method}`;
    if (status === 200 || status === 500) throw new ContractFault(failure);
    throw new PeerUnreachable(answerer, { cause: new Error(failure) });
  };
}

async function send(
  url: URL,
  { body, token, timeout }: { body: string; token: string; timeout: number },
): Promise<{ status: number; text: string }> {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [VIEWER_HEADER]: token },
    body,
    signal: AbortSignal.timeout(timeout),
  });
  return { status: response.statusCode, text: await response.body.text() };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
