import type Stripe from 'stripe';
import { given, listOf } from './lists.ts';
import { listOf as manyOf, paging, range, text } from './parameters.ts';
import { route } from './routes.ts';

export const eventRoutes = [
  route<Stripe.EventListParams, Stripe.ApiList<Stripe.Event>>({
    name: 'events.list',
    request: 'GET /v1/events',
    parameters: { ...paging, created: range, type: text },
    // Events of connected accounts are kept with the platform's, each naming its account.
    handle: (context, { type, ...page }) =>
      listOf({ ...context, account: '' }, 'event', '/v1/events', given({ type }), page),
  }),
  route<Stripe.EventRetrieveParams, Stripe.Event>({
    name: 'events.retrieve',
    request: 'GET /v1/events/:id',
    parameters: { expand: manyOf(text) },
    handle: async (context, _, id) => (await context.tx.get('event', id)).doc,
  }),
];
