import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Conflict, Forbidden, Invalid, NotFound, type Refusal, Unavailable } from '../kernel/errors.ts';
import { anonymous } from '../kernel/viewer.ts';
import { answerRoutes, type Route } from './routes.ts';
import { PeerUnreachable } from './transient.ts';

const facts = { viewer: anonymous, requestId: 'r-1', signal: new AbortController().signal };

function failing(path: string, error: unknown): Route {
  return { method: 'POST', path, handle: () => Promise.reject(error) };
}

const routes: Route[] = [
  {
    method: 'GET',
    path: '/files/:id',
    handle: async (_request, { params, facts: { requestId } }) => Response.json({ ...params, requestId }),
  },
  { method: 'PUT', path: '/files/:id', handle: async (request) => new Response(await request.text()) },
  { method: 'GET', path: '/files/:id/parts/:part', handle: async (_r, { params }) => Response.json(params) },
  failing('/bug', new TypeError('password of the database is secret')),
  failing('/down', new PeerUnreachable('payments')),
];

async function send(method: string, path: string, more: { routes?: Route[]; body?: string } = {}) {
  const said: { path: string; requestId: string }[] = [];
  const logger = pino(
    new Writable({
      write(line, _encoding, done) {
        said.push(JSON.parse(String(line)));
        done();
      },
    }),
  );
  const request = new Request(`http://files${path}`, { method, body: more.body });
  return { response: await answerRoutes(more.routes ?? routes, request, facts, logger), said };
}

test('the route of path and method answers, with the parts of the path', async () => {
  const { response } = await send('GET', '/files/a%20b?download=1');
  expect([response.status, await response.json()]).toEqual([200, { id: 'a%20b', requestId: 'r-1' }]);
  expect(await (await send('PUT', '/files/7', { body: 'bytes' })).response.text()).toBe('bytes');
  expect(await (await send('GET', '/files/7/parts/2')).response.json()).toEqual({ id: '7', part: '2' });
});

test.each(['/', '/files', '/files/', '/files/7/parts', '/nothing'])('%s is no route', async (path) => {
  const { response } = await send('GET', path);
  expect([response.status, await response.json()]).toEqual([
    404,
    { code: 'NOT_FOUND', message: 'No such route' },
  ]);
});

test('a method that a route does not take is told which it takes', async () => {
  const { response } = await send('DELETE', '/files/7');
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, PUT');
  expect(await response.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
});

test.each<[number, Refusal]>([
  [400, new Invalid('FILE_TOO_LARGE', 'Too large', { max: 5 })],
  [403, new Forbidden('NOT_YOURS', 'No')],
  [404, new NotFound('FILE_NOT_FOUND', 'None')],
  [409, new Conflict('TAKEN', 'Taken')],
  [503, new Unavailable('STORE_FULL', 'Later')],
])('a refusal is answered with %d, its code and what the client needs', async (status, refusal) => {
  const { response, said } = await send('POST', '/x', { routes: [failing('/x', refusal)] });
  const { code, message, details } = refusal;
  expect([response.status, await response.json()]).toEqual([status, { code, message, ...details }]);
  expect(said).toEqual([]);
});

test('what failed inside is logged whole and told to nobody', async () => {
  const { response, said } = await send('POST', '/bug');
  expect([response.status, await response.json()]).toEqual([
    500,
    { code: 'INTERNAL_SERVER_ERROR', message: 'Internal error' },
  ]);
  expect(said).toMatchObject([{ path: '/bug', requestId: 'r-1', err: { type: 'TypeError' } }]);
});

test('what may pass is told as such, so that a vendor sends its webhook again', async () => {
  const { response, said } = await send('POST', '/down');
  expect([response.status, await response.json()]).toEqual([
    503,
    { code: 'UNAVAILABLE', message: 'Try again later' },
  ]);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(said).toHaveLength(1);
});
