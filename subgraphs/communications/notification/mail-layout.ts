/** Turns what a template says into the two forms of a mail; the only place where text becomes HTML. */
import { escapeHtml } from '../html.ts';
import type { Content } from './notification.vocabulary.ts';

const footer = 'Sent by Baton. Nobody at Baton ever asks for your sign-in code.';

export function asText(name: string | null, { paragraphs, code, link }: Content): string {
  return [
    greeting(name),
    ...paragraphs,
    ...(code ? [code] : []),
    ...(link ? [`${link.label}: ${link.url}`] : []),
    footer,
  ].join('\n\n');
}

export function asHtml(name: string | null, { title, paragraphs, code, link }: Content): string {
  const body = [greeting(name), ...paragraphs].map((text) => `<p>${escapeHtml(text)}</p>`);
  if (code) {
    const style = 'font-size:1.75rem;font-weight:600;letter-spacing:.2em';
    body.push(`<p style="${style}">${escapeHtml(code)}</p>`);
  }
  if (link) body.push(`<p><a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p>`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>${escapeHtml(title)}</title></head>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:1.5rem auto;padding:0 1rem">
${body.join('\n')}
<hr style="border:0;border-top:1px solid #8884"><p style="font-size:.85rem;opacity:.75">${footer}</p>
</body>
</html>
`;
}

const greeting = (name: string | null): string => (name ? `Hello ${name},` : 'Hello,');
