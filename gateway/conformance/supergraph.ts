/** The supergraph that the gateway under test serves: written to a file, replaced there, and asked for its version. */
import { rename, writeFile } from 'node:fs/promises';
import { until } from './client/mailbox.ts';
import type { Result } from './client/result.ts';
import { composeSupergraph, type SubgraphName, versions } from './subgraphs/schemas.ts';

export type VersionName = keyof typeof versions;

/** How a client can tell the versions from each other. */
const signs: Readonly<
  Record<VersionName, { weight: boolean; legacy: boolean; rating: string; label: string }>
> = {
  first: { weight: false, legacy: true, rating: 'by products', label: 'by products' },
  weightAdded: { weight: true, legacy: true, rating: 'by products', label: 'by products' },
  legacyRemoved: { weight: false, legacy: false, rating: 'by products', label: 'by products' },
  ratingMoved: { weight: false, legacy: true, rating: 'by people', label: 'by products' },
  labelMoved: { weight: false, legacy: true, rating: 'by products', label: 'by orders' },
};

export class SupergraphFile {
  readonly path: string;
  readonly #urls: Readonly<Record<SubgraphName, string>>;

  constructor(path: string, urls: Readonly<Record<SubgraphName, string>>) {
    this.path = path;
    this.#urls = urls;
  }

  write(version: VersionName): Promise<void> {
    return this.writeText(composeSupergraph(this.#urls, versions[version]));
  }

  /** Replaces the file at once, as deployments do. */
  async writeText(text: string): Promise<void> {
    const fresh = `${this.path}.new`;
    await writeFile(fresh, text);
    await rename(fresh, this.path);
  }
}

/** Waits until the gateway at this URL answers queries from that version. */
export function untilServed(
  url: string,
  version: VersionName,
  patience: number,
  signal?: AbortSignal,
): Promise<void> {
  const expected = `the gateway at ${url} serves version "${version}" of the supergraph`;
  const sign = signs[version];
  return until(expected, async () => (await signOf(url)) === JSON.stringify(sign), patience, signal);
}

async function signOf(url: string): Promise<string | undefined> {
  try {
    const weight = await ask(url, '{ product(id: "sign") { weight } }');
    const legacy = await ask(url, '{ lastOrder(store: "sign") { legacy } }');
    const { data } = await ask(url, '{ product(id: "sign") { rating label } }');
    const product = data?.product as object | undefined;
    return JSON.stringify({ weight: !weight.errors, legacy: !legacy.errors, ...product });
  } catch {
    return undefined;
  }
}

async function ask(url: string, query: string): Promise<Result> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query }),
    signal: AbortSignal.timeout(2_000),
  });
  return (await response.json()) as Result;
}
