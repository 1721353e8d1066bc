/** The mailbox's pages: plain HTML that loads nothing from anywhere. Every text of a mail is escaped. */
import { escapeHtml } from '../../html.ts';
import type { MailboxMessage } from './mailbox-store.ts';

export function mailboxPage(messages: readonly MailboxMessage[], to: string | null): string {
  const rows = messages.map(
    ({ id, recipient, subject, receivedAt }) => `
      <li><a href="mailbox/${escapeHtml(id)}">
        <strong>${escapeHtml(subject || '(no subject)')}</strong>
        <span>to ${escapeHtml(recipient)} · ${time(receivedAt)}</span></a></li>`,
  );
  const list = rows.length > 0 ? `<ol>${rows.join('')}</ol>` : '<p>No mail yet.</p>';
  return document(
    'Mailbox',
    `<h1>Mailbox</h1>
    <p>Mails that this platform sends arrive here while it has no mail server (<code>SMTP_URL</code>).</p>
    <form method="get"><label>To <input name="to" type="text" value="${escapeHtml(to ?? '')}"></label>
      <button>Show</button></form>
    ${list}`,
  );
}

export function messagePage({ subject, sender, recipient, receivedAt, text, html }: MailboxMessage): string {
  // The empty sandbox forbids scripts, forms and navigation; the page's own policy forbids every load.
  const rendered = html
    ? `<h2>As HTML</h2><iframe sandbox title="The mail as HTML" srcdoc="${escapeHtml(html)}"></iframe>`
    : '';
  return document(
    subject,
    `<p><a href="../mailbox">All mails</a></p>
    <h1>${escapeHtml(subject || '(no subject)')}</h1>
    <p>From ${escapeHtml(sender)}<br>To ${escapeHtml(recipient)}<br>${time(receivedAt)}</p>
    <pre>${escapeHtml(text)}</pre>
    ${rendered}`,
  );
}

const time = (at: Date): string =>
  `<time datetime="${at.toISOString()}">${at.toISOString().slice(0, 19).replace('T', ' ')} UTC</time>`;

const document = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} · Baton</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8d8d2, #3a3c40); --soft: light-dark(#5b5d63, #a6a8ae); }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
    background: light-dark(#fbfbf8, #17181b); color: light-dark(#1c1d20, #ececee); }
  h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
  h2 { font-size: 1rem; color: var(--soft); }
  a { color: light-dark(#1652b8, #8fb7ff); }
  ol { list-style: none; padding: 0; border-top: 1px solid var(--line); }
  li a { display: block; padding: .75rem 0; border-bottom: 1px solid var(--line); text-decoration: none; overflow-wrap: anywhere; }
  li span { display: block; color: var(--soft); font-size: .875rem; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem; }
  iframe { width: 100%; height: 28rem; border: 1px solid var(--line); border-radius: .5rem; background: light-dark(#fff, #202226); }
  input, button { font: inherit; padding: .25rem .5rem; }
</style>
</head>
<body>
${body}
</body>
</html>
`;
