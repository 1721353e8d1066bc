/** What the page is told of whoever signed in; the server writes it and the browser reads it. */

export interface ReadyOperation {
  readonly name: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  /** The first comment of its file. */
  readonly group: string;
  /** The comment above it. */
  readonly note: string | null;
  /** With the fragments that it uses. */
  readonly document: string;
  /** JSON to begin with. */
  readonly variables: string;
}

export interface ContractChange {
  readonly kind: 'ADDED' | 'REMOVED' | 'CHANGED' | 'DEPRECATED';
  /** Schema coordinate. */
  readonly what: string;
  readonly breaking: boolean;
  readonly detail: string | null;
}

export interface ContractRelease {
  /** Calendar day. */
  readonly date: string;
  readonly note: string;
  readonly changes: readonly ContractChange[];
}

export interface ExplorerSession {
  readonly viewer: string;
  /** `null`: the whole API. */
  readonly contract: string | null;
  readonly scopes: readonly string[];
  /** ISO 8601; `null` where the proof lasts until it is revoked. */
  readonly expiresAt: string | null;
  /** In a minute; 0: any amount. `null` where nobody has said. */
  readonly budget: { readonly costPerMinute: number; readonly requestsPerMinute: number } | null;
  readonly operations: readonly ReadyOperation[];
  readonly releases: readonly ContractRelease[];
}
