/** Past the gateway, or behind it: subgraphs that are spoken to directly, and subgraphs that speak rubbish. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#shared/kernel/time.ts';
import { parseInternalSecrets, signInternal } from '#shared/runtime/internal-auth.ts';
import { readGatewayConfig } from '../../gateway.config.ts';
import { startGateway } from '../../server.ts';
import { compose, INTERNAL_SECRETS, logger, Platform } from '../../testing/platform.ts';
import { sdl, toySubgraphs, World } from '../../testing/toys.ts';
import { Attacker } from './attacker.ts';

describe('a subgraph that is spoken to directly', () => {
  let platform: Platform;
  let url: string;
  const body = JSON.stringify({ query: '{ _service { sdl } book(id: "a") { title } }' });

  beforeAll(async () => {
    platform = await Platform.start('split', { PRODUCTION: 'true' });
    url = platform.served.get('books')!.url;
  });
  afterAll(() => platform[Symbol.asyncDispose]());

  async function answered(
    viewer: string | undefined,
    sent = body,
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(viewer ? { 'x-baton-viewer': viewer } : {}) },
      body: sent,
    });
    return { status: response.status, text: await response.text() };
  }

  const signed = (changes: Partial<Parameters<typeof signInternal>[0]> = {}) =>
    signInternal({
      secrets: parseInternalSecrets(INTERNAL_SECRETS),
      audience: 'books',
      viewer: { kind: 'anonymous' },
      body,
      clock: systemClock,
      ...changes,
    });
  const minuteAgo = { now: () => new Date(Date.now() - 60_000) };

  test.each<[string, () => string | undefined]>([
    ['without a signature', () => undefined],
    ['with an expired one', () => signed({ clock: minuteAgo })],
    ["with a foreign key's", () => signed({ secrets: parseInternalSecrets(`k1:${'x'.repeat(32)}`) })],
    ["with another body's", () => signed({ body: '{"query":"{ __typename }"}' })],
    ["with another subgraph's", () => signed({ audience: 'authors' })],
    ['with a plain viewer', () => '{"kind":"service","name":"x"}'],
  ])('%s says nothing [4]', async (_, proof) => {
    const { status, text } = await answered(proof());
    expect(status).toBe(401);
    expect(text).not.toMatch(/type |Book|title|sdl/);
  });

  test('with a captured request answers it once [5]', async () => {
    const proof = signed();
    expect((await answered(proof)).status).toBe(200);
    expect((await answered(proof)).status).toBe(401);
  });
});

describe('what fails behind the gateway is masked, and costs its own fields only [20]', () => {
  const resources = new AsyncDisposableStack();
  const world = new World();
  const internals = [
    /select \*/i,
    /nginx/,
    /internal\.example/,
    /127\.0\.0\.1/,
    /node_modules/,
    /Error:/,
    /ECONN/,
  ];
  let answer: RequestListener;
  let attacker: Attacker;

  beforeAll(async () => {
    const rubbish = createServer((request, response) => {
      request.resume();
      request.once('end', () => answer(request, response));
    }).listen(0, '127.0.0.1');
    await once(rubbish, 'listening');
    resources.defer(() => {
      rubbish.closeAllConnections();
      rubbish.close();
    });
    const folder = await mkdtemp(join(tmpdir(), 'attack-'));
    resources.defer(() => rm(folder, { recursive: true }));
    const path = join(folder, 'supergraph.graphql');
    await writeFile(path, compose(sdl));
    const { port } = rubbish.address() as AddressInfo;
    const config = readGatewayConfig({
      PORT: '0',
      PRODUCTION: 'true',
      SUPERGRAPH_PATH: path,
      INTERNAL_SECRETS,
      SUBGRAPH_URLS: `authors=http://127.0.0.1:${port}/graphql`,
      SUBGRAPH_TIMEOUT: '300ms',
      SUBGRAPH_FAILURES: '100000',
      DRAIN_TIMEOUT: '1s',
    });
    const localSubgraphs = toySubgraphs(world);
    localSubgraphs.delete('authors');
    const gateway = await startGateway({ config, localSubgraphs, logger, clock: systemClock });
    resources.use(gateway);
    attacker = new Attacker({ gateway });
  });
  afterAll(() => resources.disposeAsync());

  const json = (body: string, status = 200): RequestListener => {
    return (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
  };
  const error = {
    message: 'select * from secret at db.internal.example',
    extensions: {
      code: 'INTERNAL_SERVER_ERROR',
      serviceName: 'authors',
      stacktrace: ['Error: at /srv/db.ts'],
    },
  };

  test.each<[string, RequestListener]>([
    ['a page of HTML', (_, response) => void response.end('<html>nginx at db.internal.example</html>')],
    ['JSON that ends too early', json('{"data":{"_entities":[{"name"')],
    ['JSON that is no object', json('[1,2]')],
    ['JSON null', json('null')],
    ['nothing', json('')],
    ['no data', json('{}')],
    ['data of another shape', json('{"data":{"_entities":[["Lem"],5]}}')],
    ['too few entities', json('{"data":{"_entities":[]}}')],
    ['an error of its own', json(JSON.stringify({ data: null, errors: [error] }))],
    ['an error without a message', json('{"errors":[{}]}')],
    ['status 500', json('{"error":"select * from secret"}', 500)],
    ['an answer that never comes', () => undefined],
    ['a connection that breaks', (request) => void request.socket.destroy()],
  ])('%s', async (_, listener) => {
    answer = listener;
    const { status, text } = await attacker.post({ query: '{ books(first: 1) { title author { name } } }' });
    expect(status).toBe(200);
    const { data, errors } = JSON.parse(text);
    expect(data).toEqual({ books: [{ title: 'Solaris', author: { name: null } }] });
    expect(errors).toEqual([
      {
        message: expect.any(String),
        path: ['books', 0, 'author', 'name'],
        extensions: expect.objectContaining({
          code: expect.stringMatching(
            /^(SUBGRAPH_(UNAVAILABLE|TIMEOUT|RESPONSE_INVALID)|INTERNAL_SERVER_ERROR)$/,
          ),
        }),
      },
    ]);
    expect(internals.filter((pattern) => pattern.test(text))).toEqual([]);
  });

  test('a resolver that throws', async () => {
    world.add('one');
    const { status, text } = await attacker.post({ query: '{ reviews { text broken } }' });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      {
        data: { reviews: [{ text: 'one', broken: null }] },
        errors: [
          {
            message: 'Internal error',
            path: ['reviews', 0, 'broken'],
            extensions: { code: 'INTERNAL_SERVER_ERROR' },
          },
        ],
      },
    ]);
  });
});
