/** The harness itself: a page that complains, or that somebody could not use, fails its test. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestBrowser } from './browser.ts';

let browser: TestBrowser;
let server: Server;
let body = '';
beforeAll(async () => {
  browser = await TestBrowser.launch();
  server = createServer((request, response) => {
    response.statusCode = request.url === '/' ? 200 : 404;
    response.setHeader('content-type', 'text/html').end(request.url === '/' ? body : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
}, 600_000);
afterAll(async () => {
  server?.close();
  await browser?.[Symbol.asyncDispose]();
});

const serve = (html: string): string => {
  body = `<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="data:,"><main><h1>Page</h1>${html}</main></html>`;
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
};

test.each([
  ['an error on the console', '<script>console.error("boo")</script>', /boo/],
  ['an exception', '<script>throw new Error("boo")</script>', /boo/],
  ['an answer that refuses', '<img alt="Gone" src="/gone.png">', /404/],
])('%s fails the test that opened the page', async (_name, html, complaint) => {
  const page = await browser.open(serve(html));
  await expect(page[Symbol.asyncDispose]()).rejects.toThrow(complaint);
  await using forgiven = await browser.open(serve(html));
  expect(await forgiven.takeFaults(complaint)).not.toEqual([]);
});

test.each([
  ['a button without a name', '<button style="padding:1em"></button>', 'button without a name'],
  ['a picture without a name', '<img src="data:,">', 'image without a name'],
  ['grey on white', '<p style="color:#aaa">Faint</p>', 'p "Faint" has a contrast of 2.32'],
  ['a heading that skips', '<h3>Deep</h3>', 'heading 2 skips to level 3'],
  ['a tiny target', '<button style="all:unset;font-size:8px">x</button>', /^button "x" is \d+ by \d+ px$/],
  ['too wide', '<p style="width:5000px">Wide</p>', /^the page is 50\d\d px wide in 1280 px$/],
  [
    'out of reach',
    '<button tabindex="-1" style="padding:1em">Hidden way</button>',
    'Tab does not reach BUTTON Hidden way',
  ],
])('%s is told', async (_name, html, problem) => {
  await using page = await browser.open(serve(html));
  const problems = await page.accessibilityProblems();
  expect(problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
});

test('nothing is told of a page that everybody can use, in the reader’s language, zone and colours', async () => {
  await using page = await browser.open(
    serve('<a href="/">Start</a> <button style="padding:1em">Go</button>'),
    { dark: true, locale: 'de-DE', timeZone: 'Asia/Tokyo', width: 360 },
  );
  expect(await page.accessibilityProblems()).toEqual([]);
  expect(
    await page.page.evaluate(
      '[navigator.language, new Date(0).getHours(), (0.5).toLocaleString(), matchMedia("(prefers-color-scheme: dark)").matches, innerWidth]',
    ),
  ).toEqual(['de-DE', 9, '0,5', true, 360]);
});

test('what failed in a test and what the page complained of are told together', async () => {
  const failing = async (): Promise<void> => {
    await using page = await browser.open(serve('<script>console.error("boo")</script>'));
    throw new Error(`the test failed on ${page.page.url()}`);
  };
  await expect(failing()).rejects.toMatchObject({
    name: 'SuppressedError',
    error: { message: expect.stringContaining('boo') },
    suppressed: { message: expect.stringContaining('the test failed') },
  });
});
