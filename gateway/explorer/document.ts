/** The page's document and the headers that keep it to itself. */

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const inHtml = (text: string): string => text.replace(/[&<>"]/g, (sign) => escapes[sign]!);

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%230b6b5e'/%3E%3Cpath d='M4.5 5 8 11l3.5-6z' fill='none' stroke='white' stroke-width='1.3'/%3E%3C/svg%3E";

export interface DocumentOptions {
  readonly title: string;
  readonly script: string;
  readonly style: string;
  /** What may be shown to sign in. */
  readonly credentials: readonly ('key' | 'token')[];
  /** Whether the schema is told to those who show nothing. */
  readonly open: boolean;
}

/** Addresses are relative to that of the page, which has no slash at its end. */
export const explorerDocument = ({ title, script, style, credentials, open }: DocumentOptions): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${inHtml(title)} · Explorer</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="explorer/${style}">
<script type="module" src="explorer/${script}"></script>
</head>
<body data-title="${inHtml(title)}" data-credentials="${credentials.join(' ')}" data-open="${open}">
<div id="root"><noscript>The explorer needs JavaScript.</noscript></div>
</body>
</html>
`;

/**
 * Scripts and workers are files of the gateway, and nothing else runs. Inline styles are allowed since the editor
 * (Monaco) positions everything with them; fonts and pictures in the style sheet are `data:`.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const safely: Readonly<Record<string, string>> = {
  'content-security-policy': contentSecurityPolicy,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
  'x-robots-tag': 'noindex, nofollow',
};
