/** The policy of one gateway: what its environment and its supergraph say, as the answers to every transport. */
import type { FieldNode, ValidationRule } from 'graphql';
import type { Logger } from 'pino';
import type { Clock } from '#shared/kernel/time.ts';
import { anonymous } from '#shared/kernel/viewer.ts';
import { BAD_USER_INPUT } from '#shared/runtime/server/subgraph-executor.ts';
import { GRAPHQL_VALIDATION_FAILED, rateLimited, refusal, UNAUTHENTICATED } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { documentLimits } from '../pipeline/limits.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import type { Graph } from '../supergraph.ts';
import { type EvaluatePolicies, FieldAccess } from './access/denied-fields.ts';
import { AccessTokens, type Proof } from './access-tokens.ts';
import { ApiKeys } from './api-keys.ts';
import { Budgets } from './budgets/budgets.ts';
import { payerOf } from './budgets/payer.ts';
import { BudgetsInPostgres, budgetsInMemory } from './budgets/store.ts';
import { amountAt } from './cost/amount.ts';
import { CostModel } from './cost/reckoning.ts';
import { internalRoute } from './internal-route.ts';
import { introspects } from './introspection.ts';
import type {
  Admission,
  Budget,
  Caller,
  Credentials,
  DocumentRequest,
  Policy,
  ValidOperation,
} from './policy.ts';
import { Revocations } from './revocations.ts';
import { TrustedDocuments } from './trusted-documents.ts';

export interface PolicyOptions {
  readonly config: GatewayConfig;
  /** Those of the supergraph in service, to ask for ended sessions and API keys. */
  readonly clients: () => ReadonlyMap<string, SubgraphClient>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What `@policy` may be met by; where nothing is said, the names of a user's roles. */
  readonly evaluatePolicies?: EvaluatePolicies;
}

/** Throws where the trusted documents cannot be read. */
export function createPolicy(options: PolicyOptions): Policy {
  return new ConfiguredPolicy(options);
}

/** What one operation may cost where the supergraph speaks of cost and the configuration is silent. */
const USUAL_MAX_COST = 10_000;

/** What is worked out once per version of a supergraph. */
interface GraphRules {
  readonly costs: CostModel;
  readonly access: FieldAccess;
  readonly maxCost: number;
}

class ConfiguredPolicy implements Policy {
  readonly #config: GatewayConfig;
  readonly #tokens: AccessTokens;
  readonly #revocations: Revocations | null;
  readonly #keys: ApiKeys | null;
  readonly #documents: TrustedDocuments;
  readonly #rules: readonly ValidationRule[];
  readonly #budgets: Budgets;
  readonly #evaluatePolicies: EvaluatePolicies;
  readonly #graphs = new WeakMap<Graph, GraphRules>();

  constructor({ config, clients, clock, logger, evaluatePolicies = rolesOf }: PolicyOptions) {
    this.#config = config;
    this.#evaluatePolicies = evaluatePolicies;
    this.#tokens = new AccessTokens(config.ACCESS_TOKEN_PUBLIC_KEYS, clock);
    this.#documents = TrustedDocuments.read(config.TRUSTED_DOCUMENTS_PATH);
    this.#rules = [documentLimits(config)];
    const { REVOCATIONS_FROM, API_KEYS_FROM, REVOCATIONS_POLL: interval } = config;
    this.#revocations =
      REVOCATIONS_FROM &&
      new Revocations({ ask: internalRoute(REVOCATIONS_FROM, clients), interval, logger });
    this.#keys =
      API_KEYS_FROM && new ApiKeys({ ask: internalRoute(API_KEYS_FROM, clients), interval, clock, logger });
    const inMemory = budgetsInMemory();
    const { RATE_LIMIT_DATABASE_URL: url } = config;
    const store = url ? new BudgetsInPostgres(url, logger) : inMemory;
    this.#budgets = new Budgets({ store, inMemory, logger });
  }

  get maxTokens(): number {
    return this.#config.MAX_TOKENS;
  }

  async identify({ authorization, apiKey, address }: Credentials): Promise<Caller> {
    const token = this.#tokens.active && authorization ? authorization : undefined;
    const key = this.#keys && apiKey ? apiKey : undefined;
    if (token !== undefined && key !== undefined) throw unauthenticated('Show an access token or an API key');
    if (token !== undefined) return this.#bearer(token, address);
    if (key !== undefined) return this.#partner(key, address);
    return { viewer: anonymous, expiresAt: null, contract: null, scopes: [], keyId: null, address };
  }

  async #bearer(authorization: string, address: string): Promise<Caller> {
    const proof = await this.#tokens.prove(authorization);
    if (!proof || this.#hasEnded(proof))
      throw unauthenticated('The access token is not valid or has expired');
    return { ...proof, contract: null, keyId: null, address };
  }

  #hasEnded({ viewer }: Proof): boolean {
    return viewer.kind === 'user' && this.#revocations?.hasEnded(viewer.sessionId) === true;
  }

  async #partner(key: string, address: string): Promise<Caller> {
    const partner = await this.#keys?.find(key, address);
    if (!partner) throw unauthenticated('The API key is not valid');
    const { keyId, partnerId, contract, scopes, costPerMinute, requestsPerMinute } = partner;
    return {
      viewer: { kind: 'partner', partnerId, keyId, scopes },
      expiresAt: null,
      contract,
      scopes,
      keyId,
      address,
      budget: { costPerMinute, requestsPerMinute },
    };
  }

  documentOf(request: DocumentRequest, caller: Caller): string {
    const { requestsPerMinute } = this.#budgetOf(caller);
    if (requestsPerMinute > 0) {
      const wait = this.#budgets.count(`requests:${payerOf(caller)}`, requestsPerMinute);
      if (wait > 0) throw rateLimited(wait);
    }
    return this.#documents.textOf(request, this.#maySendAnything(caller));
  }

  #budgetOf({ budget, viewer }: Caller): Budget {
    if (budget) return budget;
    const config = this.#config;
    return viewer.kind === 'anonymous'
      ? {
          costPerMinute: config.ANONYMOUS_COST_PER_MINUTE,
          requestsPerMinute: config.ANONYMOUS_REQUESTS_PER_MINUTE,
        }
      : { costPerMinute: config.COST_PER_MINUTE, requestsPerMinute: config.REQUESTS_PER_MINUTE };
  }

  #maySendAnything(caller: Caller): boolean {
    return this.#config.TRUSTED_DOCUMENTS_PATH === '' || this.#isTrusted(caller);
  }

  /** Outside production everybody is. */
  #isTrusted({ viewer, keyId }: Caller): boolean {
    const { PRODUCTION, DEVELOPER_ROLE } = this.#config;
    if (!PRODUCTION || keyId !== null) return true;
    return viewer.kind === 'user' && viewer.roles.includes(DEVELOPER_ROLE);
  }

  rulesFor(): readonly ValidationRule[] {
    return this.#rules;
  }

  async admit(operation: ValidOperation, caller: Caller): Promise<Admission> {
    const { graph, document, variables } = operation;
    if (introspects(document) && !this.#isTrusted(caller))
      throw refusal(GRAPHQL_VALIDATION_FAILED, 'Introspection is for developers and partners', 400);
    const { costs, maxCost } = this.#rulesOf(graph);
    const reckoning = costs.reckon(document, operation.operation);
    if (!reckoning.pagesFit(variables)) throw refusal(BAD_USER_INPUT, 'A page cannot have this size', 400);
    const cost = amountAt(reckoning.cost, variables);
    if (cost > maxCost) throw refusal('OPERATION_TOO_EXPENSIVE', 'The operation asks for too much', 400);
    const { costPerMinute } = this.#budgetOf(caller);
    if (costPerMinute > 0) {
      const wait = await this.#budgets.spend(`cost:${payerOf(caller)}`, costPerMinute, cost);
      if (wait > 0) throw rateLimited(wait);
    }
    return { cost };
  }

  deniedFields({ graph, document, operation }: ValidOperation, caller: Caller): ReadonlySet<FieldNode> {
    return this.#rulesOf(graph).access.denied(document, operation, caller);
  }

  #rulesOf(graph: Graph): GraphRules {
    const known = this.#graphs.get(graph);
    if (known) return known;
    const costs = new CostModel(graph.supergraphSchema, this.#config);
    const usual = costs.weights.declared ? USUAL_MAX_COST : Number.POSITIVE_INFINITY;
    const rules: GraphRules = {
      costs,
      access: new FieldAccess(graph.supergraphSchema, this.#evaluatePolicies),
      maxCost: this.#config.MAX_COST ?? usual,
    };
    this.#graphs.set(graph, rules);
    return rules;
  }

  onRevoked({ viewer, keyId }: Caller, revoked: () => void): () => void {
    if (keyId !== null && this.#keys) return this.#keys.onEnd(keyId, revoked);
    if (viewer.kind === 'user' && this.#revocations)
      return this.#revocations.onEnd(viewer.sessionId, revoked);
    return () => undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#revocations?.[Symbol.asyncDispose](),
      this.#keys?.[Symbol.asyncDispose](),
      this.#budgets[Symbol.asyncDispose](),
    ]);
  }
}

const rolesOf: EvaluatePolicies = ({ viewer }) => (viewer.kind === 'user' ? viewer.roles : []);

const unauthenticated = (message: string) => refusal(UNAUTHENTICATED, message, 401);
