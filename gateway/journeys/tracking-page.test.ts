/** The tracking page in a real browser against the whole platform: what a recipient sees who follows a mailed link. */
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#shared/kernel/ids.ts';
import { MINUTE, SECOND, systemClock } from '#shared/kernel/time.ts';
import { Secrets } from '#shared/runtime/secrets.ts';
import { type PageOptions, TestBrowser, type TestPage } from '#shared/testing/browser.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import {
  HandoffsDocument,
  RecordTrackingEventDocument,
  TrackingHistoryDocument,
} from '../../schema/operations/operations.generated.ts';
import { Tokens } from '../../subgraphs/identity/authentication/authentication.tokens.ts';
import { stopServing } from './carriage.ts';
import { awaitMail, Client } from './client.ts';
import { keyEnvironment } from './keys.ts';
import { type Parcel, submitShipment } from './parcel.ts';
import { quietly } from './private-parcel.ts';
import { type Installation, install, type Served, serve } from './served.ts';
import {
  acceptAll,
  type Cast,
  findChain,
  gatherCast,
  handOver,
  offerCarriage,
  pay,
  requestChain,
} from './story.ts';

/** As in production: only the documents that client applications were built with, and no help for guessing. */
const strict = { PRODUCTION: 'true', TRUSTED_DOCUMENTS_PATH: 'schema/trusted-documents.json' };

let database: TestDatabase;
let installation: Installation;
let platform: Served;
let browser: TestBrowser;
let tokens: Tokens;

beforeAll(async () => {
  browser = await TestBrowser.launch();
  database = await testDatabase();
  installation = await install(database.url);
  platform = await serve(installation, 'gateway/journeys/start.ts', strict);
  const { MASTER_SECRET } = await keyEnvironment(installation.env.DATA_DIR!);
  tokens = new Tokens(new Secrets(MASTER_SECRET!), systemClock, MINUTE);
}, 600_000);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

/** A submitted parcel from Montréal to Paris, and what becomes of it. */
interface Tracked extends AsyncDisposable {
  readonly cast: Cast;
  readonly parcel: Parcel;
  /** As it stands in mails. */
  readonly link: string;
  book(): Promise<void>;
  /** The next hand-over, up to its second scan. */
  handOver(): Promise<void>;
  /** Ids of everything that has happened to it, in order. */
  log(): Promise<string[]>;
}

const linkWith = (token: string): string => new URL(`/track?token=${token}`, platform.url).href;

/** Custody hears of a parcel a moment after it was submitted; a person opens the mail later than that. */
async function heardOf({ shipmentId, linkToken }: Parcel): Promise<void> {
  const recipient = new Client(platform.url, linkToken);
  const deadline = performance.now() + 20_000;
  while (!(await recipient.ask(TrackingHistoryDocument, { shipmentId, first: 1 })).data?.trackingHistory) {
    if (performance.now() > deadline) throw new Error('custody never heard of the parcel');
    await sleep(100);
  }
}

async function submitted(): Promise<Tracked> {
  const cast = await gatherCast(platform.url, quietly);
  const lane = await offerCarriage(cast, quietly);
  const { sender, first, second, courier } = cast;
  // Nobody signs in with this address: all that this person has is the link.
  const recipient = { ...cast.recipient, email: `guest.${cast.recipient.email}` };
  const parcel = await submitShipment(sender, recipient, lane, quietly);
  const parties = [
    sender,
    first,
    second,
    courier,
    { ...recipient, client: new Client(platform.url, parcel.linkToken) },
  ];
  await heardOf(parcel);
  let itineraryId = '';
  let sequence = 0;
  return {
    cast: { ...cast, recipient },
    parcel,
    link: linkWith(parcel.linkToken),
    async book() {
      const { token } = await findChain(cast, lane, quietly);
      itineraryId = await requestChain(cast, parcel.shipmentId, token, quietly);
      await acceptAll(cast, itineraryId, quietly);
      await pay(cast, itineraryId, quietly);
    },
    async handOver() {
      const { itinerary } = await sender.client.until(
        HandoffsDocument,
        { itineraryId },
        (data) => data.itinerary?.handoffs?.length === 4,
      );
      sequence += 1;
      const step = itinerary!.handoffs!.find((each) => each.sequence === sequence)!;
      await handOver(parties[sequence - 1]!, parties[sequence]!, step.id, quietly);
    },
    async log() {
      const variables = { shipmentId: parcel.shipmentId, first: 100 };
      const { trackingHistory } = await sender.client.run(TrackingHistoryDocument, variables);
      return trackingHistory.edges.map(({ node }) => node.id);
    },
    // The courier's daily connection would stand in the next parcel's way.
    [Symbol.asyncDispose]: () => stopServing(courier, lane.segmentId),
  };
}

const live = (page: TestPage): Promise<void> =>
  page.until('document.getElementById("connection").dataset.state === "live"');

const headline = (page: TestPage, text: string): Promise<void> =>
  page.until(`document.getElementById("headline").textContent === ${JSON.stringify(text)}`);

/** Ids of the events that the page shows, in the order in which they happened. */
const shown = (page: TestPage): Promise<string[]> =>
  page.page.evaluate(
    '[...document.querySelectorAll("#log li")].map(({ dataset }) => dataset.id).reverse()',
  ) as Promise<string[]>;

/** Waits until the page shows the whole log, which may still grow; what it shows twice or in another order never is. */
async function showsAllOf(page: TestPage, parcel: Tracked): Promise<void> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const [log, seen] = [await parcel.log(), await shown(page)];
    if (log.join() === seen.join()) return;
    if (performance.now() > deadline) expect(seen).toEqual(log);
    await sleep(100);
  }
}

test('a recipient without an account follows the mailed link and sees the parcel travel, live', async () => {
  await using parcel = await submitted();
  await using page = await browser.open(parcel.link, { timeZone: 'Europe/Paris' });
  await headline(page, 'Looking for travellers');
  await live(page);
  expect(page.page.url()).toBe(new URL('/track', platform.url).href);
  expect(await page.text()).toContain('Not known yet');
  expect(await page.accessibilityProblems()).toEqual([]);
  await page.page.evaluate('window.neverLoadedAgain = true');

  await parcel.book();
  await headline(page, 'Booked, and soon on its way');
  const mail = await awaitMail(platform.url, parcel.cast.recipient.email, ({ subject }) =>
    /on its way/i.test(subject),
  );
  const [mailed] = /http\S+\/track\?token=\S+/.exec(mail.text) ?? [];
  await using another = await browser.open(mailed!);
  await headline(another, 'Booked, and soon on its way');

  await parcel.handOver();
  await headline(page, 'Amir Atlantic has your parcel');
  await page.untilShown('Next stop: London (LHR), where Bea Channel takes over.');
  await page.untilShown('Proved by two scans, 2 photos on file');
  await page.untilShown('your browser has just recomputed all 2 links');
  await page.until(
    `document.getElementById('news').textContent.includes('Amir Atlantic took the parcel over')`,
  );

  await parcel.cast.first.client.run(RecordTrackingEventDocument, {
    input: {
      shipmentId: parcel.parcel.shipmentId,
      type: 'DEPARTED',
      message: 'Boarding now',
      idempotencyKey: 'boarding of this test',
    },
  });
  await page.untilShown('Amir Atlantic has set off: “Boarding now”');

  await parcel.handOver();
  await headline(page, 'Bea Channel has your parcel');
  await showsAllOf(page, parcel);
  expect(await page.accessibilityProblems()).toEqual([]);
  expect(
    await page.page.evaluate(
      `[document.querySelector('#map svg').getAttribute('aria-label'), ...['done', 'under_way', 'ahead'].map((progress) => document.querySelectorAll('.leg-' + progress).length)]`,
    ),
  ).toEqual([
    'Map of the way from Montréal (YUL) by London (LHR) by Paris (CDG) by Paris. Last seen in London (LHR).',
    ...[1, 1, 1],
  ]);
  await page.screenshot('tracking-light');
  await page.look({ dark: true, timeZone: 'Europe/Paris' });
  expect(await page.accessibilityProblems()).toEqual([]);
  await page.screenshot('tracking-dark');
  await page.look({ width: 360, height: 740, scale: 2, timeZone: 'Europe/Paris' });
  expect(await page.accessibilityProblems()).toEqual([]);
  await page.screenshot('tracking-phone', false);
  await page.look({ timeZone: 'Europe/Paris', reducedMotion: true });
  expect(await page.page.evaluate('document.getAnimations().length')).toBe(0);

  await parcel.handOver();
  await headline(page, 'On its last leg, with Colis Courier');
  await parcel.handOver();
  await headline(page, 'Delivered');
  await page.untilShown('Rémi Recipient received it in Paris.');
  await page.untilShown('Everything is settled', 60_000);
  await showsAllOf(page, parcel);
  expect(await page.page.evaluate('window.neverLoadedAgain')).toBe(true);

  await page.page.reload();
  await headline(page, 'Delivered');
  const origins = new Set(page.transfers.map(({ url }) => new URL(url).origin));
  expect([...origins]).toEqual([new URL(platform.url).origin]);
  const assets = page.transfers.filter(({ url, bytes }) => /\.(js|css)$/.test(url) && bytes > 0);
  expect(assets).toHaveLength(2);
  expect(assets.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(80_000);
}, 180_000);

test('who is offline while things happen sees each of them once and in order on coming back', async () => {
  await using parcel = await submitted();
  await parcel.book();
  await parcel.handOver();
  await using page = await browser.open(parcel.link, { locale: 'de-DE', timeZone: 'Europe/Berlin' });
  await headline(page, 'Amir Atlantic hat Ihr Paket');
  await live(page);
  const before = await shown(page);

  await page.offline(true);
  await page.until(
    `/^Offline – Stand von \\d\\d:\\d\\d$/.test(document.getElementById('connection').textContent)`,
  );
  await parcel.handOver();
  await parcel.handOver();
  await parcel.cast.sender.client.until(
    TrackingHistoryDocument,
    { shipmentId: parcel.parcel.shipmentId, first: 100 },
    ({ trackingHistory }) => trackingHistory.edges.length > before.length + 6,
  );
  expect(await shown(page)).toEqual(before);
  expect(await page.text()).toContain('Amir Atlantic hat Ihr Paket');
  await page.screenshot('tracking-offline', false);

  await page.offline(false);
  await live(page);
  await headline(page, 'Auf der letzten Etappe, bei Colis Courier');
  await showsAllOf(page, parcel);
  await parcel.cast.courier.client.run(RecordTrackingEventDocument, {
    input: {
      shipmentId: parcel.parcel.shipmentId,
      type: 'LOCATION_NOTED',
      message: '<img src=x onerror=alert(1)>',
      idempotencyKey: 'hostile words',
    },
  });
  await page.untilShown('Colis Courier meldet: „<img src=x onerror=alert(1)>“');
  await parcel.handOver();
  await headline(page, 'Zugestellt');
  await showsAllOf(page, parcel);
  expect(await page.accessibilityProblems()).toEqual([]);
}, 180_000);

test('the platform dies and comes back: the page carries on by itself and misses nothing', async () => {
  await using parcel = await submitted();
  await parcel.book();
  await using page = await browser.open(parcel.link);
  await headline(page, 'Booked, and soon on its way');
  await live(page);
  await page.page.evaluate('window.neverLoadedAgain = true');

  platform.kill('SIGKILL');
  await platform.gone;
  await page.untilShown('Reconnecting…');
  platform = await serve(installation, 'gateway/journeys/start.ts', strict);
  await parcel.handOver();
  await headline(page, 'Amir Atlantic has your parcel');
  await live(page);
  await showsAllOf(page, parcel);
  expect(await page.page.evaluate('window.neverLoadedAgain')).toBe(true);
  await page.takeFaults(/net::ERR_|answer: 50\d/);
}, 180_000);

describe('a link that opens nothing', () => {
  let parcel: Tracked;
  let recipientId: string;
  beforeAll(async () => {
    parcel = await submitted();
    const { rcp } = JSON.parse(Buffer.from(parcel.parcel.linkToken.split('.')[1]!, 'base64url').toString());
    recipientId = rcp;
  }, 60_000);
  afterAll(() => parcel?.[Symbol.asyncDispose]());

  const inFromNow = (seconds: number): Date => new Date(Date.now() + seconds * SECOND);
  const links: [string, () => Promise<string> | string][] = [
    ['none at all', () => new URL('/track', platform.url).href],
    ['nonsense', () => linkWith('nonsense')],
    [
      'a changed one',
      () =>
        linkWith(parcel.parcel.linkToken.replace(/[^.](?=[^.]{40}$)/, (sign) => (sign === 'A' ? 'B' : 'A'))),
    ],
    [
      'an expired one',
      async () => linkWith(await tokens.link({ ...parcel.parcel, recipientId, expiresAt: inFromNow(-1) })),
    ],
    [
      'one of a recipient who was replaced',
      async () =>
        linkWith(await tokens.link({ ...parcel.parcel, recipientId: newId(), expiresAt: inFromNow(60) })),
    ],
    [
      'one to a shipment that there is not',
      async () => linkWith(await tokens.link({ shipmentId: newId(), recipientId, expiresAt: inFromNow(60) })),
    ],
  ];
  test.each(links)('%s: is told kindly what to do, and nothing of any parcel', async (_name, link) => {
    await using page = await browser.open(await link());
    await headline(page, 'This link does not open anything any more');
    const text = await page.text();
    expect(text).toContain('Ask the sender for a new link');
    expect(text).not.toMatch(/Montr|Paris|Sofia|Rémi/);
    expect(new URL(page.page.url()).search).toBe('');
    expect(await page.page.evaluate('sessionStorage.length')).toBe(0);
    expect(await page.accessibilityProblems()).toEqual([]);
    await page.takeFaults(/401/);
    await page.screenshot('tracking-gone', false);
  });

  test('one that expires while the page is open takes everything away that it had shown', async () => {
    const token = await tokens.link({ ...parcel.parcel, recipientId, expiresAt: inFromNow(10) });
    await using page = await browser.open(linkWith(token));
    await headline(page, 'Looking for travellers');
    await headline(page, 'This link does not open anything any more');
    expect(await page.text()).not.toMatch(/Montr|Paris|Sofia/);
    await page.takeFaults(/401/);
  });
});

test.each<[string, PageOptions]>([
  ['German and dark', { locale: 'de-AT', dark: true, width: 360, height: 740 }],
  ['a tablet', { width: 820, height: 1180, touch: true }],
])('the page is usable on %s', async (_name, options) => {
  await using parcel = await submitted();
  await using page = await browser.open(parcel.link, options);
  await live(page);
  expect(await page.accessibilityProblems()).toEqual([]);
});

test('the link of a page is no key to anything that a recipient may not do', async () => {
  await using parcel = await submitted();
  const linked = new Client(platform.url, parcel.parcel.linkToken);
  const refused = await linked.refused(RecordTrackingEventDocument, {
    input: {
      shipmentId: parcel.parcel.shipmentId,
      type: 'ARRIVED',
      message: 'Here',
      idempotencyKey: 'arrival by link',
    },
  });
  expect(refused.codes).toEqual(['SIGN_IN_REQUIRED']);
});
