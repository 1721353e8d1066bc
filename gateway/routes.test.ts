import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { forms, Platform } from './testing/platform.ts';

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await Platform.start(form, { ROUTE_TIMEOUT: '300ms', ROUTE_BODY_LIMIT: '100000' });
  });
  afterAll(() => platform[Symbol.asyncDispose]());
  const call = (path: string, init: RequestInit = {}) => fetch(platform.origin + path, init);
  const refusal = async (response: Response) => [
    response.status,
    ((await response.json()) as { code: string }).code,
  ];

  test('a body goes to the subgraph byte for byte, and the answer comes back the same way', async () => {
    const body = randomBytes(90_000);
    const response = await call('/services/books/echo', { method: 'POST', body });
    expect([response.status, response.headers.get('set-cookie')]).toEqual([201, 'a=1']);
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  test('the subgraph sees path, query, the headers of the vendor, and nothing that only we may say', async () => {
    const response = await call('/services/books/hooks/a%20b?x=1&y=%2F', {
      method: 'POST',
      body: '{"a":  1}',
      headers: {
        'stripe-signature': 't=1,v1=2',
        authorization: 'Basic abc',
        'x-baton-viewer': 'forged',
        'x-forwarded-host': 'evil.example',
      },
    });
    expect(response.status).toBe(204);
    const seen = platform.world.seenByRoutes.at(-1)!;
    expect(seen.url).toBe('http://books/hooks/a%20b?x=1&y=%2F');
    expect(seen.bytes.toString()).toBe('{"a":  1}');
    expect(seen.viewer).toEqual({ kind: 'anonymous' });
    expect(Object.fromEntries(seen.headers)).toMatchObject({
      'stripe-signature': 't=1,v1=2',
      authorization: 'Basic abc',
      'x-forwarded-host': `127.0.0.1:${platform.gateway.port}`,
      'x-forwarded-prefix': '/services/books',
    });
    expect(seen.headers.get('x-baton-viewer')).toBeNull();
  });

  test('a Bearer token becomes the viewer and goes no further', async () => {
    const authorization = `Bearer ${await platform.token()}`;
    await call('/services/books/upload', { method: 'PUT', body: 'x', headers: { authorization } });
    const seen = platform.world.seenByRoutes.at(-1)!;
    expect(seen.viewer).toMatchObject({ kind: 'user', userId: 'u1' });
    expect(seen.headers.get('authorization')).toBeNull();
  });

  test('a Bearer token that is not valid is refused', async () => {
    const headers = { authorization: 'Bearer a.b.c' };
    expect(await refusal(await call('/services/books/x', { headers }))).toEqual([401, 'UNAUTHENTICATED']);
  });

  test('a body over the limit is refused, announced or not', async () => {
    const announced = await call('/services/books/x', { method: 'POST', body: Buffer.alloc(200_000) });
    expect(await refusal(announced)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const before = platform.world.seenByRoutes.length;
    const chunks = new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < 200_000; sent += 10_000) controller.enqueue(Buffer.alloc(10_000));
        controller.close();
      },
    });
    const streamed = await call('/services/books/x', { method: 'POST', body: chunks, duplex: 'half' });
    expect(await refusal(streamed)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(platform.world.seenByRoutes).toHaveLength(before);
  });

  test('an unknown subgraph is a 404', async () => {
    expect(await refusal(await call('/services/nobody/x'))).toEqual([404, 'NOT_FOUND']);
    expect(await refusal(await call('/services/'))).toEqual([404, 'NOT_FOUND']);
  });

  test("a path cannot climb out of the subgraph's routes", async () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const path = '/services/books/%2e%2e/../graphql';
    request({ port: platform.gateway.port, path, method: 'POST' }, resolve).on('error', reject).end('x');
    await promise;
    expect(platform.world.seenByRoutes.at(-1)?.url).toBe('http://books/graphql');
  });

  test('a subgraph that does not answer in time is a 504', async () => {
    expect(await refusal(await call('/services/books/slow'))).toEqual([504, 'SUBGRAPH_TIMEOUT']);
  });
});
