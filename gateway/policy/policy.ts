/**
 * What a caller may ask: who it is, which contract of the schema it sees, which documents it may send, and how
 * much. Every transport asks the same five questions, in this order, and knows nothing of the answers' reasons.
 *
 * Refusals are `GraphQLError`s with a code; `extensions.http` holds the status and the headers for HTTP, and is
 * taken out by `formatClientError` for every other transport. Introspection is `admit`'s to refuse, since it
 * depends on the caller: no transport adds a rule against it.
 */
import type { DocumentNode, FieldNode, OperationDefinitionNode, ValidationRule } from 'graphql';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Graph } from '../supergraph.ts';

/** Who calls, proven once per request or per connection. */
export interface Caller {
  readonly viewer: Viewer;
  /** When its proof ends; `null` where it has none or where it lasts until it is revoked. */
  readonly expiresAt: Date | null;
  /** The contract of the schema that it sees; `null`: the whole API. */
  readonly contract: string | null;
  /** Scopes for `@requiresScopes`: those of the token or key. */
  readonly scopes: readonly string[];
  /** Id of the partner's key, where one was shown. */
  readonly keyId: string | null;
  /** Of the peer's connection. */
  readonly address: string;
  /** The partner's own, in place of everybody's. */
  readonly budget?: Budget;
}

/** What may be spent in a minute; 0: any amount. */
export interface Budget {
  readonly costPerMinute: number;
  readonly requestsPerMinute: number;
}

export interface Admission {
  /** What the operation was reckoned at: for `extensions.cost.requested`, where a signed-in caller asks for it. */
  readonly cost: number;
}

export interface Credentials {
  /** `Authorization` header, or `authorization` of `connection_init`: `Bearer <token>`. */
  readonly authorization: string | undefined;
  /** `X-Api-Key` header, or `apiKey` of `connection_init`. */
  readonly apiKey: string | undefined;
  readonly address: string;
}

/** An operation that was found valid for the caller's schema. */
export interface ValidOperation {
  readonly graph: Graph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** The document of a request: its text, the id of a trusted document, or both where they agree. */
export interface DocumentRequest {
  readonly query?: string | undefined;
  /** Lower-case hex SHA-256 of a trusted document, as `documentId` or `extensions.persistedQuery.sha256Hash`. */
  readonly documentId?: string | undefined;
}

export interface Policy extends AsyncDisposable {
  /** For the parser. */
  readonly maxTokens: number;
  /** Refuses `UNAUTHENTICATED` whatever is shown and not valid now; rejects with a coded `GraphQLError`. */
  identify(credentials: Credentials): Promise<Caller>;
  /**
   * The text to run; counts one request of the caller's, valid or not. Throws a coded `GraphQLError` for a
   * document that the caller may not send, and for one request too many.
   */
  documentOf(request: DocumentRequest, caller: Caller): string;
  /** Limits that a document alone can break: depth, aliases, directives, selections. */
  rulesFor(graph: Graph): readonly ValidationRule[];
  /**
   * Refuses introspection where the caller may not, pages that are too long and operations that cost too much,
   * and draws the cost from the caller's budget. Rejects with a coded `GraphQLError`.
   */
  admit(operation: ValidOperation, caller: Caller): Promise<Admission>;
  /** Fields that `@authenticated`, `@requiresScopes` and `@policy` deny to the caller: null, with an error each. */
  deniedFields(operation: ValidOperation, caller: Caller): ReadonlySet<FieldNode>;
  /** Calls back within five seconds of the end of a caller's session or key; returns what stops watching. */
  onRevoked(caller: Caller, revoked: () => void): () => void;
}
