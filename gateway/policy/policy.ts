/**
 * What a caller may ask: who it is, which contract of the schema it sees, which documents it may send, and how
 * much. Every transport asks the same five questions, in this order, and knows nothing of the answers' reasons.
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
  /** Refuses `UNAUTHENTICATED` whatever is shown and not valid now; rejects with a coded `GraphQLError`. */
  identify(credentials: Credentials): Promise<Caller>;
  /** The text to run. Throws a coded `GraphQLError` for a document that the caller may not send. */
  documentOf(request: DocumentRequest, caller: Caller): string;
  /** Limits that a document alone can break: depth, aliases, directives, selections, page sizes, cost. */
  rulesFor(graph: Graph): readonly ValidationRule[];
  /** Draws the operation's cost from the caller's budget; rejects with a coded `GraphQLError`. */
  admit(operation: ValidOperation, caller: Caller): Promise<void>;
  /** Fields that `@authenticated`, `@requiresScopes` and `@policy` deny to the caller: null, with an error each. */
  deniedFields(operation: ValidOperation, caller: Caller): ReadonlySet<FieldNode>;
  /** Calls back within five seconds of the end of a caller's session or key; returns what stops watching. */
  onRevoked(caller: Caller, revoked: () => void): () => void;
}
