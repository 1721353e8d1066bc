/** The policy of one gateway: what its environment and its supergraph say, as the answers to every transport. */
import type { FieldNode, ValidationRule } from 'graphql';
import type { Logger } from 'pino';
import type { Clock } from '#shared/kernel/time.ts';
import { anonymous } from '#shared/kernel/viewer.ts';
import { GRAPHQL_VALIDATION_FAILED, refusal, UNAUTHENTICATED } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { documentLimits } from '../pipeline/limits.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import { AccessTokens, type Proof } from './access-tokens.ts';
import { ApiKeys } from './api-keys.ts';
import { internalRoute } from './internal-route.ts';
import { introspects } from './introspection.ts';
import type { Admission, Caller, Credentials, DocumentRequest, Policy, ValidOperation } from './policy.ts';
import { Revocations } from './revocations.ts';
import { TrustedDocuments } from './trusted-documents.ts';

export interface PolicyOptions {
  readonly config: GatewayConfig;
  /** Those of the supergraph in service, to ask for ended sessions and API keys. */
  readonly clients: () => ReadonlyMap<string, SubgraphClient>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function createPolicy(options: PolicyOptions): Promise<Policy> {
  return new ConfiguredPolicy(options);
}

const nothing: ReadonlySet<FieldNode> = new Set();

class ConfiguredPolicy implements Policy {
  readonly #config: GatewayConfig;
  readonly #tokens: AccessTokens;
  readonly #revocations: Revocations | null;
  readonly #keys: ApiKeys | null;
  readonly #documents: TrustedDocuments;
  readonly #rules: readonly ValidationRule[];

  constructor({ config, clients, clock, logger }: PolicyOptions) {
    this.#config = config;
    this.#tokens = new AccessTokens(config.ACCESS_TOKEN_PUBLIC_KEYS, clock);
    this.#documents = TrustedDocuments.read(config.TRUSTED_DOCUMENTS_PATH);
    this.#rules = [documentLimits(config)];
    const { REVOCATIONS_FROM, API_KEYS_FROM, REVOCATIONS_POLL: interval } = config;
    this.#revocations =
      REVOCATIONS_FROM &&
      new Revocations({ ask: internalRoute(REVOCATIONS_FROM, clients), interval, logger });
    this.#keys =
      API_KEYS_FROM && new ApiKeys({ ask: internalRoute(API_KEYS_FROM, clients), interval, clock, logger });
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
    return this.#documents.textOf(request, this.#maySendAnything(caller));
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
    if (introspects(operation.document) && !this.#isTrusted(caller))
      throw refusal(GRAPHQL_VALIDATION_FAILED, 'Introspection is for developers and partners', 400);
    return { cost: 0 };
  }

  deniedFields(): ReadonlySet<FieldNode> {
    return nothing;
  }

  onRevoked({ viewer, keyId }: Caller, revoked: () => void): () => void {
    if (keyId !== null && this.#keys) return this.#keys.onEnd(keyId, revoked);
    if (viewer.kind === 'user' && this.#revocations)
      return this.#revocations.onEnd(viewer.sessionId, revoked);
    return () => undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#revocations?.[Symbol.asyncDispose](), this.#keys?.[Symbol.asyncDispose]()]);
  }
}

const unauthenticated = (message: string) => refusal(UNAUTHENTICATED, message, 401);
