/** Everything a run needs, opened together: subgraphs, the supergraph file, and a gateway that serves it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Capability, type Case, defaultLimits, type Limits, type Target } from './case.ts';
import { freePort, GatewayProcess, type Preset } from './gateway-process.ts';
import { type CaseResult, type RunOptions, runCases } from './runner.ts';
import { Shop } from './subgraphs/shop.ts';
import { SupergraphFile, untilServed } from './supergraph.ts';

export interface SessionOptions {
  /** A gateway to start, or the URL of one that somebody else starts when the supergraph file is there. */
  readonly gateway: Preset | { readonly url: string; readonly socketUrl?: string };
  /** Where the supergraph is written; by default a file of its own, removed at the end. */
  readonly supergraph?: string | undefined;
  readonly host?: string;
  /** Of the first of three subgraphs; 0: any ports that are free. */
  readonly firstPort?: number;
  readonly limits?: Partial<Limits>;
  readonly without?: readonly Capability[];
  /** For the gateway to answer for the first time. Milliseconds. */
  readonly start?: number;
  readonly onReady?: (subgraphs: Readonly<Record<string, string>>, supergraph: string) => void;
}

export class Session implements AsyncDisposable {
  readonly target: Target;
  readonly shop: Shop;
  readonly limits: Limits;
  readonly supergraph: SupergraphFile;
  readonly #without: ReadonlySet<Capability>;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: {
    target: Target;
    shop: Shop;
    limits: Limits;
    supergraph: SupergraphFile;
    without: ReadonlySet<Capability>;
    resources: AsyncDisposableStack;
  }) {
    this.target = parts.target;
    this.shop = parts.shop;
    this.limits = parts.limits;
    this.supergraph = parts.supergraph;
    this.#without = parts.without;
    this.#resources = parts.resources;
  }

  static async open(options: SessionOptions): Promise<Session> {
    await using opening = new AsyncDisposableStack();
    const { gateway, host = '127.0.0.1', firstPort = 0 } = options;
    const shop = opening.use(await Shop.open({ host, firstPort }));
    const urls = {
      orders: shop.subgraphs.orders.url,
      products: shop.subgraphs.products.url,
      people: shop.subgraphs.people.url,
    };
    const supergraph = new SupergraphFile(options.supergraph ?? (await ownFile(opening)), urls);
    await supergraph.write('first');
    options.onReady?.(urls, supergraph.path);
    const preset = 'launch' in gateway ? gateway : undefined;
    const started = preset && (await launch(preset, supergraph.path, opening));
    const target = 'launch' in gateway ? { url: started?.url ?? '', socketUrl: undefined } : gateway;
    const waiting = new AbortController();
    const served = untilServed(target.url, 'first', options.start ?? 30_000, waiting.signal);
    await Promise.race([served, ...(started ? [started.process.failed] : [])]).finally(() => waiting.abort());
    const limits = { ...defaultLimits, ...preset?.limits, ...options.limits };
    const restart = async (signal: 'SIGTERM' | 'SIGKILL') => {
      await started?.process.restart(signal);
      await untilServed(target.url, 'first', options.start ?? 30_000);
    };
    return new Session({
      target: {
        url: target.url,
        socketUrl: target.socketUrl ?? target.url.replace(/^http/, 'ws'),
        ...(started && { restart }),
      },
      shop,
      limits,
      supergraph,
      without: new Set([
        ...(preset?.without ?? []),
        ...(options.without ?? []),
        ...(started ? [] : (['restart'] as const)),
      ]),
      resources: opening.move(),
    });
  }

  /** Against another address than the gateway's own, where one is given: a proxy in front of it, say. */
  run(cases: readonly Case[], options: Partial<RunOptions> = {}): Promise<CaseResult[]> {
    const { shop, supergraph, target, limits } = this;
    return runCases({ cases, target, shop, supergraph, limits, without: this.#without, ...options });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

async function ownFile(resources: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'supergraph.graphql');
}

async function launch(preset: Preset, supergraph: string, resources: AsyncDisposableStack) {
  const port = await freePort();
  const process = resources.use(new GatewayProcess(preset.launch(resolve(supergraph), port)));
  return { url: `http://127.0.0.1:${port}${preset.path}`, process };
}
