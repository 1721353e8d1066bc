/** The document of the tracking page: a shell in the reader's language that says something before any script has run. */
import type { Assets } from './tracking-page.assets.ts';
import { de } from './words/de.ts';
import { en } from './words/en.ts';
import type { Language } from './words.ts';

const words = { en, de };

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%230b6b5e'/%3E%3Ccircle cx='8' cy='8' r='3' fill='white'/%3E%3C/svg%3E";

/** `assets` and `endpoint` are addresses as the browser must ask for them. */
export function trackingPage(options: {
  readonly language: Language;
  readonly nonce: string;
  readonly assets: Assets;
  readonly endpoint: string;
}): string {
  const { language, nonce, assets, endpoint } = options;
  const { title, loading, needsScript, connection, next, custody, log } = words[language];
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} · Baton</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="track/${assets.style.name}" nonce="${nonce}">
<script type="module" src="track/${assets.script.name}" nonce="${nonce}"></script>
</head>
<body class="loading" data-endpoint="${endpoint}">
<header>
  <strong>Baton</strong>
  <p id="connection" role="status" data-state="connecting">${connection.connecting}</p>
</header>
<main>
  <section class="status" aria-labelledby="headline">
    <p id="route"></p>
    <h1 id="headline">${loading}</h1>
    <p id="explanation" class="lead"></p>
    <noscript><p class="lead">${needsScript}</p></noscript>
    <dl id="facts"></dl>
  </section>
  <figure id="map"></figure>
  <section class="next" aria-labelledby="next-title"><h2 id="next-title">${next}</h2><div id="next"></div></section>
  <section class="custody" aria-labelledby="custody-title"><h2 id="custody-title">${custody}</h2><div id="custody"></div></section>
  <section class="log" aria-labelledby="log-title"><h2 id="log-title">${log}</h2><p id="last"></p><ol id="log" reversed></ol></section>
</main>
<footer id="about"></footer>
<p id="news" aria-live="polite"></p>
</body>
</html>
`;
}
