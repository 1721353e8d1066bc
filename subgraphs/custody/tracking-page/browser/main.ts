/** The tracking page: what is known at the start in one query, then live, for as long as the page is open. */
import { chainHolds } from '../chain.ts';
import { journeyOf, type Shipment, type TrackedEvent } from '../journey.ts';
import { FeedRefused, type FeedState, followFeed, type Network } from '../live-feed.ts';
import { TrackingLog } from '../tracking-log.ts';
import { de } from '../words/de.ts';
import { en } from '../words/en.ts';
import { Api, shipmentOf, trackingEvents } from './api.ts';
import { byId, el } from './element.ts';
import { type Evidence, View } from './view.ts';

const REFRESH_MS = 60_000;
const KEPT_AS = 'baton-tracking-link';

const language = document.documentElement.lang;
const words = language === 'de' ? de : en;
const view = new View(words, language);
const log = new TrackingLog();
const ending = new AbortController();

const network: Network = {
  online: () => navigator.onLine,
  onChange: (changed, signal) => {
    addEventListener('online', changed, { signal });
    addEventListener('offline', changed, { signal });
  },
};

let shipment: Shipment | undefined;
let state: FeedState = 'connecting';
let knownAt: Date | null = null;
let evidence: Evidence = { verdict: 'none', links: 0, linkOf: new Map() };

const token = takeToken();
const shipmentId = token && shipmentOf(token);
if (token && shipmentId) start(new Api(document.body.dataset.endpoint!, token, shipmentId)).catch(end);
else end(new FeedRefused('UNAUTHENTICATED'));

/** Out of the address bar at once, so that it stays in no history, bookmark or screenshot; kept for a reload. */
function takeToken(): string | null {
  const given =
    new URLSearchParams(location.search).get('token') ?? location.hash.match(/^#token=([\w.-]+)$/)?.[1];
  if (given) {
    history.replaceState(null, '', location.pathname);
    try {
      sessionStorage.setItem(KEPT_AS, given);
    } catch {
      // Where nothing can be kept, the page works until it is loaded again.
    }
    return given;
  }
  try {
    return sessionStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}

async function start(api: Api): Promise<void> {
  view.about();
  const refresh = refresher(api);
  addEventListener('online', refresh);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && refresh());
  setInterval(() => {
    show();
    if (document.visibilityState === 'visible') void refresh();
  }, REFRESH_MS);
  await refresh();
  if (ending.signal.aborted) return;
  await followFeed<TrackedEvent>({
    endpoint: api.endpoint,
    token: api.token,
    query: trackingEvents,
    variables: { shipmentId: shipmentId! },
    after: () => log.cursor,
    network,
    signal: ending.signal,
    onState: (now) => {
      if (state === 'live' && now !== 'live') knownAt = new Date();
      state = now;
      show();
    },
    onEvent: (event) => {
      const fresh = log.add([event]);
      if (fresh.length === 0) return;
      show();
      view.announce(view.eventText(event));
      refresh();
    },
  });
}

/**
 * Reads again what is known; asked several times at once, it reads once more when it is through. Where it gets no
 * answer it tries again, after longer and longer waits, for as long as there is a network.
 */
function refresher(api: Api): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  const run = async (): Promise<void> => {
    for (let failures = 0; again; ) {
      again = false;
      try {
        await load(api);
        failures = 0;
      } catch (error) {
        if (error instanceof FeedRefused) throw error;
        again = navigator.onLine || !shipment;
        failures += 1;
        const wait = Math.random() * Math.min(30_000, 1_000 * 2 ** failures);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  };
  return async () => {
    if (ending.signal.aborted) return;
    again = true;
    running ??= run()
      .catch(end)
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}

async function load(api: Api): Promise<void> {
  for (;;) {
    const page = await api.page(log.cursor);
    if (!page.shipment) throw new FeedRefused('SHIPMENT_NOT_FOUND');
    shipment = page.shipment;
    log.add(page.trackingHistory.edges.map(({ node }) => node));
    if (!page.trackingHistory.pageInfo.hasNextPage) break;
  }
  knownAt = new Date();
  show();
  await prove(api);
}

let proven = '';

/** Checks the evidence again whenever a package has changed hands. */
async function prove(api: Api): Promise<void> {
  const packages = shipment?.custody ?? [];
  const key = JSON.stringify(packages.map(({ packageId, since }) => [packageId, since]));
  if (packages.length === 0 || key === proven) return;
  if (evidence.verdict === 'none') evidence = { ...evidence, verdict: 'checking' };
  show();
  const proofs = await Promise.all(packages.map(({ packageId }) => api.proof(packageId)));
  const chains = proofs.map(({ custodyProof }) => custodyProof);
  const held = await Promise.all(chains.map(({ events }) => chainHolds(events)));
  const broken = chains.some(({ intact }) => !intact) || held.includes(false);
  const linkOf = new Map(
    chains[0]!.events.flatMap(({ canonical, number, hash }) => {
      const { handoffStepId } = JSON.parse(canonical) as { handoffStepId?: string | null };
      return handoffStepId ? [[handoffStepId, { number, hash }] as const] : [];
    }),
  );
  const verdict = broken ? 'broken' : held.includes(null) ? 'platform' : 'here';
  evidence = { verdict, links: chains.reduce((sum, { events }) => sum + events.length, 0), linkOf };
  proven = key;
  show();
}

function show(): void {
  if (ending.signal.aborted) return;
  const known = knownAt && view.clock(knownAt);
  view.connection(state, state === 'offline' ? words.connection.offline(known) : words.connection[state]);
  if (!shipment) return;
  document.body.classList.remove('loading');
  view.journey(journeyOf(shipment, log.events, new Date()), evidence);
  view.log(log.events);
}

/** The link opens nothing any more, or this page is older than the platform. */
function end(error: unknown): void {
  if (!(error instanceof FeedRefused)) throw error;
  if (ending.signal.aborted) return;
  ending.abort();
  if (/^(UNAUTHENTICATED|FORBIDDEN|SHIPMENT_NOT_FOUND|SCOPE_MISSING)$/.test(error.code)) {
    shipment = undefined;
    try {
      sessionStorage.removeItem(KEPT_AS);
    } catch {
      // Nothing was kept.
    }
    view.gone();
    return;
  }
  const reload = el('button', { type: 'button' }, words.outdated);
  reload.addEventListener('click', () => location.reload());
  byId('connection').replaceChildren(reload);
}
