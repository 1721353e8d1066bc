/**
 * The tracking page over HTTP, for whoever holds a signed link, without an account. It promises that the link
 * stays between the reader and this platform: the page asks nobody else for anything, runs no script but its own,
 * and is kept by no cache. The document itself knows nothing of any shipment; what it shows is asked of the API
 * with the link's token.
 */
import { randomBytes } from 'node:crypto';
import type { Route } from '#shared/runtime/routes.ts';
import { type Asset, type Assets, bundleAssets } from './tracking-page.assets.ts';
import { trackingPage } from './tracking-page.ts';
import { type Language, languages } from './words.ts';

export function trackingPageRoutes(publicUrl: string): Route[] {
  const endpoint = `${new URL(publicUrl).pathname.replace(/\/$/, '')}/graphql`;
  let bundled: Promise<Assets> | undefined;
  const assets = (): Promise<Assets> => {
    bundled ??= bundleAssets().catch((error: unknown) => {
      bundled = undefined;
      throw error;
    });
    return bundled;
  };
  return [
    {
      method: 'GET',
      path: '/track',
      handle: async (request) => {
        const nonce = randomBytes(16).toString('base64');
        const language = languageOf(request.headers.get('accept-language'));
        const html = trackingPage({ language, nonce, assets: await assets(), endpoint });
        return new Response(html, { headers: { ...documentHeaders(nonce), 'content-language': language } });
      },
    },
    {
      method: 'GET',
      path: '/track/:name',
      handle: async (request, { params }) => {
        const { script, style } = await assets();
        const asset = [script, style].find(({ name }) => name === params.name);
        return asset
          ? sent(asset, request)
          : Response.json({ code: 'NOT_FOUND', message: 'No such file' }, { status: 404 });
      },
    },
  ];
}

const documentHeaders = (nonce: string): Record<string, string> => ({
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'x-robots-tag': 'noindex, nofollow',
  'cache-control': 'no-store',
  vary: 'accept-language',
});

function sent({ type, plain, zipped }: Asset, request: Request): Response {
  const zip = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '');
  return new Response(zip ? zipped : plain, {
    headers: {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      vary: 'accept-encoding',
      ...(zip ? { 'content-encoding': 'gzip' } : {}),
    },
  });
}

/** The reader's first language that the page speaks, in the order of their preference. */
function languageOf(accepted: string | null): Language {
  const wanted = (accepted ?? '')
    .split(',')
    .map((each) => {
      const [tag = '', quality] = each.trim().split(/\s*;\s*q=/);
      return { language: tag.slice(0, 2).toLowerCase(), quality: Number(quality ?? 1) };
    })
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality);
  const found = wanted.find(({ language }) => languages.some((each) => each === language));
  return (found?.language ?? 'en') as Language;
}
