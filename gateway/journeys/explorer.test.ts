/** The explorer in a real browser: what somebody with a partner's key sees and does there, and what stays hidden. */
import { type PageOptions, TestBrowser, type TestPage } from '#shared/testing/browser.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import {
  CreateApiKeyDocument,
  HandoffsDocument,
  RecordTrackingEventDocument,
  RevokeApiKeyDocument,
  ShareTrackingDocument,
} from '../../schema/operations/operations.generated.ts';
import { type Client, signIn } from './client.ts';
import { submitShipment } from './parcel.ts';
import { type DemoPartner, demoAdmin, ensurePartner } from './partner.ts';
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

const strict = {
  PRODUCTION: 'true',
  TRUSTED_DOCUMENTS_PATH: 'schema/trusted-documents.json',
  ADMIN_EMAILS: `${demoAdmin},olga@explorer.baton.test`,
  REVOCATIONS_POLL: '1s',
};
/** What is fetched, compiled or bundled on the way may take long on a busy machine. */
const PATIENTLY = 60_000;

let database: TestDatabase;
let installation: Installation;
let platform: Served;
let browser: TestBrowser;
let partner: DemoPartner;
let admin: Client;

beforeAll(async () => {
  browser = await TestBrowser.launch();
  database = await testDatabase();
  installation = await install(database.url);
  platform = await serve(installation, 'gateway/journeys/start.ts', strict);
  partner = await ensurePartner(platform.url, String(installation.env.DATA_DIR));
  admin = (await signIn(platform.url, 'olga@explorer.baton.test', 'Olga')).client;
}, 600_000);

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const address = (hash = ''): string => new URL(`/explorer${hash}`, platform.url).href;

async function atTheDoor(options: PageOptions = {}, hash = ''): Promise<TestPage> {
  const page = await browser.open(address(hash), options);
  await page.untilShown('Sign in to explore the API', PATIENTLY);
  return page;
}

async function enter(page: TestPage, key: string): Promise<void> {
  await page.page.focus('input[type=password]');
  await page.page.keyboard.type(key);
  await page.page.keyboard.press('Enter');
}

async function signedIn(options: PageOptions = {}, key = partner.key, hash = ''): Promise<TestPage> {
  const page = await atTheDoor(options, hash);
  await enter(page, key);
  await page.until('document.querySelectorAll(".monaco-editor .view-lines").length === 3', PATIENTLY);
  return page;
}

const opened = (page: TestPage, operation: string): Promise<void> =>
  page.page.click(`[data-operation=${operation}]`);

/** Replaces what stands in an editor, as a person would, who looks whether it took what they typed. */
async function write(page: TestPage, editor: 'query-editor' | 'editor-tool', text: string): Promise<void> {
  const { keyboard } = page.page;
  const lines = `.graphiql-${editor} .view-lines`;
  for (let written = ' '; written !== ''; written = (await shownIn(page, lines)).trim()) {
    await page.page.focus(`.graphiql-${editor} textarea`);
    await keyboard.down('Control');
    await keyboard.press('a');
    await keyboard.up('Control');
    await keyboard.press('Backspace');
  }
  await keyboard.sendCharacter(text);
  await page.until(`document.querySelector(${JSON.stringify(lines)}).innerText.trim() !== ''`);
}

async function run(page: TestPage): Promise<void> {
  await page.page.click('.graphiql-execute-button');
}

/** Monaco shows spaces as such that do not break. */
const shownIn = (page: TestPage, selector: string): Promise<string> =>
  page.page.evaluate(
    `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '').replaceAll('\\u00a0', ' ')`,
  ) as Promise<string>;

const untilShownIn = (page: TestPage, selector: string, text: string, within?: number): Promise<void> =>
  page.until(
    `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '').replaceAll('\\u00a0', ' ').includes(${JSON.stringify(text)})`,
    within,
  );

test('before a key was shown the page tells nothing, and a wrong one opens nothing', async () => {
  await using page = await atTheDoor();
  expect(await page.text()).not.toMatch(/Query|searchLocations|ready-made operations/);
  expect(await page.accessibilityProblems()).toEqual([]);
  await enter(page, 'bk_live_wrong');
  await page.untilShown('The API key is not valid');
  expect(await page.page.evaluate('document.querySelector("[role=alert]").innerText')).toContain('not valid');
  expect(await page.page.evaluate('sessionStorage.length')).toBe(0);
  expect(await page.accessibilityProblems()).toEqual([]);
  await page.takeFaults(/401/);
  await page.screenshot('explorer-sign-in', false);
});

test('a key opens its contract; it stays in the tab alone, and is gone with signing out', async () => {
  await using page = await signedIn();
  expect(await page.text()).toContain('contract “partner”');
  const kept = (await page.page.evaluate(
    '[location.href, document.cookie, JSON.stringify(localStorage), document.documentElement.outerHTML].join()',
  )) as string;
  expect(kept).not.toContain(partner.key);
  await page.page.reload();
  await page.untilShown('Ready-made operations', PATIENTLY);
  await page.page.evaluate(
    '[...document.querySelectorAll("header button")].find((each) => each.innerText === "Sign out").click()',
  );
  await page.untilShown('Sign in to explore the API');
  expect(await page.page.evaluate('sessionStorage.length')).toBe(0);
  await page.page.reload();
  await page.untilShown('Sign in to explore the API');
});

test('the docs say what a field of the contract means', async () => {
  await using page = await signedIn();
  await page.page.click('button[aria-label="Show Documentation Explorer"]');
  const choose = (name: string): Promise<unknown> =>
    page.page.evaluate(
      `[...document.querySelectorAll('.graphiql-doc-explorer a')].find(({ innerText }) => innerText === '${name}').click()`,
    );
  await page.until('document.querySelector(".graphiql-doc-explorer a")');
  await choose('Query');
  await page.untilShown('What an amount for carriers would cost the sender today');
  await choose('trackingStatus');
  await page.untilShown('How a shipment stands now.');
  expect(await shownIn(page, '.graphiql-doc-explorer')).toContain('Id of the shipment.');
});

test('the picture of the schema is walked from type to type, and back by what uses it', async () => {
  await using page = await signedIn({}, partner.key, '#schema');
  await page.until('document.querySelector("[data-type=Query]")');
  await page.page.click('[data-type=Query] [data-field=trackingStatus]');
  await page.untilShown('How a shipment stands now.');
  await page.until('document.querySelector(".type.current").dataset.type === "TrackingStatus"');
  expect(await page.page.evaluate('document.querySelectorAll(".world path.out").length')).toBe(4);
  await page.page.evaluate(
    'document.querySelector("[data-type=TrackingStatus] [data-field=lastEvent]").click()',
  );
  await page.until('document.querySelector(".type.current").dataset.type === "TrackingEvent"');
  expect(await shownIn(page, '.details')).toContain('Subscription.trackingEvents');
  await page.page.click('.choice label');
  await page.until('document.querySelectorAll(".type").length < 12');
  const near = (await page.page.evaluate(
    '[...document.querySelectorAll(".type")].map(({ dataset }) => dataset.type)',
  )) as string[];
  expect(near).toEqual(expect.arrayContaining(['Subscription', 'TrackingEvent', 'Location']));
  // In the middle of the window, wherever it lies in the picture.
  await page.until(
    `(([card, frame]) => card.left >= frame.left && card.right <= frame.right && card.top >= frame.top && card.top <= frame.bottom)(
      ['.type.current', '.canvas'].map((selector) => document.querySelector(selector).getBoundingClientRect()))`,
  );
  // Cards are as large as the reader makes them, and all that they do the lists beside them do too.
  const problems = await page.accessibilityProblems();
  expect(problems.filter((problem) => !/^button .* px$/.test(problem))).toEqual([]);
  await page.page.type('.finder input', 'deliveryProof');
  await page.until('document.querySelectorAll(".finder li").length === 2');
});

test('a ready-made query brings rows, and says what it cost', async () => {
  await using page = await signedIn();
  await opened(page, 'PartnerPlaces');
  await untilShownIn(page, '.graphiql-query-editor', 'searchLocations');
  await run(page);
  await untilShownIn(page, '.graphiql-response', '"countryCode": "FR"');
  const cost = Number(await page.page.evaluate('document.querySelector("[data-cost]").dataset.cost'));
  expect(cost).toBeGreaterThan(0);
  await untilShownIn(page, '.spending', `${cost} of 60,000`);
  await page.screenshot('explorer-light', false);
  await page.look({ dark: true });
  await page.until('document.body.classList.contains("graphiql-dark")');
  await page.screenshot('explorer-dark', false);
});

test('what is outside of the contract is unknown: to the editor, to the gateway, to completion', async () => {
  await using page = await signedIn();
  await write(page, 'query-editor', '{ wallet { id } payouts { id } }');
  await page.until(
    'document.querySelectorAll(".graphiql-query-editor .squiggly-error").length === 2',
    PATIENTLY,
  );
  await run(page);
  await untilShownIn(page, '.graphiql-response', 'GRAPHQL_VALIDATION_FAILED');
  expect(await shownIn(page, '.graphiql-response')).not.toContain('"data"');
  await page.takeFaults(/400/);
  await write(page, 'query-editor', '{  }');
  await page.page.keyboard.press('ArrowLeft');
  await page.page.keyboard.press('ArrowLeft');
  await page.page.keyboard.down('Control');
  await page.page.keyboard.press('Space');
  await page.page.keyboard.up('Control');
  await untilShownIn(page, '.suggest-widget', 'calculatePrice', PATIENTLY);
  expect(await shownIn(page, '.suggest-widget')).not.toMatch(/wallet|payout|\bme\b|booking/i);
  await page.page.keyboard.press('Escape');
  expect(await page.page.evaluate('document.documentElement.textContent')).not.toMatch(
    /AcceptBooking|SignOut/,
  );
});

test('releases of the contract are told with what they break', async () => {
  await using page = await signedIn({}, partner.key, '#changes');
  await page.untilShown('The first version: places, routes with prices');
  expect(await page.text()).toContain('nothing breaks');
  expect(await page.accessibilityProblems()).toEqual([]);
  await page.page.click('.changes input[type=checkbox]');
  await page.untilShown('Nothing in this release breaks a program.');
});

describe('a parcel under way, shared with the partner', () => {
  let cast: Cast;
  let shipmentId: string;

  beforeAll(async () => {
    cast = await gatherCast(platform.url, quietly);
    const lane = await offerCarriage(cast, quietly);
    ({ shipmentId } = await submitShipment(cast.sender, cast.recipient, lane, quietly));
    const { token } = await findChain(cast, lane, quietly);
    const itineraryId = await requestChain(cast, shipmentId, token, quietly);
    await acceptAll(cast, itineraryId, quietly);
    await pay(cast, itineraryId, quietly);
    const { itinerary } = await cast.sender.client.until(
      HandoffsDocument,
      { itineraryId },
      (data) => data.itinerary?.handoffs?.length === 4,
    );
    const step = itinerary!.handoffs!.find(({ sequence }) => sequence === 1)!;
    await handOver(cast.sender, cast.first, step.id, quietly);
    const input = { shipmentId, partnerId: partner.partnerId };
    await cast.sender.client.run(ShareTrackingDocument, { input });
  }, 180_000);

  const tell = (message: string) =>
    cast.first.client.run(RecordTrackingEventDocument, {
      input: { shipmentId, type: 'LOCATION_NOTED', message, idempotencyKey: `explorer: ${message}` },
    });

  async function watching(key = partner.key): Promise<TestPage> {
    const page = await signedIn({}, key);
    await opened(page, 'PartnerTrackingEvents');
    await untilShownIn(page, '.graphiql-query-editor', 'trackingEvents');
    await write(page, 'editor-tool', JSON.stringify({ shipmentId, after: '' }));
    await run(page);
    await page.until('document.querySelector("[data-live=live]")', PATIENTLY);
    await page.until('document.querySelectorAll(".events li").length > 0', PATIENTLY);
    await page.page.evaluate('window.neverLoadedAgain = true');
    return page;
  }

  const cursors = (page: TestPage): Promise<string[]> =>
    page.page.evaluate(
      '[...document.querySelectorAll(".events li")].map(({ dataset }) => dataset.cursor).reverse()',
    ) as Promise<string[]>;

  test('is seen live as it travels, and after a cut no event is missed or seen twice', async () => {
    await using page = await watching();
    await tell('Above Greenland');
    await untilShownIn(page, '.events', 'Above Greenland');
    await untilShownIn(page, '.graphiql-response', 'Above Greenland');
    await page.screenshot('explorer-live', false);
    const before = await cursors(page);

    platform.kill('SIGKILL');
    await platform.gone;
    await page.until('document.querySelector("[data-live=reconnecting]")');
    platform = await serve(installation, 'gateway/journeys/start.ts', strict);
    await tell('Above Ireland');
    await untilShownIn(page, '.events', 'Above Ireland', PATIENTLY);
    await page.untilShown('resumed once');
    const after = await cursors(page);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(new Set(after).size).toBe(after.length);
    expect(await page.page.evaluate('window.neverLoadedAgain')).toBe(true);
    await page.page.click('.graphiql-execute-button');
    await page.until('document.querySelector("[data-live=ended]")');
    await page.takeFaults(/ERR_CONNECTION|WebSocket|50\d/);
  }, 180_000);

  test('is gone with a revoked key, and so is everything else on the page', async () => {
    const { createApiKey } = await admin.run(CreateApiKeyDocument, {
      input: { partnerId: partner.partnerId, name: 'lost', scopes: ['TRACKING_READ'] },
    });
    await using page = await watching(createApiKey.text);
    await admin.run(RevokeApiKeyDocument, { input: { apiKeyId: createApiKey.apiKey.id } });
    await page.untilShown('You were signed out: the key or token is no longer valid.');
    expect(await page.text()).not.toMatch(/trackingEvents|Above/);
    expect(await page.page.evaluate('sessionStorage.length')).toBe(0);
    await enter(page, createApiKey.text);
    await page.untilShown('The API key is not valid');
    await page.takeFaults(/401/);
  });
});

test('without a mouse: in at the door, to an operation, to its answer', async () => {
  await using page = await atTheDoor();
  const { keyboard } = page.page;
  const until = async (expression: string): Promise<void> => {
    for (let tabs = 0; tabs < 80; tabs += 1) {
      if (await page.page.evaluate(`(${expression})(document.activeElement)`)) return;
      await keyboard.press('Tab');
    }
    throw new Error(`no Tab leads to ${expression}`);
  };
  // The field has the focus to begin with.
  await keyboard.type(partner.key);
  await keyboard.press('Tab');
  await until('({ innerText }) => innerText === "Sign in"');
  await keyboard.press('Enter');
  await page.until('document.querySelectorAll(".monaco-editor .view-lines").length === 3', PATIENTLY);
  await page.page.evaluate('document.activeElement?.blur()');
  await keyboard.press('Tab');
  expect(await page.page.evaluate('document.activeElement.innerText')).toBe('Skip to the content');
  await keyboard.press('Enter');
  await until('({ dataset }) => dataset.operation === "PartnerPrice"');
  await keyboard.press('Enter');
  await until('({ className }) => className.includes("graphiql-execute-button")');
  await keyboard.press('Enter');
  await untilShownIn(page, '.graphiql-response', '"amountMinor"');
  await until('({ ariaLabel }) => ariaLabel?.startsWith("Variables")');
  await keyboard.press('Enter');
  await page.until('document.activeElement.tagName === "TEXTAREA"');
  await keyboard.press('Tab');
  await until('({ ariaLabel }) => ariaLabel?.startsWith("Response")');
  expect(await page.page.evaluate('document.querySelector("[data-cost]").dataset.cost')).toMatch(/^\d+$/);
});

test.each<[string, string, PageOptions]>([
  ['a small laptop, dark', 'explorer-map-dark', { width: 1024, height: 768, dark: true }],
  ['a laptop, light', 'explorer-map-light', { width: 1120, height: 720 }],
  ['a phone', 'explorer-phone', { width: 390, height: 844 }],
])('everything is there on %s', async (_name, name, options) => {
  await using page = await signedIn(options);
  const views = ['requests', 'changes', 'schema'];
  for (const view of views) {
    await page.page.click(`nav a[href="#${view}"]`);
    await page.until(`document.querySelector('nav a[href="#${view}"]').ariaCurrent === 'page'`);
    expect(await page.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  }
  await page.page.evaluate('document.querySelector("[data-type=Query] [data-field=searchRoutes]").click()');
  await page.untilShown('RouteSuggestion');
  await page.screenshot(name, false);
});

test('colours are the reader’s choice, and stay', async () => {
  await using page = await atTheDoor({ dark: true });
  const ground = (): Promise<unknown> =>
    page.page.evaluate('getComputedStyle(document.body).backgroundColor');
  const dark = await ground();
  await page.page.click('button[aria-label="Use light colours"]');
  expect(await ground()).not.toBe(dark);
  await page.page.reload();
  await page.untilShown('Sign in to explore the API');
  expect(await ground()).not.toBe(dark);
  expect(await page.accessibilityProblems()).toEqual([]);
});

test('nobody but the gateway is asked for anything, and nothing runs but its own files', async () => {
  await using page = await signedIn();
  await page.page.click('a[href="#schema"]');
  await page.until('document.querySelector(".type")');
  const asked = page.transfers.filter(({ url }) => !url.startsWith('data:'));
  const origins = new Set(asked.map(({ url }) => new URL(url).origin));
  expect([...origins]).toEqual([new URL(platform.url).origin]);
  const answer = await fetch(address());
  const policy = answer.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
});
