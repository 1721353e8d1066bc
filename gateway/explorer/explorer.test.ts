/** The explorer before any supergraph: here that of the toy subgraphs. */
import { TestBrowser } from '#shared/testing/browser.ts';
import { Platform } from '../testing/platform.ts';

describe('in production', () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start('in memory', { PRODUCTION: 'true', EXPLORER_TITLE: 'Books & <more>' });
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${platform.origin}${path}`, { headers, redirect: 'manual', signal: AbortSignal.timeout(60_000) });

  test('the document is for nobody’s frame, runs files of the gateway alone, and says nothing of the schema', async () => {
    const response = await get('/explorer');
    const html = await response.text();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toMatch(/script-src 'self';.*worker-src 'self';.*connect-src 'self';/);
    expect(policy).not.toMatch(/https?:|\*|blob:|unsafe-eval/);
    expect(html).toContain('Books &amp; &lt;more&gt;');
    expect(html).not.toMatch(/Author|<script[^>]*>[^<]|\son\w+=/);
    expect(html).toContain('data-credentials="token" data-open="false"');
  });

  test('what it loads is packed and kept for ever; what there is not is not there', async () => {
    const html = await (await get('/explorer')).text();
    const names = [...html.matchAll(/(?:href|src)="(explorer\/[^"]+)"/g)].map(([, name]) => name!);
    expect(names).toHaveLength(2);
    for (const name of names) {
      const plain = await get(`/${name}`, { 'accept-encoding': 'identity' });
      expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(plain.headers.get('content-encoding')).toBeNull();
      const packed = await get(`/${name}`, { 'accept-encoding': 'gzip' });
      expect(packed.headers.get('content-encoding')).toBe('gzip');
      expect(await packed.text()).toBe(await plain.text());
    }
    expect((await get('/explorer/main-00000000.js')).status).toBe(404);
    expect((await get('/explorer/..%2fexplorer.ts')).status).toBe(404);
    const slashed = await get('/explorer/');
    expect([slashed.status, slashed.headers.get('location')]).toEqual([308, '../explorer']);
  });

  test('a session is opened for those alone who may read the schema', async () => {
    const bearer = async (roles: string[]) => ({
      authorization: `Bearer ${await platform.token({ roles })}`,
    });
    const codeOf = async (headers: Record<string, string>) => {
      const response = await get('/explorer/session', headers);
      const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
      return [response.status, errors?.[0]?.extensions.code];
    };
    expect(await codeOf({})).toEqual([401, 'UNAUTHENTICATED']);
    expect(await codeOf({ authorization: 'Bearer nonsense' })).toEqual([401, 'UNAUTHENTICATED']);
    expect(await codeOf(await bearer(['reader']))).toEqual([400, 'GRAPHQL_VALIDATION_FAILED']);
    const response = await get('/explorer/session', await bearer(['developer']));
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({
      viewer: 'user',
      contract: null,
      budget: null,
      operations: [],
    });
  });
});

test('where it is turned off there is none', async () => {
  await using platform = await Platform.start('in memory', { EXPLORER: 'false' });
  expect((await fetch(`${platform.origin}/explorer`)).status).toBe(404);
});

test('outside of production anybody may look at a stranger’s supergraph', async () => {
  await using platform = await Platform.start('in memory');
  await using browser = await TestBrowser.launch();
  await using page = await browser.open(`${platform.origin}/explorer#schema`);
  await page.untilShown('Continue without signing in', 60_000);
  await page.page.evaluate(
    '[...document.querySelectorAll("button")].find(({ innerText }) => innerText.startsWith("Continue")).click()',
  );
  await page.until('document.querySelector("[data-type=Book] [data-field=author]")', 60_000);
  await page.page.evaluate('document.querySelector("[data-type=Book] [data-field=author]").click()');
  await page.until('document.querySelector(".type.current").dataset.type === "Author"');
  await page.page.click('nav a[href="#requests"]');
  await page.until('document.querySelectorAll(".monaco-editor .view-lines").length === 3', 60_000);
  await page.page.click('.graphiql-execute-button');
  await page.until('document.querySelector(".graphiql-response").innerText.includes("Query")');
}, 180_000);
