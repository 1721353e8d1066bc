import { createServer, type RequestListener } from 'node:http';
import { systemClock } from '#shared/kernel/time.ts';
import { anonymous } from '#shared/kernel/viewer.ts';
import { parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';
import { RemoteClient } from './remote-client.ts';

const limits = { query: 300, mutation: 600, route: 300, eventsBehind: 10 };

/** A client of a server that answers as told, and what that server received. */
async function against(answer: RequestListener) {
  const tokens: unknown[] = [];
  const server = createServer((request, response) => {
    tokens.push(request.headers['x-baton-viewer']);
    answer(request, response);
  });
  const port = await listen(server, 0, '127.0.0.1');
  const url = `http://127.0.0.1:${port}/graphql`;
  const secrets = parseInternalSecrets(`k:${'s'.repeat(32)}`);
  const client = new RemoteClient({ name: 'books', url, limits, secrets, clock: systemClock });
  const facts = { viewer: anonymous, requestId: 'r', signal: new AbortController().signal };
  return {
    tokens,
    execute: (query: string) =>
      client.execute({
        operation: {
          id: 1,
          query,
          operationName: undefined,
          mutation: query.startsWith('mutation'),
          bodyHead: `{"query":${JSON.stringify(query)},"variables":`,
        },
        variables: {},
        variablesText: '{}',
        deadline: performance.now() + 60_000,
        facts,
      }),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await closeServer(server, 100);
    },
  };
}

const fine = '{"data":{"a":1}}';
const failing = (times: number): RequestListener => {
  let left = times;
  return (request, response) => {
    if (left > 0) request.socket.destroy();
    else response.end(fine);
    left -= 1;
  };
};

test('a query whose connection broke is sent once more, signed anew', async () => {
  await using subgraph = await against(failing(1));
  expect(await subgraph.execute('{a}')).toEqual({ data: { a: 1 } });
  expect(new Set(subgraph.tokens).size).toBe(2);
});

test('a query is sent twice at most', async () => {
  await using subgraph = await against(failing(2));
  await expect(subgraph.execute('{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
  expect(subgraph.tokens).toHaveLength(2);
});

test('a mutation is sent once, whatever happens', async () => {
  await using subgraph = await against(failing(1));
  await expect(subgraph.execute('mutation{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
  expect(subgraph.tokens).toHaveLength(1);
});

test('silence is a timeout, longer for mutations', async () => {
  await using subgraph = await against(() => undefined);
  const started = performance.now();
  await expect(subgraph.execute('{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  const middle = performance.now();
  await expect(subgraph.execute('mutation{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  expect(performance.now() - middle).toBeGreaterThan(middle - started);
});

test.each([
  ['a page', 200, '<html>'],
  ['JSON that is no result', 200, '[]'],
  ['an empty object', 200, '{}'],
])('%s is no answer', async (_, status, body) => {
  await using subgraph = await against((_request, response) => response.writeHead(status).end(body));
  await expect(subgraph.execute('{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_RESPONSE_INVALID' });
});

test('with another status than 200 data is not believed', async () => {
  await using subgraph = await against((_request, response) => response.writeHead(500).end(fine));
  await expect(subgraph.execute('{a}')).rejects.toMatchObject({ code: 'SUBGRAPH_UNAVAILABLE' });
});

test('with another status than 200 a refusal is handed on', async () => {
  const refusal = '{"errors":[{"message":"no"}]}';
  await using subgraph = await against((_request, response) => response.writeHead(400).end(refusal));
  expect(await subgraph.execute('{a}')).toEqual({ errors: [{ message: 'no' }] });
});
