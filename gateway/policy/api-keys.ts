/**
 * Partners' API keys, looked up in a subgraph: an answer is good for four seconds and is renewed behind the
 * scenes while the key is in use, so that a request rarely waits and a revoked key is refused within five.
 *
 * Unknown keys are remembered as long, and whoever guesses is held off. While the subgraph cannot be reached,
 * keys that were good a minute ago still are.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import { type Clock, MINUTE, SECOND } from '#shared/kernel/time.ts';
import { rateLimited, refusal } from '../errors.ts';
import type { AskRoute } from './internal-route.ts';
import { Polling } from './polling.ts';
import { Watchers } from './watchers.ts';

const partnerShape = z.object({
  keyId: z.string().min(1),
  partnerId: z.string().min(1),
  contract: z.string().min(1).nullable(),
  scopes: z.array(z.string()),
  costPerMinute: z.number().int().min(0),
  requestsPerMinute: z.number().int().min(0),
});

/** What a key stands for. */
export type PartnerKey = z.output<typeof partnerShape>;

interface Known {
  readonly partner: PartnerKey | null;
  readonly askedAt: number;
}

const FRESH = 2 * SECOND;
const GOOD = 4 * SECOND;
const GOOD_WHILE_UNREACHABLE = MINUTE;
const CAPACITY = 10_000;
const LONGEST = 512;
/** Wrong keys that one address may show in a minute. */
const GUESSES = 30;

export class ApiKeys implements AsyncDisposable {
  readonly #ask: AskRoute;
  readonly #clock: Clock;
  /** By the key's text, longest unasked first. */
  readonly #known = new Map<string, Known>();
  readonly #underway = new Map<string, Promise<PartnerKey | null>>();
  /** The texts of good keys by their ids, to ask for those that stay connected. */
  readonly #texts = new Map<string, string>();
  readonly #guesses = new Map<string, { count: number; since: number }>();
  readonly #watchers = new Watchers();
  readonly #polling: Polling;

  constructor(options: { ask: AskRoute; interval: number; clock: Clock; logger: Logger }) {
    this.#ask = options.ask;
    this.#clock = options.clock;
    const look = () => this.#lookAtWatched();
    this.#polling = new Polling({ ...options, what: 'the registry of API keys', look });
  }

  /** What the key stands for now; `null` where it is none. Refuses `RATE_LIMITED`, `CREDENTIALS_UNCHECKED`. */
  async find(key: string, address: string): Promise<PartnerKey | null> {
    if (key.length > LONGEST) return null;
    const known = this.#known.get(key);
    const age = known ? this.#now() - known.askedAt : Number.POSITIVE_INFINITY;
    if (known && age < GOOD) {
      if (age > FRESH && known.partner) void this.#lookUp(key).catch(() => undefined);
      return known.partner;
    }
    this.#holdOff(address);
    try {
      const partner = await this.#lookUp(key);
      if (!partner) this.#guessed(address);
      return partner;
    } catch {
      if (known?.partner && age < GOOD_WHILE_UNREACHABLE) return known.partner;
      throw refusal('CREDENTIALS_UNCHECKED', 'The API key cannot be checked now: try again', 503);
    }
  }

  onEnd(keyId: string, ended: () => void): () => void {
    return this.#watchers.watch(keyId, ended);
  }

  #lookUp(key: string): Promise<PartnerKey | null> {
    const underway = this.#underway.get(key) ?? this.#fetch(key).finally(() => this.#underway.delete(key));
    this.#underway.set(key, underway);
    return underway;
  }

  async #fetch(key: string): Promise<PartnerKey | null> {
    const askedAt = this.#now();
    const { status, body } = await this.#ask({ method: 'POST', body: { key } });
    if (status !== 200 && status !== 404) throw new Error(`The registry of API keys answered ${status}`);
    const partner = status === 200 ? partnerShape.parse(body) : null;
    const before = this.#known.get(key)?.partner;
    remember(this.#known, key, { partner, askedAt });
    if (partner) remember(this.#texts, partner.keyId, key);
    // Whoever may see more or less now has to connect again, too.
    if (before && !sameRights(before, partner)) this.#watchers.tell(before.keyId);
    return partner;
  }

  async #lookAtWatched(): Promise<void> {
    for (const keyId of this.#watchers.ids) {
      const key = this.#texts.get(keyId);
      if (key === undefined || !(await this.#lookUp(key))) this.#watchers.tell(keyId);
    }
  }

  #holdOff(address: string): void {
    const guesses = this.#guesses.get(address);
    const left = guesses ? guesses.since + MINUTE - this.#now() : 0;
    if (guesses && left > 0 && guesses.count >= GUESSES) throw rateLimited(Math.ceil(left / SECOND));
  }

  #guessed(address: string): void {
    const now = this.#now();
    const guesses = this.#guesses.get(address);
    const current = guesses && guesses.since + MINUTE > now ? guesses : { count: 0, since: now };
    remember(this.#guesses, address, { ...current, count: current.count + 1 });
  }

  #now(): number {
    return this.#clock.now().getTime();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#polling[Symbol.asyncDispose]();
  }
}

const sameRights = (one: PartnerKey, other: PartnerKey | null): boolean =>
  one.contract === other?.contract && one.scopes.toString() === other.scopes.toString();

function remember<Value>(memory: Map<string, Value>, key: string, value: Value): void {
  memory.delete(key);
  memory.set(key, value);
  if (memory.size > CAPACITY) memory.delete(memory.keys().next().value as string);
}
