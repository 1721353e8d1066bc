/**
 * A real Chromium for tests. Whatever a page complains of (errors on its console, exceptions, requests that fail)
 * fails the test that opened it, unless the test takes it as expected. Nothing is left over: profiles are
 * temporary, and disposing the browser ends it.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { transform } from 'esbuild';
import puppeteer, { type Browser, type BrowserContext, type CDPSession, type Page } from 'puppeteer-core';
import { projectRoot } from '#shared/runtime/rover.ts';
import { findChromium } from './chromium.ts';

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  /** Device pixels per CSS pixel. */
  readonly scale?: number;
  readonly touch?: boolean;
  readonly dark?: boolean;
  readonly reducedMotion?: boolean;
  /** BCP 47 tag: `Accept-Language`, and what the page's own code formats with. */
  readonly locale?: string;
  /** IANA name. */
  readonly timeZone?: string;
}

export interface Transfer {
  readonly url: string;
  readonly status: number;
  /** As it came over the wire, headers and compression included. */
  readonly bytes: number;
}

const WITHIN_MS = 15_000;

export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** On a fresh machine the first call installs Chromium, which takes a minute or two. */
  static async launch(): Promise<TestBrowser> {
    const root = process.getuid?.() === 0;
    const browser = await puppeteer.launch({
      executablePath: await findChromium(),
      headless: true,
      timeout: 60_000,
      protocolTimeout: 60_000,
      args: [
        '--disable-dev-shm-usage',
        '--force-color-profile=srgb',
        // Chromium's sandbox refuses to run as root.
        ...(root ? ['--no-sandbox'] : []),
      ],
    });
    return new TestBrowser(browser);
  }

  /** Opens an address in a context of its own: no cookies, no cache, no storage of other pages. */
  async open(url: string, options: PageOptions = {}): Promise<TestPage> {
    const context = await this.#browser.createBrowserContext();
    const page = await TestPage.prepare(context, options);
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

export class TestPage implements AsyncDisposable {
  /** For what has no word here. */
  readonly page: Page;
  readonly transfers: Transfer[] = [];
  readonly #context: BrowserContext;
  /** What is emulated lasts as long as the session that asked for it. */
  readonly #session: CDPSession;
  readonly #faults: string[] = [];
  #offline = false;

  private constructor(context: BrowserContext, page: Page, session: CDPSession) {
    this.#context = context;
    this.page = page;
    this.#session = session;
  }

  static async prepare(context: BrowserContext, options: PageOptions): Promise<TestPage> {
    const page = await context.newPage();
    const prepared = new TestPage(context, page, await page.createCDPSession());
    page.setDefaultTimeout(WITHIN_MS);
    prepared.#listen();
    await prepared.look(options);
    return prepared;
  }

  async goto(url: string): Promise<void> {
    await this.page.goto(url, { waitUntil: 'load' });
  }

  /** Changes what the page is shown on; what is left out goes back to its default. Another `touch` loads it again. */
  async look(options: PageOptions): Promise<void> {
    const { page } = this;
    const {
      width = 1280,
      height = 900,
      scale = 1,
      touch = false,
      locale = 'en-GB',
      timeZone = 'UTC',
    } = options;
    await page.setViewport({ width, height, deviceScaleFactor: scale, hasTouch: touch });
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: options.dark ? 'dark' : 'light' },
      { name: 'prefers-reduced-motion', value: options.reducedMotion ? 'reduce' : 'no-preference' },
    ]);
    await page.emulateTimezone(timeZone);
    await this.#session.send('Emulation.setLocaleOverride', { locale });
    const userAgent = await page.browser().userAgent();
    await this.#session.send('Emulation.setUserAgentOverride', { userAgent, acceptLanguage: locale });
  }

  /** Takes the network away, or gives it back. */
  async offline(offline: boolean): Promise<void> {
    if (offline) this.#offline = true;
    await this.page.setOfflineMode(offline);
    await this.#heard();
    this.#offline = offline;
  }

  /** Everything that is shown, as text. */
  text(): Promise<string> {
    return this.page.evaluate('document.body.innerText') as Promise<string>;
  }

  /** Waits until a JavaScript expression holds in the page; says what was shown where it does not in time. */
  async until(expression: string, within = WITHIN_MS): Promise<void> {
    await this.page
      .waitForFunction(expression, { timeout: within, polling: 50 })
      .catch(async (error: Error) => {
        throw new Error(
          `not within ${within} ms: ${expression}\nfaults: ${this.#faults.join('; ') || 'none'}\n${await this.text()}`,
          { cause: error },
        );
      });
  }

  async untilShown(text: string, within = WITHIN_MS): Promise<void> {
    await this.until(`document.body.innerText.includes(${JSON.stringify(text)})`, within);
  }

  /** Takes the faults that fit as expected and returns them. */
  async takeFaults(expected: RegExp): Promise<string[]> {
    await this.#heard();
    const taken = this.#faults.filter((fault) => expected.test(fault));
    for (const fault of taken) this.#faults.splice(this.#faults.indexOf(fault), 1);
    return taken;
  }

  /** To `.data/screenshots/<name>.png`, once nothing moves in; the whole page unless only the window is wanted. */
  async screenshot(name: string, fullPage = true): Promise<string> {
    const path = join(projectRoot, '.data/screenshots', `${name}.png`);
    await mkdir(dirname(path), { recursive: true });
    await this.page.evaluate(
      'Promise.all(document.getAnimations().filter(({ effect }) => effect.getTiming().iterations < 9).map(({ finished }) => finished))',
    );
    await this.page.screenshot({ path: path as `${string}.png`, fullPage });
    return path;
  }

  /**
   * What would keep somebody from using the page: controls and pictures without a name, low contrast (WCAG AA),
   * headings that skip, targets too small, text wider than the window, controls that no Tab reaches.
   */
  async accessibilityProblems(): Promise<string[]> {
    const source = await readFile(join(import.meta.dirname, 'browser/accessibility.ts'), 'utf8');
    const { code } = await transform(source, { loader: 'ts', format: 'iife', globalName: 'check' });
    const inPage = (await this.page.evaluate(
      `(() => { ${code}; return check.accessibilityProblems(); })()`,
    )) as string[];
    return [...inPage, ...(await this.#nameless()), ...(await this.#unreached())];
  }

  async #nameless(): Promise<string[]> {
    const needName = /^(button|link|textbox|combobox|checkbox|radio|switch|slider|image|img|region|dialog)$/;
    const problems: string[] = [];
    const visit = (node: Awaited<ReturnType<Page['accessibility']['snapshot']>>): void => {
      if (node && needName.test(node.role) && !node.name?.trim())
        problems.push(`${node.role} without a name`);
      for (const child of node?.children ?? []) visit(child);
    };
    visit(await this.page.accessibility.snapshot({ interestingOnly: false }));
    return problems;
  }

  /** Controls that Tab does not come to. */
  async #unreached(): Promise<string[]> {
    const label = `(element) => element.tagName + ' ' + (element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)`;
    const controls =
      (await this.page.evaluate(`[...document.querySelectorAll('a[href], button:not([disabled]), input:not([disabled]), select, textarea, summary')]
      .filter((element) => element.checkVisibility()).map(${label})`)) as string[];
    await this.page.evaluate('document.activeElement?.blur?.(); document.body.focus()');
    const reached = new Set<string>();
    for (let tabs = 0; tabs <= controls.length + 2; tabs += 1) {
      await this.page.keyboard.press('Tab');
      reached.add((await this.page.evaluate(`(${label})(document.activeElement)`)) as string);
    }
    return controls
      .filter((control) => !reached.has(control))
      .map((control) => `Tab does not reach ${control}`);
  }

  #listen(): void {
    const { page } = this;
    const session = this.#session;
    const fault = (text: string): void => {
      // Without a network it is no fault that requests fail.
      if (!(this.#offline && /net::ERR_|Failed to fetch|Failed to load/.test(text))) this.#faults.push(text);
    };
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warn') fault(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) =>
      fault(`exception: ${error instanceof Error ? error.message : String(error)}`),
    );
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText ?? '';
      // What the page itself gave up, such as a stream that it closed, did not fail.
      if (reason !== 'net::ERR_ABORTED') fault(`request: ${reason} ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) fault(`answer: ${response.status()} ${response.url()}`);
    });
    const answers = new Map<string, { url: string; status: number }>();
    session.on('Network.responseReceived', ({ requestId, response: { url, status } }) => {
      answers.set(requestId, { url, status });
    });
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const answer = answers.get(requestId);
      if (answer) this.transfers.push({ ...answer, bytes: encodedDataLength });
    });
    void session.send('Network.enable');
  }

  /** Events come in order: what happened before this answer has been heard by then. */
  async #heard(): Promise<void> {
    await this.page.evaluate('0');
  }

  /** Closes the page. Throws where it complained of something that was not taken as expected. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heard();
    await this.#context.close();
    if (this.#faults.length > 0) throw new Error(`the page complained:\n${this.#faults.join('\n')}`);
  }
}
