/** How many live connections there may be, and how fast new ones may come; the same for every transport. */
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { GatewayConfig } from '../gateway.config.ts';

type Kind = 'address' | 'device' | 'user';

/** A connection's places, of which it takes more as it becomes known. */
export interface Places {
  /** False where all of this kind are taken. */
  take(kind: Kind, id: string): boolean;
  /** Gives all of them back. */
  leave(): void;
}

/** Outside production there is no limit unless one is set: load tests come from one address and one user. */
const inProduction: Record<Kind, number> = { address: 2_000, device: 20, user: 50 };

export class ConnectionLimits {
  readonly #most: Record<Kind, number>;
  readonly #taken = new Map<string, number>();
  readonly #perSecond: number;
  #allowance: number;
  #countedAt = performance.now();

  constructor(config: GatewayConfig) {
    const orElse = (kind: Kind, set: number | undefined) =>
      set ?? (config.PRODUCTION ? inProduction[kind] : Number.POSITIVE_INFINITY);
    this.#most = {
      address: orElse('address', config.CONNECTIONS_PER_ADDRESS),
      device: orElse('device', config.CONNECTIONS_PER_DEVICE),
      user: orElse('user', config.CONNECTIONS_PER_USER),
    };
    this.#perSecond = config.CONNECTIONS_PER_SECOND;
    this.#allowance = this.#perSecond;
  }

  /** Whether one more may connect now: when all come back at once, most are told to come a little later. */
  admits(): boolean {
    const now = performance.now();
    const earned = ((now - this.#countedAt) / 1_000) * this.#perSecond;
    this.#countedAt = now;
    this.#allowance = Math.min(this.#perSecond, this.#allowance + earned);
    if (this.#allowance < 1) return false;
    this.#allowance -= 1;
    return true;
  }

  places(): Places {
    const held: string[] = [];
    return {
      take: (kind, id) => {
        const key = `${kind} ${id}`;
        const taken = this.#taken.get(key) ?? 0;
        if (taken >= this.#most[kind]) return false;
        this.#taken.set(key, taken + 1);
        held.push(key);
        return true;
      },
      leave: () => {
        for (const key of held.splice(0)) this.#giveBack(key);
      },
    };
  }

  #giveBack(key: string): void {
    const left = (this.#taken.get(key) ?? 1) - 1;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }
}

/** Whom a connection counts for; nobody where the viewer has no name. */
export function personOf(viewer: Viewer): string | undefined {
  if (viewer.kind === 'user') return viewer.userId;
  if (viewer.kind === 'link') return viewer.recipientId;
  return undefined;
}

/** When to try again, in milliseconds: at random, so that those who were told together do not return together. */
export const retryAfter = (): number => Math.round(1_000 + Math.random() * 9_000);
