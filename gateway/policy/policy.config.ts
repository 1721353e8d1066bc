/** The part of the gateway's environment that says who may ask, what and how much; all of it has sane defaults. */
import { z } from 'zod';
import { duration } from '#shared/runtime/config.ts';

/** A route of a subgraph: `identity:/internal/ended-sessions`. */
export interface SubgraphRoute {
  readonly subgraph: string;
  readonly path: string;
}

const route = z
  .string()
  .default('')
  .transform((text, context): SubgraphRoute | null => {
    if (text === '') return null;
    const [, subgraph, path] = /^([\w-]+):(\/(?!\/)\S*)$/.exec(text) ?? [];
    if (subgraph && path) return { subgraph, path };
    context.addIssue({ code: 'custom', message: `"${text}" is not subgraph:/path` });
    return z.NEVER;
  });

const atMost = (fallback: number) => z.coerce.number().int().positive().default(fallback);
/** Zero is no limit. */
const perMinute = z.coerce.number().int().min(0).default(0);

export const policySettings = {
  /** JSON object of SHA-256 to document. In production others than developers and partners send only these. */
  TRUSTED_DOCUMENTS_PATH: z.string().default(''),
  /** The role whose holders may send any document in production, and introspect. */
  DEVELOPER_ROLE: z.string().min(1).default('developer'),
  /** Where ended sessions are told: `GET <path>?after=<cursor>`. Empty: tokens last until they expire. */
  REVOCATIONS_FROM: route,
  /** Between two looks at ended sessions and at the keys of those who stay connected. */
  REVOCATIONS_POLL: duration('2s'),
  /** Where API keys are looked up: `POST <path>`. Empty: keys mean nothing. */
  API_KEYS_FROM: route,
  /** Of a document, as the parser counts them. */
  MAX_TOKENS: atMost(1_000),
  /** Fields within fields, fragments written out. Tools introspect 15 deep. */
  MAX_DEPTH: atMost(15),
  MAX_ALIASES: atMost(30),
  /** Root fields of one mutation: what brute force would multiply. */
  MAX_MUTATION_FIELDS: atMost(10),
  MAX_DIRECTIVES: atMost(20),
  /** Of a document with all its fragments written out: a few lines of nested fragments can mean millions. */
  MAX_SELECTIONS: atMost(5_000),
  /** The most that `@listSize(slicingArguments)`, `first`, `last` or `limit` may ask for. */
  MAX_PAGE_SIZE: atMost(100),
  /** Entries that a list is reckoned with where nothing says how long it is. */
  ASSUMED_LIST_SIZE: atMost(10),
  /** Of one operation, by `@cost` and `@listSize`. Unset: 10,000 where the supergraph speaks of cost, else none. */
  MAX_COST: z.coerce.number().int().positive().optional(),
  /** What one signed-in viewer, and one address of anonymous ones, may spend in a minute; 0: any amount. */
  COST_PER_MINUTE: perMinute,
  REQUESTS_PER_MINUTE: perMinute,
  ANONYMOUS_COST_PER_MINUTE: perMinute,
  ANONYMOUS_REQUESTS_PER_MINUTE: perMinute,
  /** PostgreSQL that budgets are shared in between gateways; empty: each keeps its own in memory. */
  RATE_LIMIT_DATABASE_URL: z.string().default(''),
};
