import { Forbidden, Invalid, NotFound } from '#shared/kernel/errors.ts';
import type { Route } from '#shared/runtime/routes.ts';
import { mailboxPage, messagePage } from './mailbox-page.ts';
import type { MailboxStore } from './mailbox-store.ts';

const pageSize = 50;

/**
 * Reading the mailbox over HTTP: it shows everybody's sign-in codes, so it is open only on a platform that is not
 * public, or where its operator says so. Refuses `MAILBOX_CLOSED`, `MAIL_NOT_FOUND`, `ADDRESS_TOO_LONG`.
 */
export function mailboxRoutes(store: MailboxStore, open: boolean): Route[] {
  type Answer = (request: Request, id: string) => Promise<Response>;
  const guarded = (answer: Answer): Route['handle'] => {
    return async (request, { params }) => {
      if (open) return answer(request, params.id ?? '');
      throw new Forbidden('MAILBOX_CLOSED', 'Set MAILBOX_PAGE=true to read the mailbox of a public platform');
    };
  };
  return [
    {
      method: 'GET',
      path: '/mailbox',
      handle: guarded(async (request) => {
        const to = addressee(request);
        return page(mailboxPage(await store.list({ to, limit: pageSize }), to));
      }),
    },
    {
      method: 'GET',
      path: '/mailbox.json',
      handle: guarded(async (request) => {
        const messages = await store.list({ to: addressee(request), limit: pageSize });
        return Response.json(
          {
            messages: messages.map(({ id, sender, recipient, subject, text, html, receivedAt }) => ({
              id,
              from: sender,
              to: recipient,
              subject,
              text,
              html,
              receivedAt,
            })),
          },
          { headers: { 'cache-control': 'no-store' } },
        );
      }),
    },
    {
      method: 'GET',
      path: '/mailbox/:id',
      handle: guarded(async (_request, id) => {
        const message = await store.find(id);
        if (!message) throw new NotFound('MAIL_NOT_FOUND', 'There is no such mail');
        return page(messagePage(message));
      }),
    },
  ];
}

/** True where nobody but this machine reaches the platform at this address. */
export function isPrivate(publicUrl: string): boolean {
  const { hostname } = new URL(publicUrl);
  return /^(127(\.\d+){3}|\[::1\]|localhost|.+\.(localhost|test))$/.test(hostname);
}

function addressee(request: Request): string | null {
  const to = new URL(request.url).searchParams.get('to')?.trim() || null;
  if (to && to.length > 254) throw new Invalid('ADDRESS_TOO_LONG', 'An address has at most 254 characters');
  return to;
}

const page = (html: string): Response =>
  new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    },
  });
