/** Recomputes a package's custody chain in the reader's own browser. README.md of custody says how links are hashed. */
export interface Link {
  readonly number: number;
  /** Canonical JSON, byte for byte what was hashed. */
  readonly canonical: string;
  readonly previousHash: string;
  readonly hash: string;
}

const VERSION = 1;
const zeros = '0'.repeat(64);

/** True where every link hashes to what it says and joins the one before; null where the browser cannot hash. */
export async function chainHolds(links: readonly Link[]): Promise<boolean | null> {
  // Browsers hash only on pages that came over HTTPS, or from this machine.
  if (!globalThis.crypto?.subtle) return null;
  let before = zeros;
  for (const [index, { number, canonical, previousHash, hash }] of links.entries()) {
    if (number !== index || previousHash !== before) return false;
    const bytes = [VERSION, ...bytesOf(previousHash), ...new TextEncoder().encode(canonical)];
    const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes));
    if (hexOf(new Uint8Array(digest)) !== hash) return false;
    before = hash;
  }
  return true;
}

const bytesOf = (hex: string): number[] => (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
