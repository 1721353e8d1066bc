import { gunzipSync } from 'node:zlib';
import { anonymous } from '#shared/kernel/viewer.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { answerRoutes } from '#shared/runtime/routes.ts';
import { trackingPageRoutes } from './tracking-page.routes.ts';

const routes = trackingPageRoutes('https://baton.test');
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  answerRoutes(
    routes,
    new Request(`http://custody${path}`, { headers }),
    { viewer: anonymous, requestId: 'test', signal: AbortSignal.timeout(10_000) },
    createLogger('silent'),
  );
const assetsOf = (html: string): string[] =>
  [...html.matchAll(/(?:href|src)="(track\/[^"]+)"/g)].map(([, at]) => `/${at}`);

test('the document says nothing of the link that opened it, and no cache keeps it', async () => {
  const response = await get('/track?token=secret%22%3E%3Cscript%3Ealert(1)%3C/script%3E');
  const html = await response.text();
  expect(html).not.toMatch(/secret|alert/);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'content-type': 'text/html; charset=utf-8',
  });
});

test('only scripts and styles of the page itself run in it, and nobody else is asked for anything', async () => {
  const [one, other] = await Promise.all([get('/track'), get('/track')]);
  const policy = one.headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(policy).not.toBe(other.headers.get('content-security-policy'));
  const html = await one.text();
  const [, nonce] = /script-src 'nonce-([^']+)'/.exec(policy)!;
  expect(
    html.match(/<(script|link rel="stylesheet")[^>]*>/g)!.every((tag) => tag.includes(`nonce="${nonce}"`)),
  ).toBe(true);
  expect(html).not.toMatch(/<script[^>]*>[^<]|\son\w+=|style=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
});

test.each([
  [undefined, 'en', 'Looking up your parcel'],
  ['de-AT,de;q=0.9,en;q=0.8', 'de', 'Ihr Paket wird gesucht'],
  ['fr, de;q=0.7, en;q=0.9', 'en', 'Looking up your parcel'],
  ['de;q=0, *', 'en', 'Looking up your parcel'],
  ['tlh', 'en', 'Looking up your parcel'],
])('a reader of %s is answered in %s', async (accepted, language, text) => {
  const html = await (await get('/track', accepted ? { 'accept-language': accepted } : {})).text();
  expect(html).toContain(`<html lang="${language}">`);
  expect(html).toContain(text);
});

test('everything that the page loads, map and all, is small, packed, and kept for ever', async () => {
  const html = await (await get('/track')).text();
  const assets = assetsOf(html);
  expect(assets).toHaveLength(2);
  let bytes = html.length;
  for (const path of assets) {
    const [plain, packed] = await Promise.all([get(path), get(path, { 'accept-encoding': 'gzip, br' })]);
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(packed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    const body = Buffer.from(await packed.arrayBuffer());
    bytes += body.length;
    expect(gunzipSync(body).equals(Buffer.from(await plain.arrayBuffer()))).toBe(true);
  }
  expect(bytes).toBeLessThan(80_000);
});

test('what the page does not have is not there', async () => {
  expect((await get('/track/page-0000000000000000.js')).status).toBe(404);
  expect((await get('/track/..%2ftracking-page.ts')).status).toBe(404);
});
