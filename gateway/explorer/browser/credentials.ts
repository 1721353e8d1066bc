/** What was shown to sign in. It lives as long as the tab, and never stands in an address. */

export interface Credentials {
  readonly kind: 'key' | 'token' | 'none';
  readonly text: string;
}

const KEPT = 'explorer:credentials';

export function keptCredentials(): Credentials | null {
  const kept = sessionStorage.getItem(KEPT);
  if (kept === null) return null;
  const { kind, text } = JSON.parse(kept) as Credentials;
  return { kind, text };
}

export const keepCredentials = (credentials: Credentials): void =>
  sessionStorage.setItem(KEPT, JSON.stringify(credentials));

/** Everything that this page has kept, drafts and answers included. */
export function forgetAll(): void {
  for (const name of Object.keys(sessionStorage))
    if (/^(?:explorer|graphiql):/.test(name)) sessionStorage.removeItem(name);
}

export function headersOf({ kind, text }: Credentials): Record<string, string> {
  if (kind === 'key') return { 'x-api-key': text };
  return kind === 'token' ? { authorization: `Bearer ${text}` } : {};
}

/** The same for `connection_init`. */
export function connectionParamsOf({ kind, text }: Credentials): Record<string, string> {
  if (kind === 'key') return { apiKey: text };
  return kind === 'token' ? { authorization: `Bearer ${text}` } : {};
}

/** Enough to tell one key from another, and too little to be of use. */
export const shortened = ({ kind, text }: Credentials): string =>
  kind === 'none' ? 'no key' : `${kind === 'key' ? 'key' : 'token'} …${text.slice(-4)}`;
